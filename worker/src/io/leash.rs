//! Makes a command die with its worker, even if the worker is killed.
//!
//! Linux can signal a process when its parent dies, but only the process itself
//! can ask for that. So the worker starts its own program again, which asks,
//! makes sure that it was not too late, and then becomes the command.
//! The signal is bound to the thread that started the process; the thread that
//! runs a command therefore lives until the command has ended.

use std::ffi::OsString;
use std::process::Command;

#[cfg(target_os = "linux")]
use crate::command::{CANNOT_RUN, EXIT_CANNOT_RUN};

/// Marks a process that is to become a command. It is not an option people use.
const MARK: &str = "__become";

/// Becomes the command that the arguments name, if they name one.
///
/// A program that wants its commands leashed calls this first in `main`.
pub fn run_if_leashed() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == MARK) {
        become_command(arguments);
    }
}

#[cfg(target_os = "linux")]
#[allow(
    clippy::print_stderr,
    reason = "stderr is where the worker takes the reason from"
)]
fn become_command(mut arguments: impl Iterator<Item = OsString>) {
    use std::os::unix::process::CommandExt as _;

    let parent = arguments
        .next()
        .and_then(|id| id.to_str()?.parse::<i32>().ok());
    let asked = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
    let is_orphan = parent != Some(nix::unistd::getppid().as_raw());
    let (Some(program), false, Ok(())) = (arguments.next(), is_orphan, asked) else {
        eprintln!("rolecast-worker: the worker is gone");
        std::process::exit(EXIT_CANNOT_RUN);
    };
    let error = Command::new(&program).args(arguments).exec();
    eprintln!("{CANNOT_RUN}{}: {error}", program.display());
    std::process::exit(EXIT_CANNOT_RUN);
}

#[cfg(not(target_os = "linux"))]
fn become_command(_: impl Iterator<Item = OsString>) {}

/// Returns the command that becomes `program` on a leash, or `program` itself
/// where there are no leashes.
pub(super) fn command(program: &std::path::Path, is_leashed: bool) -> Command {
    if !is_leashed || !cfg!(target_os = "linux") {
        return Command::new(program);
    }
    // The link stays right when the file is replaced by a newer version.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg(MARK)
        .arg(std::process::id().to_string())
        .arg(program);
    command
}
