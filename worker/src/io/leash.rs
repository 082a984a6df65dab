//! Makes a command die with its worker, even if the worker is killed, and run confined.
//!
//! Linux can signal a process when its parent dies, but only the process itself can ask
//! for that; and only it can give up rights of its user. So the worker starts its own
//! program again, which takes its steps from its arguments ([`Steps`]), asks for the
//! signal, makes sure that it was not too late, and then becomes the command. The signal
//! is bound to the thread that started the process; the thread that runs a command
//! therefore lives until the command has ended.
//!
//! A descriptor beyond the standard ones can only be passed on by a copy of the whole worker
//! (fork), which takes longer than the rest of the start. So the process opens the pipe for its
//! progress itself, by its name among the descriptors of the worker.

use std::io::PipeWriter;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::Command;

use super::groups::{Groups, OwnGroup};
use crate::confinement::Steps;
#[cfg(target_os = "linux")]
pub use linux::run_if_leashed;

/// Marks a process that is to become a command. It is not an option for people.
const MARK: &str = "__become";
/// Precedes the command; without one the process only shows that it could become one.
const COMMAND: &str = "--";
/// Output of a process that could become a command.
pub(super) const READY: &str = "ready\n";

/// Settings for the start of commands.
#[derive(Debug, Default)]
pub(super) struct Leash {
    /// Whether commands are on a leash; otherwise nothing confines them.
    pub(super) is_on: bool,
    /// Control groups for the commands with limits.
    pub(super) groups: Option<Groups>,
    /// The group of the commands without limits.
    pub(super) own_group: OwnGroup,
}

impl Leash {
    /// Whether a command takes steps before it runs.
    pub(super) fn holds(&self) -> bool {
        self.is_on && cfg!(target_os = "linux")
    }
}

/// Does nothing: where there are no leashes, nothing asks for one.
#[cfg(not(target_os = "linux"))]
pub fn run_if_leashed() {}

/// Returns the command that becomes `program` on a leash, or `program` itself
/// where there are no leashes.
pub(super) fn command(program: &std::path::Path, steps: &Steps, leash: &Leash) -> Command {
    if !leash.holds() {
        return Command::new(program);
    }
    let mut command = own_program(steps);
    command.arg(COMMAND).arg(program);
    command
}

/// Returns the name by which another process opens a pipe of this one.
pub(super) fn name_of(pipe: &PipeWriter) -> PathBuf {
    let worker = std::process::id();
    PathBuf::from(format!("/proc/{worker}/fd/{}", pipe.as_raw_fd()))
}

/// Returns the command that takes the steps, prints [`READY`] and waits for its end.
pub(super) fn rehearsal(steps: &Steps) -> Command {
    own_program(steps)
}

fn own_program(steps: &Steps) -> Command {
    // The link stays right when the file is replaced by a newer version.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg(MARK)
        .arg(std::process::id().to_string())
        .args(steps.words());
    command
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::fmt::Display;
    use std::fs::{self, File, OpenOptions};
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;
    use std::process::Command;

    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    use nix::sys::prctl::set_pdeathsig;
    use nix::sys::signal::Signal;
    use nix::unistd::{Gid, Uid, getppid, setgroups, setresgid, setresuid};
    use rustix::thread::{CapabilitySet, CapabilitySets};

    use super::{COMMAND, MARK, READY};
    use crate::command::{CANNOT_RUN, EXIT_CANNOT_RUN, PROGRESS_FD_NAME};
    use crate::confinement::{Ids, Steps};

    /// Becomes the command that the arguments of this process name, if they name one: it
    /// then does not return.
    ///
    /// A program that runs commands by [`Worker::from_config`] calls this first in `main`:
    /// the worker starts its own program once more for each command, which so ends with the
    /// worker and takes on its user and limits.
    ///
    /// [`Worker::from_config`]: crate::Worker::from_config
    pub fn run_if_leashed() {
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().is_some_and(|first| first == MARK) {
            let reason = become_command(arguments);
            report(&reason);
            std::process::exit(EXIT_CANNOT_RUN);
        }
    }

    #[allow(
        clippy::print_stderr,
        reason = "stderr is where the worker takes the reason from"
    )]
    fn report(reason: &str) {
        eprintln!("{reason}");
    }

    /// Returns only to report why it failed.
    fn become_command(mut arguments: impl Iterator<Item = OsString>) -> String {
        let parent = arguments
            .next()
            .and_then(|id| id.to_str()?.parse::<i32>().ok());
        let mut steps = Steps::default();
        let mut program = None;
        while let Some(word) = arguments.next() {
            if word == COMMAND {
                program = arguments.next();
                break;
            }
            if !word.to_str().is_some_and(|word| steps.take(word)) {
                return format!("{CANNOT_RUN}it: {} is no step", word.display());
            }
        }
        let progress = match take(&steps) {
            Ok(progress) => progress,
            Err(reason) => return format!("{CANNOT_RUN}it: {reason}"),
        };
        // Another user's process forgets the signal that it asked for, so this step is
        // last.
        let asked = set_pdeathsig(Signal::SIGKILL);
        let is_orphan = parent != Some(getppid().as_raw());
        if is_orphan || asked.is_err() {
            return "rolecast-worker: the worker is gone".to_owned();
        }
        match program {
            Some(program) => {
                let mut command = Command::new(&program);
                if let Some(pipe) = &progress {
                    command.env(PROGRESS_FD_NAME, pipe.as_raw_fd().to_string());
                }
                let error = command.args(arguments).exec();
                format!("{CANNOT_RUN}{}: {error}", program.display())
            }
            None => wait_for_end(),
        }
    }

    fn wait_for_end() -> String {
        let mut stdout = std::io::stdout();
        let said = stdout.write_all(READY.as_bytes());
        let said = said.and_then(|()| stdout.flush());
        let heard = std::io::stdin().read(&mut [0]);
        match said.and(heard) {
            Ok(_) => std::process::exit(0),
            Err(error) => error.to_string(),
        }
    }

    /// Takes the steps; returns the pipe for the progress.
    fn take(steps: &Steps) -> Result<Option<File>, String> {
        if let Some(file) = &steps.group {
            fs::write(file, "0").map_err(because("it cannot join its control group"))?;
        }
        if let Some(score) = steps.oom_score {
            // If the kernel refuses it, the job runs anyway.
            let _ = fs::write("/proc/self/oom_score_adj", score.to_string());
        }
        if steps.nice > 0 {
            rustix::process::nice(i32::from(steps.nice)).map_err(because("nice"))?;
        }
        let progress = steps.progress.as_deref().map(open_progress).transpose()?;
        if let Some(user) = &steps.user {
            change_user(user)?;
        }
        for path in &steps.secrets {
            must_not_read(path)?;
        }
        Ok(progress)
    }

    /// Opens the pipe as a descriptor that the command inherits: the first free one, 3. If the
    /// system refuses it, as with a strict policy on `/proc`, the job runs and nobody sees its
    /// progress.
    fn open_progress(path: &Path) -> Result<File, String> {
        let open = |path: &Path| OpenOptions::new().write(true).open(path);
        let pipe = open(path).or_else(|_| open(Path::new("/dev/null")));
        let pipe = pipe.map_err(because("no descriptor for its progress"))?;
        let inherited = FcntlArg::F_SETFD(FdFlag::empty());
        fcntl(&pipe, inherited).map_err(because("its progress"))?;
        Ok(pipe)
    }

    /// Changes the user for good: no way back is left, and no capability.
    fn change_user(user: &Ids) -> Result<(), String> {
        let advice = "the worker may not run jobs as another user: run it as root, or with the \
             capabilities CAP_SETUID, CAP_SETGID and CAP_KILL";
        let refused = |error| format!("{advice}: {error}");
        let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        setgroups(&groups).map_err(refused)?;
        setresgid(gid, gid, gid).map_err(refused)?;
        setresuid(uid, uid, uid).map_err(refused)?;
        if uid.is_root() {
            return Ok(());
        }
        // A process that was not root keeps what it had.
        rustix::thread::clear_ambient_capability_set().map_err(because("capabilities"))?;
        let none = CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, none).map_err(because("capabilities"))
    }

    fn must_not_read(path: &Path) -> Result<(), String> {
        let mut options = OpenOptions::new();
        // Opening a pipe would wait for its other end.
        options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
        let Ok(file) = options.open(path) else {
            return Ok(());
        };
        let path = path.display();
        Err(format!(
            "its user can read {path}{}, which holds this worker's login: chmod 600 {path}",
            mode(&file)
        ))
    }

    fn mode(file: &File) -> String {
        let mode = file.metadata().map(|found| found.mode() & 0o7777);
        mode.map_or(String::new(), |mode| format!(" (mode {mode:04o})"))
    }

    fn because<E: Display>(what: &str) -> impl FnOnce(E) -> String {
        move |error| format!("{what}: {error}")
    }
}
