//! Ends the processes of an execution that left its process group, as `setsid` does.
//!
//! 1. While the command lives, its descendants are found by their parents.
//! 2. A process whose parent has ended belongs to nobody. It is found by its environment,
//!    which names the job, the attempt and the node, unless the process has erased it.
//!    The kernel does not show the environment of other users' processes.
//! 3. A process that is found may have started another meanwhile, so the search is
//!    repeated until nothing is found, [`ROUNDS_MAX`] times at most.

use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// Guessed: a process that multiplies faster than it is found is not stopped by more.
#[cfg(target_os = "linux")]
const ROUNDS_MAX: usize = 5;

/// Variables that together name one execution on a host.
#[cfg(target_os = "linux")]
const MARKS: [&str; 3] = ["ROLECAST_JOB_ID", "ROLECAST_ATTEMPT", "ROLECAST_NODE"];

/// Sends a signal to the processes of the command that are not in its group.
#[cfg(target_os = "linux")]
pub(super) fn signal(group: Pid, variables: &[(&'static str, String)], signal: Signal) {
    for id in find(group, variables) {
        // It may be gone already, which is the aim.
        let _ = nix::sys::signal::kill(id, signal);
    }
}

/// Kills the remaining processes of a command that has ended.
#[cfg(target_os = "linux")]
pub(super) fn end(group: Pid, variables: &[(&'static str, String)]) {
    for _ in 0..ROUNDS_MAX {
        let found = find(group, variables);
        if found.is_empty() {
            return;
        }
        for id in found {
            let _ = nix::sys::signal::kill(id, Signal::SIGKILL);
        }
    }
}

#[cfg(target_os = "linux")]
fn find(group: Pid, variables: &[(&'static str, String)]) -> Vec<Pid> {
    use std::collections::BTreeSet;

    use super::processes::Table;
    use crate::usage::process::{Process, trees};

    let Ok(mut table) = Table::new() else {
        return Vec::new();
    };
    let processes = table.all();
    let root = u32::try_from(group.as_raw()).unwrap_or(0);
    let trees = trees(&processes, &BTreeSet::from([root]));
    let descendants: BTreeSet<u32> = trees.into_values().flatten().collect();
    let marks = marks(variables);
    let belongs =
        |process: &&Process| descendants.contains(&process.id) || is_marked(process.id, &marks);
    let escaped = processes.iter().filter(|process| process.group != root);
    let escaped = escaped.filter(|process| process.id != std::process::id());
    let ids = escaped.filter(belongs).map(|process| process.id);
    ids.filter_map(|id| i32::try_from(id).ok())
        .map(Pid::from_raw)
        .collect()
}

/// Returns the entries of an environment that only this execution's processes have; none
/// for a command that is no job's.
#[cfg(target_os = "linux")]
fn marks(variables: &[(&'static str, String)]) -> Vec<String> {
    let marks = MARKS.iter().filter_map(|mark| {
        let (name, value) = variables.iter().find(|(name, _)| name == mark)?;
        Some(format!("{name}={value}"))
    });
    let marks: Vec<String> = marks.collect();
    if marks.len() == MARKS.len() {
        marks
    } else {
        Vec::new()
    }
}

#[cfg(target_os = "linux")]
fn is_marked(id: u32, marks: &[String]) -> bool {
    if marks.is_empty() {
        return false;
    }
    // A process that has ended and was not waited for has no environment.
    let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    let entries = || environment.split(|byte| *byte == 0);
    let is_there = |mark: &String| entries().any(|entry| entry == mark.as_bytes());
    marks.iter().all(is_there)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn signal(_: Pid, _: &[(&'static str, String)], _: Signal) {}

#[cfg(not(target_os = "linux"))]
pub(super) fn end(_: Pid, _: &[(&'static str, String)]) {}
