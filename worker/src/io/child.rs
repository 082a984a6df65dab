//! Runs one command from start to end, on a thread of its own.
//!
//! 1. The command is started in its own process group, with a pipe for each standard
//!    stream, and one for its progress.
//! 2. The thread feeds stdin and reads the others as they become ready; it checks at
//!    least every [`CHECK_INTERVAL`] whether the command ended or is to stop.
//! 3. To stop: SIGTERM to the group, and to what left it (`escaped`), [`KILL_DELAY`]
//!    later SIGKILL.
//! 4. When the command itself has ended, what is left of its group is killed, and what it
//!    wrote is read for [`DRAIN_TIMEOUT`] at most: a process that left the group may hold
//!    the pipes open without end. Such a process is killed too if the command was
//!    stopped, and left alone if the command ended by itself. The end of its progress is
//!    not awaited.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use command_fds::{CommandFdExt as _, FdMapping};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rolecast_common::wire::{JobUsage, OutcomeStatus};
use wait4::{ResUse, Wait4 as _};

use super::escaped;
use super::gauge::Gauge;
use super::groups::JobGroup;
use super::leash::{self, Leash};
use super::processes;
use super::rehearsal::{own_oom_score, steps};
use super::report::{Finished, Report};
use super::streams::Streams;
use crate::agent::Failure;
use crate::command::{
    Command, Exit, KeepStderr, PROGRESS_FD, PROGRESS_FD_NAME, failure, may_be_killed,
    out_of_memory, verdict,
};
use crate::confinement::Steps;
use crate::progress::Reporter;

/// A stop is seen this late at most; ten checks a second cost almost nothing.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// The first check after the pipes closed: by then a command has mostly ended.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(1);
/// Time for a command to end in good order.
pub(super) const KILL_DELAY: Duration = Duration::from_secs(5);
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// Requests to stop a running command.
#[derive(Debug, Default)]
pub(super) struct Stop(AtomicU8);

const STOP_NOT: u8 = 0;
const STOP_ASK: u8 = 1;
const STOP_FORCE: u8 = 2;

impl Stop {
    /// Asks the command to end, and forces it after [`KILL_DELAY`].
    pub(super) fn ask(&self) {
        self.0.fetch_max(STOP_ASK, Ordering::Relaxed);
    }

    /// Kills the command.
    pub(super) fn force(&self) {
        self.0.fetch_max(STOP_FORCE, Ordering::Relaxed);
    }
}

/// One execution of a command.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) command: Arc<Command>,
    /// Variables that describe the job to the command.
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) payload: Bytes,
    pub(super) stop: Arc<Stop>,
    pub(super) gauge: Arc<Gauge>,
    pub(super) leash: Arc<Leash>,
    pub(super) reporter: Reporter,
}

/// Runs the command on its own thread.
pub(super) fn start(task: Task, report: Report) {
    let (sender, receiver) = mpsc::channel::<(Task, Report)>();
    let thread = std::thread::Builder::new().name("command".to_owned());
    let spawned = thread.spawn(move || {
        if let Ok((task, report)) = receiver.recv() {
            report.send(run(task));
        }
    });
    match spawned {
        Ok(_) => {
            // The thread waits for exactly this.
            let _ = sender.send((task, report));
        }
        Err(error) => {
            let reason = format!("cannot start a thread for the command: {error}");
            report.send(Finished::unable(&reason));
        }
    }
}

/// Runs the command to its end.
pub(super) fn run(task: Task) -> Finished {
    let group = match make_group(&task) {
        Ok(group) => group,
        Err(error) => {
            return Finished::unable(&format!("cannot make its control group: {error:#}"));
        }
    };
    let kills_before = task.leash.own_group.oom_kills();
    let Started {
        mut child,
        progress,
        theirs,
    } = match spawn(&task, group.as_ref()) {
        Ok(started) => started,
        // The command is this host's configuration alone, and no part of it the job's.
        Err(error) => return Finished::unable(&objection(&task.command, &error)),
    };
    let id = child.id();
    task.gauge.command_started(id);
    let command = &task.command;
    let streams = Streams::of(command, &mut child, task.payload, progress, task.reporter);
    let mut supervisor = Supervisor::new(child, command.keep_stderr, task.variables, streams);
    let ended = supervisor.supervise(&task.stop);
    drop(theirs);
    let cpu = ended.as_ref().map_or(Duration::ZERO, cpu);
    task.gauge.command_ended(id, cpu);
    let exit = ended.as_ref().ok().map(|ended| exit(ended.status));
    let finished = supervisor.finish(ended);
    let is_out_of_memory = match group {
        Some(group) => group.is_out_of_memory(),
        // Another process of the worker's may have been the one; none is known better.
        None => {
            exit.is_some_and(|exit| may_be_killed(&exit))
                && task.leash.own_group.oom_kills() > kills_before
        }
    };
    if !is_out_of_memory || finished.status == OutcomeStatus::Completed {
        return finished;
    }
    Finished {
        reason: out_of_memory(task.command.memory_max(), &finished.reason),
        failure: Some(Failure::Memory),
        ..finished
    }
}

/// Makes the group of a job that has limits.
fn make_group(task: &Task) -> anyhow::Result<Option<JobGroup>> {
    let limits = task.command.confinement.as_ref().map(|found| found.limits);
    let Some(limits) = limits.filter(|limits| !limits.is_none()) else {
        return Ok(None);
    };
    let groups = task.leash.groups.as_ref();
    let groups = groups.context("this worker has none")?;
    groups.create(&limits).map(Some)
}

/// Returns the reason why the command could not be started.
fn objection(command: &Command, error: &std::io::Error) -> String {
    let program = command.program.display();
    match &command.directory {
        // The system's error does not show which of the two is missing.
        Some(directory) if !directory.is_dir() => {
            let directory = directory.display();
            format!("cannot run {program}: its directory {directory} is not there")
        }
        Some(_) | None => format!("cannot run {program}: {error}"),
    }
}

/// A command that was started.
struct Started {
    child: Child,
    /// The pipe from which its progress is read.
    progress: PipeReader,
    /// Its other end, if the command opens it by its name: for as long as it may do so.
    theirs: Option<PipeWriter>,
}

fn spawn(task: &Task, group: Option<&JobGroup>) -> std::io::Result<Started> {
    let command = &task.command;
    let mut steps = match &command.confinement {
        Some(confinement) => steps(confinement, group, own_oom_score()),
        None => Steps::default(),
    };
    let (progress, theirs) = std::io::pipe()?;
    let (theirs, passed) = match task.leash.holds() {
        true => (Some(theirs), None),
        false => (None, Some(theirs)),
    };
    steps.progress = theirs.as_ref().map(leash::name_of);
    let mut process = leash::command(&command.program, &steps, &task.leash);
    process
        .args(&command.arguments)
        .env_clear()
        .envs(
            command
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .envs(task.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(passed) = passed {
        let passed = FdMapping {
            parent_fd: passed.into(),
            child_fd: PROGRESS_FD,
        };
        let process = process.env(PROGRESS_FD_NAME, PROGRESS_FD.to_string());
        let mapped = process.fd_mappings(vec![passed]);
        mapped.map_err(std::io::Error::other)?;
    }
    if let Some(directory) = &command.directory {
        process.current_dir(directory);
    }
    let mut child = process.spawn()?;
    let pipes = [
        child.stdin.as_ref().map(AsFd::as_fd),
        child.stdout.as_ref().map(AsFd::as_fd),
        child.stderr.as_ref().map(AsFd::as_fd),
        Some(progress.as_fd()),
    ];
    let set = pipes
        .into_iter()
        .flatten()
        .try_for_each(|pipe| fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop));
    if let Err(error) = set {
        child.kill()?;
        child.wait()?;
        return Err(error.into());
    }
    Ok(Started {
        child,
        progress,
        theirs,
    })
}

fn cpu(ended: &ResUse) -> Duration {
    ended.rusage.utime + ended.rusage.stime
}

/// A running command.
struct Supervisor {
    child: Child,
    group: Pid,
    /// Variables that describe the job to the command and to those that it starts.
    variables: Vec<(&'static str, String)>,
    streams: Streams,
    keep_stderr: KeepStderr,
    /// Bytes that it moved to and from disks, with those of its descendants that it
    /// waited for; zero if unknown.
    disk_bytes: u64,
    /// The strongest signal sent.
    signalled: u8,
    kill_at: Option<Instant>,
}

impl Supervisor {
    fn new(
        child: Child,
        keep_stderr: KeepStderr,
        variables: Vec<(&'static str, String)>,
        streams: Streams,
    ) -> Self {
        let id = i32::try_from(child.id()).expect("process ids are small positive numbers");
        Self {
            group: Pid::from_raw(id),
            variables,
            streams,
            keep_stderr,
            disk_bytes: 0,
            signalled: STOP_NOT,
            kill_at: None,
            child,
        }
    }

    /// Serves the command until it has ended, and ends its group.
    fn supervise(&mut self, stop: &Stop) -> std::io::Result<ResUse> {
        let mut interval = CHECK_INTERVAL_MIN;
        let ended = loop {
            // The system reports it for a command that ended until it is waited for.
            if let Some(moved) = processes::disk_of_ended(self.group) {
                self.disk_bytes = moved.get();
            }
            if let Some(ended) = self.child.try_wait4()? {
                break ended;
            }
            self.signal(stop.0.load(Ordering::Relaxed));
            if self.streams.is_open() {
                self.streams.exchange(CHECK_INTERVAL);
                continue;
            }
            self.streams.exchange(interval);
            interval = (interval * 2).min(CHECK_INTERVAL);
        };
        // The group's number stays taken as long as one member is left. If none is,
        // nothing can have got it in the meantime: numbers are used in turn first.
        let _ = killpg(self.group, Signal::SIGKILL);
        if self.signalled != STOP_NOT {
            escaped::end(self.group, &self.variables);
        }
        self.streams.close_stdin();
        let end = Instant::now() + DRAIN_TIMEOUT;
        while self.streams.is_open() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.streams.exchange(left);
        }
        Ok(ended)
    }

    fn signal(&mut self, wanted: u8) {
        let now = Instant::now();
        let is_overdue = self.kill_at.is_some_and(|at| at <= now);
        let wanted = if is_overdue { STOP_FORCE } else { wanted };
        if wanted <= self.signalled {
            return;
        }
        self.signalled = wanted;
        let signal = match wanted {
            STOP_ASK => Signal::SIGTERM,
            _ => Signal::SIGKILL,
        };
        self.kill_at.get_or_insert(now + KILL_DELAY);
        // Before the group: without its parents it is harder to find.
        escaped::signal(self.group, &self.variables, signal);
        // The group may be gone already, which is the aim.
        let _ = killpg(self.group, signal);
    }

    fn finish(self, ended: std::io::Result<ResUse>) -> Finished {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let reason = format!("cannot wait for its end: {error}");
                return Finished::of(OutcomeStatus::Retry, reason);
            }
        };
        let written = self.streams.finish();
        let exit = exit(ended.status);
        let (status, reason) = verdict(&exit, &written.log);
        // One that was stopped has failed, even if it ended in good order. It ran too long, or
        // was handed back or cancelled, and then nobody needs its failure.
        let failure = match self.signalled {
            STOP_NOT => failure(&exit, status),
            _ => Some(Failure::TimeLimit),
        };
        let has_failed = failure.is_some();
        let keeps_log = self.keep_stderr.keeps(has_failed);
        Finished {
            status,
            reason,
            failure,
            output: written.output.into(),
            output_truncated: written.is_truncated,
            log_truncated: keeps_log && written.is_log_truncated,
            log: match keeps_log {
                true => written.log,
                false => Bytes::new(),
            },
            usage: JobUsage {
                cpu_us: u64::try_from(cpu(&ended).as_micros()).unwrap_or(u64::MAX),
                // Never below what the worker itself had when it started it.
                memory_max: ended.rusage.maxrss,
                disk_bytes: self.disk_bytes,
                network_bytes: 0,
            },
        }
    }
}

fn exit(status: ExitStatus) -> Exit {
    if let Some(code) = status.code() {
        return Exit::Code(code);
    }
    let number = status.signal().unwrap_or(0);
    let known = Signal::try_from(number);
    Exit::Signal(known.map_or(format!("signal {number}"), |s| s.as_str().to_owned()))
}

#[cfg(test)]
mod tests;
