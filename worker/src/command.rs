//! Environment of a job's command, and the meaning of its exit.

use std::ffi::OsString;
use std::path::PathBuf;

use bytes::Bytes;
use rolecast_common::assignment::Assignment;
use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::WallTime;
use rolecast_common::trace::{HEADER_TRACEPARENT, HEADER_TRACESTATE, TraceContext};
use rolecast_common::unit::Bytes as ByteCount;
use rolecast_common::wire::{LOG_LEN_MAX, OutcomeStatus};

use crate::agent::Failure;
use crate::confinement::Confinement;

/// Output kept of a command unless its category sets another limit: three quarters of a
/// NATS message of default size. Output that is cut is of no use to its requester, and
/// memory is taken only by output that exists. An object store would hold more, but needs
/// rights to streams and inboxes that a worker need not have.
pub(crate) const OUTPUT_MAX_DEFAULT: ByteCount = ByteCount::from_kib(768);
/// The most output a category may keep: an outcome and its record must fit a message of
/// 1 MiB with the reasons of failed attempts and everything else.
pub(crate) const OUTPUT_MAX: ByteCount = ByteCount::from_kib(960);
/// Bytes of the end of stderr that become part of the reason.
const REASON_STDERR_MAX: usize = 2048;
/// The variable with the number of the descriptor on which a command reports its progress.
pub(crate) const PROGRESS_FD_NAME: &str = "ROLECAST_PROGRESS_FD";
/// That number. Shells redirect to numbers of one digit only. Of these the worker always has
/// this one open itself, so that no descriptor of a child that starts is in its place.
pub(crate) const PROGRESS_FD: i32 = 3;

/// The longest header `tracestate` that is passed on: the standard asks for 512 at least.
const TRACESTATE_MAX: usize = 4096;

/// Exit code that asks the worker to try the job again (`EX_TEMPFAIL` of sysexits.h).
const EXIT_RETRY: i32 = 75;
/// Exit codes for a wrong input of the job (`EX_USAGE`, `EX_DATAERR`): trying again is of
/// no use.
const EXIT_GIVE_UP: [i32; 2] = [64, 65];

/// A program and its settings, all from the worker's own configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    /// An absolute path.
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Its whole environment, except for the variables that describe the job.
    pub(crate) environment: Vec<(String, OsString)>,
    pub(crate) directory: Option<PathBuf>,
    /// Output beyond this is read and dropped.
    pub(crate) output_max: usize,
    pub(crate) keep_stderr: KeepStderr,
    /// The user and limits of a job's command; `None` leaves it those of the worker
    /// itself.
    pub(crate) confinement: Option<Confinement>,
}

impl Command {
    /// Returns the most memory that it may use.
    pub(crate) fn memory_max(&self) -> Option<ByteCount> {
        self.confinement.as_ref()?.limits.memory_max
    }
}

/// The attempts of which the end of stderr is kept as their log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeepStderr {
    Never,
    /// Of those that failed.
    #[default]
    Failed,
    Always,
}

impl KeepStderr {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "never" => Some(KeepStderr::Never),
            "failed" => Some(KeepStderr::Failed),
            "always" => Some(KeepStderr::Always),
            _ => None,
        }
    }

    /// Returns the bytes of stderr that are kept while a command runs.
    pub(crate) fn tail_len(self) -> usize {
        match self {
            KeepStderr::Never => REASON_STDERR_MAX,
            KeepStderr::Failed | KeepStderr::Always => LOG_LEN_MAX,
        }
    }

    /// Returns whether the log of an attempt is kept.
    pub(crate) fn keeps(self, has_failed: bool) -> bool {
        match self {
            KeepStderr::Never => false,
            KeepStderr::Failed => has_failed,
            KeepStderr::Always => true,
        }
    }
}

/// Returns the variables that describe its job to a command.
pub(crate) fn job_environment(
    node: &NodeId,
    roles: &[Role],
    assignment: &Assignment,
    deadline: Option<WallTime>,
) -> Vec<(&'static str, String)> {
    let roles: Vec<&str> = roles.iter().map(Role::as_str).collect();
    let mut variables = vec![
        ("ROLECAST_JOB_ID", assignment.job().to_string()),
        ("ROLECAST_ATTEMPT", assignment.attempt().to_string()),
        ("ROLECAST_CATEGORY", assignment.category().to_string()),
        ("ROLECAST_NODE", node.to_string()),
        ("ROLECAST_ROLES", roles.join(",")),
    ];
    if let Some(deadline) = deadline {
        variables.push(("ROLECAST_DEADLINE", deadline.to_string()));
    }
    variables
}

/// Returns the variables that put a command's own spans below its job's, from the headers
/// of the job: those that programs of OpenTelemetry read.
pub(crate) fn trace_environment<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<(&'static str, String)> {
    let (mut parent, mut state) = (None, None);
    for (name, value) in headers {
        if name.eq_ignore_ascii_case(HEADER_TRACEPARENT) {
            parent = parent.or_else(|| TraceContext::parse(value));
        } else if name.eq_ignore_ascii_case(HEADER_TRACESTATE) && value.len() <= TRACESTATE_MAX {
            state = state.or_else(|| Some(one_line(value)));
        }
    }
    let Some(parent) = parent else {
        return Vec::new();
    };
    let state = state.map(|state| ("TRACESTATE", state));
    let parent = [("TRACEPARENT", parent.to_string())];
    parent.into_iter().chain(state).collect()
}

/// Beginning of the reason of a job that this host is unable to run: its program cannot
/// be started, or there are no threads, processes or files left for it. The dispatcher
/// counts that against the host, not against the job.
pub(crate) const UNABLE: &str = "unable: ";
/// Text on stderr, with [`EXIT_CANNOT_RUN`], if the program could not be started.
pub(crate) const CANNOT_RUN: &str = "rolecast-worker: cannot run ";
/// Exit code of shells for a command that cannot be run.
pub(crate) const EXIT_CANNOT_RUN: i32 = 127;

/// Exit code of shells for a command that SIGKILL ended.
const EXIT_KILLED: i32 = 128 + 9;

/// The end of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    /// Killed by the signal of this name.
    Signal(String),
}

/// Returns the outcome of a job from the end of its command, with the reason.
pub(crate) fn verdict(exit: &Exit, stderr_tail: &[u8]) -> (OutcomeStatus, String) {
    let start = stderr_tail.len().saturating_sub(REASON_STDERR_MAX);
    let stderr_tail = &stderr_tail[start..];
    let (status, what) = match exit {
        Exit::Code(0) => return (OutcomeStatus::Completed, String::new()),
        Exit::Code(EXIT_CANNOT_RUN) if stderr_tail.starts_with(CANNOT_RUN.as_bytes()) => {
            let message = one_line(&String::from_utf8_lossy(stderr_tail));
            let message = message.trim_start_matches("rolecast-worker: ");
            return (OutcomeStatus::Refused, format!("{UNABLE}{message}"));
        }
        Exit::Code(code) if EXIT_GIVE_UP.contains(code) => {
            (OutcomeStatus::GiveUp, format!("exit code {code}"))
        }
        Exit::Code(EXIT_RETRY) => (
            OutcomeStatus::Retry,
            format!("exit code {EXIT_RETRY}, try again"),
        ),
        Exit::Code(code) => (OutcomeStatus::Retry, format!("exit code {code}")),
        Exit::Signal(name) => (OutcomeStatus::Retry, format!("killed by {name}")),
    };
    let message = one_line(&String::from_utf8_lossy(stderr_tail));
    if message.is_empty() {
        return (status, what);
    }
    (status, format!("{what}: {message}"))
}

/// Returns the way in which a command failed by itself.
pub(crate) fn failure(exit: &Exit, status: OutcomeStatus) -> Option<Failure> {
    match (status, exit) {
        (OutcomeStatus::Completed, _) => None,
        (OutcomeStatus::Refused, _) => Some(Failure::NotStarted),
        (_, Exit::Code(_)) => Some(Failure::ExitCode),
        (_, Exit::Signal(_)) => Some(Failure::Signal),
    }
}

/// Whether this may be the end of a command of which the kernel killed a process: itself,
/// or one whose end a shell reports as its own.
pub(crate) fn may_be_killed(exit: &Exit) -> bool {
    match exit {
        Exit::Code(code) => *code == EXIT_KILLED,
        Exit::Signal(name) => name == "SIGKILL",
    }
}

/// Returns the reason of a failed command of which a process was killed for lack of memory:
/// at its own limit, or with none left to the worker.
pub(crate) fn out_of_memory(limit: Option<ByteCount>, reason: &str) -> String {
    match limit {
        Some(limit) => format!("memory_max of {limit} reached: {reason}"),
        None => format!("the host or the worker's control group is out of memory: {reason}"),
    }
}

/// Joins the lines of a text and drops characters that would disturb a log or a header.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let joined = lines.join(" | ");
    joined
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The last bytes of a stream.
#[derive(Debug)]
pub(crate) struct Tail {
    len_max: usize,
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Tail {
    /// Keeps at most this many bytes.
    pub(crate) fn new(len_max: usize) -> Self {
        Self {
            len_max,
            bytes: Vec::new(),
            is_cut: false,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Trimmed at twice the size, so that each byte is moved once at most.
        if self.bytes.len() > 2 * self.len_max {
            self.trim();
        }
    }

    /// Returns the bytes, and whether there were more before them.
    pub(crate) fn finish(mut self) -> (Bytes, bool) {
        self.trim();
        (self.bytes.into(), self.is_cut)
    }

    fn trim(&mut self) {
        let excess = self.bytes.len().saturating_sub(self.len_max);
        self.bytes.drain(..excess);
        self.is_cut |= excess > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_mean_what_the_documents_say() {
        for (code, status) in [
            (0, OutcomeStatus::Completed),
            (75, OutcomeStatus::Retry),
            (64, OutcomeStatus::GiveUp),
            (65, OutcomeStatus::GiveUp),
            (1, OutcomeStatus::Retry),
            (127, OutcomeStatus::Retry),
        ] {
            assert_eq!(verdict(&Exit::Code(code), b"").0, status, "{code}");
        }
    }

    #[test]
    fn a_failure_is_an_exit_code_a_signal_or_no_start() {
        let signal = Exit::Signal("SIGTERM".to_owned());
        for (exit, status, expected) in [
            (Exit::Code(0), OutcomeStatus::Completed, None),
            (
                Exit::Code(65),
                OutcomeStatus::GiveUp,
                Some(Failure::ExitCode),
            ),
            (signal, OutcomeStatus::Retry, Some(Failure::Signal)),
            (
                Exit::Code(127),
                OutcomeStatus::Refused,
                Some(Failure::NotStarted),
            ),
        ] {
            assert_eq!(failure(&exit, status), expected, "{exit:?}");
        }
    }

    #[test]
    fn a_program_that_could_not_be_started_is_the_hosts_inability() {
        let tail = format!("{CANNOT_RUN}/usr/bin/x: No such file or directory\n");
        let (status, reason) = verdict(&Exit::Code(127), tail.as_bytes());
        assert_eq!(status, OutcomeStatus::Refused);
        let expected = "unable: cannot run /usr/bin/x: No such file or directory";
        assert_eq!(reason, expected);
        // Text of the command itself, or another exit code, is the job's failure.
        let (status, _) = verdict(&Exit::Code(127), b"sh: 1: cannot run x: not found");
        assert_eq!(status, OutcomeStatus::Retry);
        assert_eq!(
            verdict(&Exit::Code(1), tail.as_bytes()).0,
            OutcomeStatus::Retry
        );
    }

    #[test]
    fn the_reason_is_one_line_with_the_end_of_stderr() {
        let (_, reason) = verdict(&Exit::Code(1), b"warning: x\n\n error:\ty\r\n");
        assert_eq!(reason, "exit code 1: warning: x | error: y");
        let (status, reason) = verdict(&Exit::Signal("SIGKILL".to_owned()), b"");
        assert_eq!(
            (status, reason.as_str()),
            (OutcomeStatus::Retry, "killed by SIGKILL")
        );
    }

    #[test]
    fn the_tail_keeps_the_last_bytes() {
        let mut tail = Tail::new(LOG_LEN_MAX);
        let mut whole = Vec::new();
        for n in 0..50_000u32 {
            let line = format!("{n}\n");
            tail.push(line.as_bytes());
            whole.extend_from_slice(line.as_bytes());
        }
        let (kept, is_cut) = tail.finish();
        assert!(is_cut);
        assert_eq!(kept, whole[whole.len() - LOG_LEN_MAX..]);
        let mut tail = Tail::new(LOG_LEN_MAX);
        tail.push(&whole[..LOG_LEN_MAX]);
        assert_eq!(tail.finish(), (whole[..LOG_LEN_MAX].to_vec().into(), false));
    }

    #[test]
    fn a_command_joins_the_trace_of_its_job() {
        let value = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let headers = [("Traceparent", value), ("tracestate", "a=1"), ("x", "y")];
        let expected = [
            ("TRACEPARENT", value.to_owned()),
            ("TRACESTATE", "a=1".to_owned()),
        ];
        assert_eq!(trace_environment(headers), expected);
        assert_eq!(trace_environment([("traceparent", "no")]), []);
        // A state without its trace is of no use.
        assert_eq!(trace_environment([("tracestate", "a=1")]), []);
        let long = "x".repeat(TRACESTATE_MAX + 1);
        let headers = [("traceparent", value), ("tracestate", &long)];
        assert_eq!(trace_environment(headers), expected[..1]);
    }

    #[test]
    fn a_command_learns_about_its_job() {
        let assignment = "7.ocr.job-1.3.$JS.ACK.S.c.1.2.3.4.5".parse().unwrap();
        let node = NodeId::new("n1").unwrap();
        let roles = ["leader", "backup"].map(|role| Role::new(role).unwrap());
        let deadline = Some(WallTime::from_millis(0));
        let variables = job_environment(&node, &roles, &assignment, deadline);
        for (name, value) in [
            ("ROLECAST_JOB_ID", "job-1"),
            ("ROLECAST_ATTEMPT", "3"),
            ("ROLECAST_CATEGORY", "ocr"),
            ("ROLECAST_NODE", "n1"),
            ("ROLECAST_ROLES", "leader,backup"),
            ("ROLECAST_DEADLINE", "1970-01-01T00:00:00.000Z"),
        ] {
            assert!(variables.contains(&(name, value.to_owned())), "{name}");
        }
    }
}
