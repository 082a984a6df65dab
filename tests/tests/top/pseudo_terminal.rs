//! Pseudo-terminal with a program on it, and what a person would see there.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;
use rolecast_tests::cluster::LIMIT;
use rolecast_tests::wait::wait_for;
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::{Parser, Screen};

/// A program as the leader of a session on its own terminal.
pub(crate) struct PseudoTerminal {
    child: Child,
    /// The end of the person; `None` once it is closed.
    master: Option<PtyMaster>,
    /// Kept open, so that the modes can be read when the program has ended.
    slave: File,
    parser: Parser,
    before: Termios,
    /// All that was written, for sequences that leave no trace on the screen.
    pub(crate) written: Vec<u8>,
}

impl PseudoTerminal {
    /// Starts a program in a directory on a terminal of 80 columns and 24 rows.
    pub(crate) fn spawn(
        directory: &Path,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let master = terminal().expect("a pseudo-terminal can be opened");
        let name = ptsname_r(&master).expect("a pseudo-terminal has a name");
        // What a child of another test inherits would keep the terminal open.
        let slave = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(name)
            .expect("a terminal can be opened");
        tcsetwinsize(&slave, size(80, 24)).expect("a terminal can be resized");
        let before = tcgetattr(&slave).expect("a terminal has modes");
        let end = || slave.try_clone().expect("a terminal can be opened twice");
        // Without its own session it would have no terminal to be hung up.
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(program)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied())
            .current_dir(directory)
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("setsid starts");
        Self {
            child,
            master: Some(master),
            slave,
            parser: Parser::new(rows(24), rows(80), 0),
            before,
            written: Vec::new(),
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        let master = self.master.as_mut().expect("the terminal is open");
        master
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    pub(crate) fn resize(&mut self, columns: u16, height: u16) {
        self.parser.set_size(rows(height), rows(columns));
        tcsetwinsize(&self.slave, size(columns, height)).expect("a terminal can be resized");
    }

    /// Ends the connection, as a lost network does for a person who is logged in remotely.
    pub(crate) fn hang_up(&mut self) {
        self.master = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the program runs");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("process ids are small"))
    }

    /// Waits until the screen satisfies the condition; returns it as text.
    pub(crate) async fn wait(&mut self, what: &str, condition: impl Fn(&Screen) -> bool) -> String {
        wait_for(&self.what(what), LIMIT, async || {
            self.read();
            let screen = self.parser.screen();
            condition(screen).then(|| screen.contents())
        })
        .await
    }

    /// Waits until the screen has all these texts.
    pub(crate) async fn wait_text(&mut self, parts: &[&str]) -> String {
        let has = |screen: &Screen| {
            let text = screen.contents();
            parts.iter().all(|part| text.contains(part))
        };
        self.wait(&format!("{parts:?} on the screen"), has).await
    }

    /// Waits until the screen lacks this text.
    pub(crate) async fn wait_gone(&mut self, part: &str) -> String {
        let lacks = |screen: &Screen| !screen.contents().contains(part);
        self.wait(&format!("{part:?} off the screen"), lacks).await
    }

    pub(crate) async fn wait_end(&mut self) -> ExitStatus {
        wait_for("the program on the terminal ends", LIMIT, async || {
            self.read();
            let status = self.child.try_wait().expect("a child can be waited for");
            // Its last output was written before it ended.
            self.read();
            status
        })
        .await
    }

    /// Checks that a shell would find the terminal as it was.
    pub(crate) fn assert_as_before(&self) {
        let screen = self.parser.screen();
        assert!(
            !screen.alternate_screen(),
            "the alternate screen was not left"
        );
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        let after = tcgetattr(&self.slave).expect("a terminal has modes");
        let flags = |modes: &Termios| {
            let Termios {
                input_flags,
                output_flags,
                control_flags,
                local_flags,
                ..
            } = modes;
            (*input_flags, *output_flags, *control_flags, *local_flags)
        };
        assert_eq!(flags(&after), flags(&self.before));
        assert!(
            !self.is_written("\x1b[?1000h") && !self.is_written("\x1b[?1006h"),
            "mouse"
        );
    }

    pub(crate) fn is_written(&self, sequence: &str) -> bool {
        let mut windows = self.written.windows(sequence.len());
        windows.any(|window| window == sequence.as_bytes())
    }

    /// Takes what was written.
    fn read(&mut self) {
        let mut buffer = [0; 4096];
        let Some(master) = &mut self.master else {
            return;
        };
        loop {
            match master.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    self.parser.process(&buffer[..count]);
                    self.written.extend(&buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn what(&self, what: &str) -> String {
        format!("{what}, where it has\n{}", self.parser.screen().contents())
    }
}

impl Drop for PseudoTerminal {
    #[allow(clippy::print_stderr, reason = "a failed test shows why")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.read();
            eprintln!("---- the terminal\n{}", self.parser.screen().contents());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens the end of a person, which no child inherits.
fn terminal() -> nix::Result<PtyMaster> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let master = posix_openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    Ok(master)
}

fn size(columns: u16, height: u16) -> Winsize {
    Winsize {
        ws_row: height,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn rows(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a screen has a size")
}
