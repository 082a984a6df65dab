//! Rehearsal: checks that this worker can run jobs as configured, before the first one.
//!
//! A process takes the steps that one of each category's jobs will take, tries to read
//! the files that hold the login, and is then killed. A fault found here would make each
//! job fail, or would leave jobs that cannot be stopped.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rolecast_common::id::Category;

use super::groups::{Groups, JobGroup};
use super::leash::{READY, rehearsal};
use crate::command::CANNOT_RUN;
use crate::confinement::{Confinement, Ids, Steps, oom_score};

/// Tries the steps that jobs of this category need; `secrets` are files that they must
/// not read if they run as another user.
pub(super) fn rehearse(
    category: &Category,
    confinement: &Confinement,
    groups: Option<&Groups>,
    secrets: &[PathBuf],
) -> anyhow::Result<()> {
    let group = match groups {
        Some(groups) if !confinement.limits.is_none() => Some(groups.create(&confinement.limits)?),
        Some(_) | None => None,
    };
    let is_other = confinement.user.is_some();
    let steps = Steps {
        secrets: secrets.iter().filter(|_| is_other).cloned().collect(),
        ..steps(confinement, group.as_ref(), None)
    };
    if steps == Steps::default() {
        return Ok(());
    }
    let child = rehearsal(&steps)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start a process");
    child.and_then(play).with_context(|| {
        let user = confinement.user.as_ref();
        let user = user.map_or(String::new(), |user| format!(" (run_as {})", user.name));
        format!("jobs of category {category}{user} cannot run as configured")
    })
}

/// Returns the steps of a job's process.
pub(super) fn steps(
    confinement: &Confinement,
    group: Option<&JobGroup>,
    own_oom_score: Option<i32>,
) -> Steps {
    Steps {
        group: group.map(JobGroup::processes),
        oom_score: own_oom_score.map(oom_score),
        nice: confinement.nice,
        progress: None,
        user: confinement.user.as_ref().map(Ids::from),
        secrets: Vec::new(),
    }
}

/// Returns the `oom_score_adj` of this worker, where the system reports it.
pub(super) fn own_oom_score() -> Option<i32> {
    let text = std::fs::read_to_string("/proc/self/oom_score_adj").ok()?;
    text.trim().parse().ok()
}

fn play(mut child: Child) -> anyhow::Result<()> {
    let mut said = String::new();
    let stdout = child.stdout.take().context("it has no stdout")?;
    BufReader::new(stdout).read_line(&mut said)?;
    if said != READY {
        let mut reason = String::new();
        let stderr = child.stderr.take().context("it has no stderr")?;
        // It prints one line at most.
        stderr.take(4096).read_to_string(&mut reason)?;
        child.wait()?;
        let reason = reason.trim().trim_start_matches(CANNOT_RUN);
        bail!("{}", reason.trim_start_matches("it: "));
    }
    let id = i32::try_from(child.id()).context("no process id")?;
    let killed = kill(Pid::from_raw(id), Signal::SIGKILL);
    // It ends by itself when nobody holds its stdin.
    drop(child.stdin.take());
    child.wait()?;
    killed.context(
        "the worker could not stop them: run it as root, or with the capability CAP_KILL too",
    )
}
