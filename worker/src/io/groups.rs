//! Control groups (version 2) that hold jobs to their limits, one for each job.
//!
//! 1. At its start the worker moves into a leaf below its own group, because a group that
//!    delegates its controllers may not have processes of its own.
//! 2. Each job with limits gets a leaf beside it, which its process joins before it
//!    becomes the command.
//! 3. When the command has ended, what is left in the leaf is killed, and the leaf
//!    removed. What a former start left is ended at the next one: its jobs are run again
//!    elsewhere.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::confinement::{GroupLimits, parse_oom_kills};
use crate::usage::cgroup;

/// The leaf that the worker itself is in.
const OWN: &str = "rolecast-worker";
/// Beginning of the names of the leaves of jobs.
const JOB: &str = "job-";
/// Names of that file, in version 2 and version 1.
const MEMORY_EVENTS: [&str; 2] = ["memory.events", "memory.oom_control"];
/// Number of tries to remove a leaf whose processes were killed, each after a notice of
/// the kernel or after 50 ms; guessed, and the next start tries too.
const REMOVALS_MAX: usize = 20;
const REMOVAL_WAIT_MS: u8 = 50;

const ADVICE: &str = "memory_max and cpu_max need a control group of version 2 that this \
worker may write (systemd: Delegate=yes in its unit); or remove them from the configuration";

/// The group below which jobs have theirs.
#[derive(Debug)]
pub(super) struct Groups {
    base: PathBuf,
    /// Names the next job's; never used twice.
    next: AtomicU64,
}

impl Groups {
    /// Takes the worker's own group over, for limits that need these controllers.
    pub(super) fn open(controllers: &BTreeSet<&'static str>) -> anyhow::Result<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let place = cgroup::locate_v2(&own, &mounts);
        place
            .context("this host has no control groups of version 2")
            .and_then(|place| Self::take_over(&place.directory, controllers))
            .context(ADVICE)
    }

    fn take_over(own: &Path, controllers: &BTreeSet<&'static str>) -> anyhow::Result<Self> {
        let is_leaf = own.file_name().is_some_and(|name| name == OWN);
        let base = match own.parent() {
            Some(parent) if is_leaf => parent,
            Some(_) | None => own,
        };
        let offered = base.join("cgroup.controllers");
        let offers = fs::read_to_string(&offered)
            .with_context(|| format!("{} cannot be read", offered.display()))?;
        let is_offered = |name: &&&str| offers.split_ascii_whitespace().any(|o| o == **name);
        if let Some(missing) = controllers.iter().find(|name| !is_offered(name)) {
            bail!(
                "{} has no {missing} controller: the groups above do not delegate it, or \
                control groups of version 1 use it",
                base.display()
            );
        }
        if !is_leaf {
            let leaf = base.join(OWN);
            create(&leaf)?;
            write(&leaf.join("cgroup.procs"), &std::process::id().to_string())?;
        }
        remove_left(base);
        let names: Vec<String> = controllers.iter().map(|name| format!("+{name}")).collect();
        write(&base.join("cgroup.subtree_control"), &names.join(" "))
            .context("controllers cannot be delegated; no other process may be in the group")?;
        Ok(Self {
            base: base.to_owned(),
            next: AtomicU64::new(1),
        })
    }

    /// Makes a group with these limits.
    pub(super) fn create(&self, limits: &GroupLimits) -> anyhow::Result<JobGroup> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let directory = self.base.join(format!("{JOB}{number}"));
        create(&directory)?;
        let group = JobGroup { directory };
        for setting in limits.settings() {
            let written = write(&group.directory.join(setting.file), &setting.value);
            if setting.is_required {
                written?;
            }
        }
        Ok(group)
    }
}

/// A job's own group, which ends with everything in it.
#[derive(Debug)]
pub(super) struct JobGroup {
    directory: PathBuf,
}

impl JobGroup {
    /// Returns the file that a process writes itself to, to be in the group.
    pub(super) fn processes(&self) -> PathBuf {
        self.directory.join("cgroup.procs")
    }

    /// Returns whether a process was killed at the group's limit of memory.
    pub(super) fn is_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.directory.join("memory.events"));
        events.is_ok_and(|text| parse_oom_kills(&text) > 0)
    }
}

impl Drop for JobGroup {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.directory) {
            let group = self.directory.display();
            tracing::warn!(event = "group_left", %group, "it is removed at the next start: {error}");
        }
    }
}

/// The control group that the worker is in itself, with the commands without limits.
#[derive(Debug, Default)]
pub(super) struct OwnGroup {
    /// The file in which the kernel counts events of memory, of either version of groups.
    events: Option<PathBuf>,
}

impl OwnGroup {
    /// Finds it, where there are control groups.
    pub(super) fn find() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let place = cgroup::locate(&own, &mounts).memory;
        // In version 2 a leaf without limits of its own has its events in the group above.
        let groups = place.iter().flat_map(|place| place.directories().take(2));
        let mut files = groups.flat_map(|group| MEMORY_EVENTS.map(|name| group.join(name)));
        Self {
            events: files.find(|file| file.exists()),
        }
    }

    #[cfg(test)]
    pub(super) fn with_events(events: PathBuf) -> Self {
        Self {
            events: Some(events),
        }
    }

    /// Returns how many of its processes were killed for lack of memory, of the group or of
    /// the host; 0 if nobody counts it.
    pub(super) fn oom_kills(&self) -> u64 {
        let text = self.events.as_ref().map(fs::read_to_string);
        text.map_or(0, |text| parse_oom_kills(&text.unwrap_or_default()))
    }
}

fn create(directory: &Path) -> anyhow::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        created => created.with_context(|| format!("{} cannot be made", directory.display())),
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("{text:?} to {}", file.display()))
}

fn remove_left(base: &Path) {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with(JOB) {
            let _ = remove(&entry.path());
        }
    }
}

/// Ends all processes of a group and removes it.
fn remove(directory: &Path) -> io::Result<()> {
    let mut events = File::open(directory.join("cgroup.events")).ok();
    let mut tries = 0;
    loop {
        let removed = fs::remove_dir(directory);
        let is_busy = removed
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::ResourceBusy);
        if !is_busy || tries >= REMOVALS_MAX {
            return removed;
        }
        tries += 1;
        end(directory);
        if let Some(events) = &mut events {
            // A change is reported relative to the last read.
            events.rewind()?;
            events.read_to_string(&mut String::new())?;
            let _ = poll(
                &mut [PollFd::new(events.as_fd(), PollFlags::POLLPRI)],
                PollTimeout::from(REMOVAL_WAIT_MS),
            );
        }
    }
}

fn end(directory: &Path) {
    if fs::write(directory.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    // Kernels before Linux 5.14.
    let processes = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    for id in processes.lines().filter_map(|line| line.parse().ok()) {
        let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests;
