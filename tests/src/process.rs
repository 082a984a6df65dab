//! Child process of a test: its log, its signals, and its certain end.
//!
//! A child leads its own process group, and the group is killed when its [`Process`] is
//! dropped. Where the system has `setpriv`, a child is also killed when the thread that
//! started it ends, even if the test program was killed; so spawn from the test's own
//! thread, not from a task.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use std::os::unix::process::CommandExt;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::wait::wait_for;

/// Lines of its log that a failed test shows of each process.
const LOG_TAIL_LINES: usize = 40;

/// A running child process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program in `directory`, with its output appended to
    /// `<directory>/<name>.log`.
    pub fn spawn(
        name: &str,
        directory: &Path,
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Process {
        Self::spawn_with(name, directory, program, arguments, &[])
    }

    /// As [`Process::spawn`], with more environment variables.
    pub fn spawn_with(
        name: &str,
        directory: &Path,
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        environment: &[(&str, &str)],
    ) -> Process {
        let log = directory.join(format!("{name}.log"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the test's directory is writable");
        let error_file = file.try_clone().expect("a file can be opened twice");
        let child = mortal(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(error_file)
            .process_group(0)
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("cannot start {name} ({}): {error}", program.display());
        });
        Process {
            name: name.to_owned(),
            child,
            log,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process ids are small")
    }

    /// Returns its whole output to stdout and stderr, including earlier runs of the same
    /// name.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub fn is_running(&mut self) -> bool {
        self.exit_status().is_none()
    }

    /// Returns its exit status, if it has ended.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Kills it, and it alone, with SIGKILL and waits for its end.
    pub fn kill(&mut self) {
        // A child that has ended and was waited for may have left its number to another.
        if self.is_running() {
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }

    /// Freezes it with SIGSTOP.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Continues it with SIGCONT.
    pub fn cont(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Asks it with SIGTERM to end.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Waits for its end; panics with the end of its log after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        wait_for(&what, limit, async || self.exit_status()).await
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let sent = kill(Pid::from_raw(self.pid()), signal);
        assert!(sent.is_ok(), "cannot signal {}: {sent:?}", self.name);
    }

    #[allow(clippy::print_stderr, reason = "a failed test shows why")]
    fn show_log(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let start = lines.len().saturating_sub(LOG_TAIL_LINES);
        eprintln!("---- end of the log of {}", self.name);
        for line in &lines[start..] {
            eprintln!("{line}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_log();
        }
        // Its group may outlive it: children that it left behind.
        let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Runs a program to its end, or kills it, and returns its output and its exit status.
pub async fn run(mut process: Process, limit: Duration) -> (String, ExitStatus) {
    let status = process.wait(limit).await;
    (process.log(), status)
}

/// Returns the command for a program that dies with the thread that starts it,
/// where the system can do that.
fn mortal(program: &Path) -> Command {
    static HAS_SETPRIV: OnceLock<bool> = OnceLock::new();
    let has_setpriv = *HAS_SETPRIV.get_or_init(|| {
        let tried = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "true"])
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    });
    if !has_setpriv {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// Returns the path of a program of this workspace, built by `cargo build --workspace --bins`.
pub fn program(name: &str) -> PathBuf {
    // A test runs as target/<profile>/deps/<test>-<hash>, a benchmark beside the programs.
    let own = std::env::current_exe().expect("a program knows its own path");
    let directory = own.parent().expect("a program lies in a directory");
    let is_test = directory.ends_with("deps");
    let profile = directory.parent().filter(|_| is_test).unwrap_or(directory);
    let path = profile.join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace --bins`, or `make test`",
        path.display()
    );
    path
}

/// Returns the root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
}

/// Starts a Python script of the repository. The packages of `make tools` are importable,
/// NATS_URL is the address of NATS, and NATS_INBOX_PREFIX is the prefix of its inboxes.
pub fn spawn_python(
    name: &str,
    directory: &Path,
    script: &str,
    arguments: &[&str],
    nats_url: &str,
) -> Process {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let packages = repository().join(".tools/python");
    assert!(
        packages.is_dir(),
        "{} is missing: run `make tools`",
        packages.display()
    );
    let script = repository().join(script).display().to_string();
    let mut all = vec![script.as_str()];
    all.extend(arguments);
    let packages = packages.display().to_string();
    let user = nats_url
        .split("//")
        .nth(1)
        .and_then(|rest| rest.split(':').next());
    let inbox = format!("_INBOX.{}", user.expect("the URL has a login"));
    let environment = [
        ("NATS_URL", nats_url),
        ("NATS_INBOX_PREFIX", inbox.as_str()),
        ("PYTHONPATH", packages.as_str()),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ];
    Process::spawn_with(name, directory, Path::new(&python), all, &environment)
}
