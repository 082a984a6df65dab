//! Options of a job, which a producer sets in its headers.
//!
//! All are optional; a message without headers is a complete job. Names are read in any
//! case, and if a header has several lines, all count. An unknown name with our prefix is
//! refused: it was meant as an option, and would have no effect.

use std::time::Duration;

use crate::id::{JobId, Role, Sequence};
use crate::label::{Requirement, ShardKey};
use crate::time::{WallTime, parse_duration};
use crate::trace::{HEADER_PRODUCER, HEADER_TRACEPARENT, TraceContext};

/// Names the job; overrides `Nats-Msg-Id`. A dead job that is retried keeps its id by it.
pub const HEADER_JOB_ID: &str = "Rolecast-Job-Id";
/// The idempotency key: the server stores one message per key and window.
pub const HEADER_MSG_ID: &str = "Nats-Msg-Id";
/// The time after which the job is no longer wanted: RFC 3339, or a length since
/// submission.
pub const HEADER_DEADLINE: &str = "Rolecast-Deadline";
/// The earliest start of the job: a length since submission.
pub const HEADER_DELAY: &str = "Rolecast-Delay";
/// The labels that the node must have: `gpu=a100, zone=eu`; a name alone matches any
/// value.
pub const HEADER_REQUIRE: &str = "Rolecast-Require";
/// The shard key: jobs with the same key run best on the same node.
pub const HEADER_KEY: &str = "Rolecast-Key";
/// Set by the dispatcher on a job with a deadline: the length until then, which does not
/// depend on the worker's clock.
pub const HEADER_DEADLINE_IN: &str = "Rolecast-Deadline-In";
/// Set by the dispatcher on a job whose category has a time limit: that limit.
pub const HEADER_TIME_LIMIT: &str = "Rolecast-Time-Limit";
/// Set by the dispatcher on a job whose category is restricted to roles: a worker that
/// acts in none of these gives it back.
pub const HEADER_ROLES: &str = "Rolecast-Roles";
/// The reason why a job was dead-lettered, in one line.
pub const HEADER_REASON: &str = "Rolecast-Reason";
/// The failed attempts of a dead-lettered job, as JSON.
pub const HEADER_ATTEMPTS: &str = "Rolecast-Attempts";
/// The subject a dead-lettered job was published on.
pub const HEADER_SUBJECT: &str = "Rolecast-Subject";

/// Headers that a producer may set, for an error message to it.
const KNOWN: &str =
    "Rolecast-Job-Id, Rolecast-Deadline, Rolecast-Delay, Rolecast-Require and Rolecast-Key";
/// Headers of a dead letter. They have no effect on a job, and are present when somebody
/// publishes a dead letter again as it is.
const HEADERS_OF_THE_DEAD: [&str; 3] = [HEADER_REASON, HEADER_ATTEMPTS, HEADER_SUBJECT];
/// Headers that the dispatcher sets on the way to a node.
const HEADERS_RESERVED: [&str; 4] = [
    HEADER_ROLES,
    HEADER_DEADLINE_IN,
    HEADER_TIME_LIMIT,
    HEADER_PRODUCER,
];
/// The most roles that a job may be for: more than any category needs.
const ROLES_MAX: usize = 32;
/// The longest delay or deadline accepted: a year. A longer one is a typing error.
pub const HORIZON_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Options that the producer asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub job: JobId,
    pub deadline: Option<WallTime>,
    /// The earliest start of the job, if it was delayed.
    pub not_before: Option<WallTime>,
    /// Labels that its node must have.
    pub require: Requirement,
    /// Jobs with the same key run best on the same node.
    pub key: Option<ShardKey>,
    /// Its place in its producer's trace.
    pub trace: Option<TraceContext>,
}

impl Options {
    /// Returns the options of a job without headers.
    pub fn new(job: JobId) -> Self {
        Self {
            job,
            deadline: None,
            not_before: None,
            require: Requirement::default(),
            key: None,
            trace: None,
        }
    }
}

/// A header that cannot be used, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOption {
    #[error("header {header}: {value:?} is not {expected}")]
    Value {
        header: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error("header {header} has two lines that differ: {one:?} and {other:?}")]
    Ambiguous {
        header: &'static str,
        one: String,
        other: String,
    },
    #[error("unknown header {0:?}: a job may have {KNOWN}")]
    Unknown(String),
    #[error("header {0} is set by the dispatcher, not by a producer")]
    Reserved(&'static str),
    #[error("{HEADER_DELAY} {delay:?} is not shorter than {HEADER_DEADLINE} {deadline:?}")]
    DelayedBeyondDeadline { delay: String, deadline: String },
}

/// The headers of a job that have a meaning here: ours in any case, with all their lines.
/// The server reads `Nats-Msg-Id` in this spelling only, and its first line, and so does
/// this.
#[derive(Clone, Debug, Default)]
pub struct Headers<'a> {
    job_id: Single<'a>,
    message_id: Option<&'a str>,
    deadline: Single<'a>,
    delay: Single<'a>,
    key: Single<'a>,
    require: Vec<&'a str>,
    trace: Option<&'a str>,
    /// A header that only the dispatcher sets.
    reserved: Option<&'static str>,
    /// The first by the alphabet, so that the result does not depend on the order of
    /// lines.
    unknown: Option<&'a str>,
}

impl<'a> Headers<'a> {
    /// Selects them from all lines of a message.
    pub fn read(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in lines {
            if name == HEADER_MSG_ID {
                headers.message_id.get_or_insert(value);
            } else if is_ours(name) {
                headers.add(name, value);
            } else if name.eq_ignore_ascii_case(HEADER_TRACEPARENT) {
                headers.trace.get_or_insert(value);
            }
        }
        headers
    }

    fn add(&mut self, name: &'a str, value: &'a str) {
        let is = |header: &str| name.eq_ignore_ascii_case(header);
        if is(HEADER_JOB_ID) {
            self.job_id.add(value);
        } else if is(HEADER_DEADLINE) {
            self.deadline.add(value);
        } else if is(HEADER_DELAY) {
            self.delay.add(value);
        } else if is(HEADER_KEY) {
            self.key.add(value);
        } else if is(HEADER_REQUIRE) {
            self.require.push(value);
        } else if let Some(header) = HEADERS_RESERVED.into_iter().find(|header| is(header)) {
            self.reserved = Some(header);
        } else if !HEADERS_OF_THE_DEAD.into_iter().any(is) {
            let first = self.unknown.map_or(name, |known| known.min(name));
            self.unknown = Some(first);
        }
    }

    /// Refuses headers that a producer cannot mean.
    fn check(&self) -> Result<(), InvalidOption> {
        if let Some(name) = self.unknown {
            return Err(InvalidOption::Unknown(quoted(name)));
        }
        if let Some(header) = self.reserved {
            return Err(InvalidOption::Reserved(header));
        }
        Ok(())
    }
}

fn is_ours(name: &str) -> bool {
    const PREFIX: &[u8] = b"rolecast-";
    let start = name.as_bytes().get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// A header that has one value; equal lines are one.
#[derive(Clone, Copy, Debug, Default)]
struct Single<'a> {
    first: Option<&'a str>,
    differing: Option<&'a str>,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a str) {
        let first = *self.first.get_or_insert(value);
        if first != value {
            self.differing = Some(value);
        }
    }

    fn value(self, header: &'static str) -> Result<Option<&'a str>, InvalidOption> {
        match (self.first, self.differing) {
            (Some(one), Some(other)) => {
                let (one, other) = (one.min(other), one.max(other));
                Err(InvalidOption::Ambiguous {
                    header,
                    one: quoted(one),
                    other: quoted(other),
                })
            }
            (first, _) => Ok(first),
        }
    }
}

/// Position of a job in its stream, which names it if its producer did not.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub sequence: Sequence,
    pub stored: WallTime,
    pub stream_created: WallTime,
}

impl Origin {
    /// Returns the id of a job with these headers. If the id cannot be used, which
    /// [`parse`] refuses, the job has that of its position in the stream.
    pub fn job_id(self, headers: &Headers<'_>) -> JobId {
        self.named(headers)
            .unwrap_or_else(|_| self.sequence.job_id(self.stream_created))
    }

    fn named(self, headers: &Headers<'_>) -> Result<JobId, InvalidOption> {
        if let Some(value) = headers.job_id.value(HEADER_JOB_ID)? {
            return JobId::new(value)
                .map_err(|_| invalid(HEADER_JOB_ID, value, "a job id [A-Za-z0-9_-]{1,64}"));
        }
        // Any text may be an idempotency key, and some of these are ids.
        let by_message = headers.message_id.and_then(|value| JobId::new(value).ok());
        Ok(by_message.unwrap_or_else(|| self.sequence.job_id(self.stream_created)))
    }
}

/// Reads the options of a job.
pub fn parse(origin: Origin, headers: &Headers<'_>) -> Result<Options, InvalidOption> {
    headers.check()?;
    let job = origin.named(headers)?;
    let deadline = headers.deadline.value(HEADER_DEADLINE)?;
    let delay = headers.delay.value(HEADER_DELAY)?;
    let until = deadline.map(|value| parse_deadline(value, origin.stored));
    let until = until.transpose()?;
    let not_before = delay.map(|value| parse_delay(value, origin.stored));
    let not_before = not_before.transpose()?;
    if until
        .zip(not_before)
        .is_some_and(|(end, start)| end <= start)
    {
        return Err(InvalidOption::DelayedBeyondDeadline {
            delay: quoted(delay.unwrap_or_default()),
            deadline: quoted(deadline.unwrap_or_default()),
        });
    }
    let (require, key) = wishes(headers)?;
    Ok(Options {
        job,
        deadline: until,
        not_before,
        require,
        key,
        // An invalid one makes no job invalid: it belongs to whoever watches.
        trace: headers.trace.and_then(TraceContext::parse),
    })
}

/// Reads the label requirement of a job, and its shard key.
pub fn parse_wishes(
    headers: &Headers<'_>,
) -> Result<(Requirement, Option<ShardKey>), InvalidOption> {
    headers.check()?;
    wishes(headers)
}

fn wishes(headers: &Headers<'_>) -> Result<(Requirement, Option<ShardKey>), InvalidOption> {
    let require = match headers.require.as_slice() {
        [] => Requirement::default(),
        [line] => parse_require(line)?,
        // All lines count, as the elements of one list.
        lines => parse_require(&lines.join(","))?,
    };
    let key = headers.key.value(HEADER_KEY)?.map(parse_key).transpose()?;
    Ok((require, key))
}

/// Reads [`HEADER_ROLES`], or returns `None` if it does not list roles.
pub fn parse_roles(value: &str) -> Option<Vec<Role>> {
    let roles = value.split(',').take(ROLES_MAX);
    roles.map(|name| Role::new(name.trim()).ok()).collect()
}

/// Writes the value of [`HEADER_ROLES`].
pub fn format_roles(roles: &[Role]) -> String {
    let names: Vec<&str> = roles.iter().take(ROLES_MAX).map(Role::as_str).collect();
    names.join(",")
}

fn parse_deadline(value: &str, stored: WallTime) -> Result<WallTime, InvalidOption> {
    let length = parse_duration(value)
        .filter(|length| *length <= HORIZON_MAX)
        .map(|length| stored + length);
    length.or_else(|| WallTime::parse(value)).ok_or_else(|| {
        let expected = "an RFC 3339 time or a length such as 90s";
        invalid(HEADER_DEADLINE, value, expected)
    })
}

fn parse_delay(value: &str, stored: WallTime) -> Result<WallTime, InvalidOption> {
    parse_duration(value)
        .filter(|length| *length <= HORIZON_MAX)
        .map(|length| stored + length)
        .ok_or_else(|| invalid(HEADER_DELAY, value, "a length such as 90s, at most a year"))
}

fn parse_require(value: &str) -> Result<Requirement, InvalidOption> {
    Requirement::parse(value).ok_or_else(|| {
        let expected = "up to 8 labels such as gpu=a100, zone=eu";
        invalid(HEADER_REQUIRE, value, expected)
    })
}

fn parse_key(value: &str) -> Result<ShardKey, InvalidOption> {
    ShardKey::parse(value.trim())
        .ok_or_else(|| invalid(HEADER_KEY, value, "1 to 128 printable characters"))
}

fn invalid(header: &'static str, value: &str, expected: &'static str) -> InvalidOption {
    InvalidOption::Value {
        header,
        value: quoted(value),
        expected,
    }
}

/// An error message quotes at most this much of hostile input.
fn quoted(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_with(headers: &[(&str, &str)]) -> Result<Options, InvalidOption> {
        let origin = Origin {
            sequence: Sequence::new(42),
            stored: WallTime::from_millis(1_000_000),
            stream_created: WallTime::from_millis(500_000),
        };
        parse(origin, &Headers::read(headers.iter().copied()))
    }

    #[test]
    fn a_job_without_headers_is_complete() {
        let options = parse_with(&[]).unwrap();
        assert_eq!(options.job.as_str(), "42-1f4");
        assert_eq!((options.deadline, options.not_before), (None, None));
        assert_eq!((options.require, options.key), Default::default());
    }

    #[test]
    fn the_job_id_header_beats_the_message_id() {
        let both = [(HEADER_MSG_ID, "msg"), (HEADER_JOB_ID, "job")];
        assert_eq!(parse_with(&both).unwrap().job.as_str(), "job");
        assert_eq!(parse_with(&both[..1]).unwrap().job.as_str(), "msg");
    }

    #[test]
    fn a_message_id_that_is_no_job_id_leaves_the_job_unnamed() {
        let options = parse_with(&[(HEADER_MSG_ID, "order 7.*")]).unwrap();
        assert_eq!(options.job.as_str(), "42-1f4");
    }

    #[test]
    fn deadline_and_delay_count_from_submission() {
        let options = parse_with(&[(HEADER_DEADLINE, "90s"), (HEADER_DELAY, "5s")]).unwrap();
        assert_eq!(options.deadline, Some(WallTime::from_millis(1_090_000)));
        assert_eq!(options.not_before, Some(WallTime::from_millis(1_005_000)));
        let options = parse_with(&[(HEADER_DEADLINE, "2026-01-31T12:00:00Z")]).unwrap();
        assert_eq!(options.deadline, WallTime::parse("2026-01-31T12:00:00Z"));
    }

    #[test]
    fn a_job_may_ask_for_labels_and_have_a_key() {
        let headers = [
            (HEADER_REQUIRE, "zone=eu, gpu"),
            (HEADER_KEY, " customer-17"),
        ];
        let options = parse_with(&headers).unwrap();
        assert_eq!(options.require.to_string(), "gpu,zone=eu");
        assert_eq!(options.key.unwrap().as_str(), "customer-17");
    }

    #[test]
    fn a_trace_is_read_and_an_invalid_one_ignored() {
        let value = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let options = parse_with(&[("Traceparent", value)]).unwrap();
        assert_eq!(options.trace.unwrap().to_string(), value);
        let options = parse_with(&[("traceparent", "00-x")]).unwrap();
        assert_eq!(options.trace, None);
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named() {
        let error = parse_with(&[(HEADER_DELAY, "soon")]).unwrap_err();
        assert!(
            error.to_string().contains("Rolecast-Delay: \"soon\""),
            "{error}"
        );
        assert!(parse_with(&[(HEADER_DELAY, "900000h")]).is_err());
        let error = parse_with(&[(HEADER_REQUIRE, "GPU")]).unwrap_err();
        assert!(
            error.to_string().contains("Rolecast-Require: \"GPU\""),
            "{error}"
        );
        let error = parse_with(&[(HEADER_KEY, " ")]).unwrap_err();
        assert!(error.to_string().contains("Rolecast-Key: \" \""), "{error}");
    }

    #[test]
    fn names_are_read_in_any_case() {
        let headers = [
            ("rolecast-job-id", "a"),
            ("ROLECAST-DEADLINE", "90s"),
            ("rolecast-delay", "5s"),
            ("Rolecast-require", "gpu"),
            ("rolecast-KEY", "k"),
        ];
        let options = parse_with(&headers).unwrap();
        assert_eq!(options.job.as_str(), "a");
        assert_eq!(options.deadline, Some(WallTime::from_millis(1_090_000)));
        assert_eq!(options.not_before, Some(WallTime::from_millis(1_005_000)));
        assert_eq!(options.require.to_string(), "gpu");
        assert_eq!(options.key.unwrap().as_str(), "k");
        // The server deduplicates by the other spelling only.
        let options = parse_with(&[("nats-msg-id", "a")]).unwrap();
        assert_eq!(options.job.as_str(), "42-1f4");
    }

    #[test]
    fn a_name_that_begins_as_ours_and_is_none_is_refused() {
        for name in ["Rolecast-Foo", "rolecast-dedline", "ROLECAST-"] {
            let error = parse_with(&[(name, "5m")]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(error.contains("Rolecast-Deadline"), "{error}");
        }
        for name in [
            "rolecast-roles",
            "Rolecast-Deadline-In",
            "Rolecast-Time-Limit",
            "Rolecast-Traceparent",
        ] {
            let error = parse_with(&[(name, "1")]).unwrap_err();
            assert!(error.to_string().contains("by the dispatcher"), "{error}");
        }
        let others = [
            (HEADER_REASON, "exit code 1"),
            ("rolecast-attempts", "[]"),
            (HEADER_SUBJECT, "rolecast.jobs.ocr"),
            ("Rolecas", "x"),
            ("Rolecast\u{e9}", "x"),
        ];
        assert!(parse_with(&others).is_ok());
    }

    #[test]
    fn of_several_lines_all_count_or_none_does() {
        let labels = [(HEADER_REQUIRE, "zone=eu"), ("rolecast-require", "gpu")];
        let options = parse_with(&labels).unwrap();
        assert_eq!(options.require.to_string(), "gpu,zone=eu");
        for header in [HEADER_JOB_ID, HEADER_DEADLINE, HEADER_DELAY, HEADER_KEY] {
            assert!(
                parse_with(&[(header, "5m"), (header, "5m")]).is_ok(),
                "{header}"
            );
            let error = parse_with(&[(header, "6m"), (header, "5m")]).unwrap_err();
            let expected = format!("header {header} has two lines that differ: \"5m\" and \"6m\"");
            assert_eq!(error.to_string(), expected);
        }
        let contradiction = [(HEADER_REQUIRE, "zone=eu"), (HEADER_REQUIRE, "zone=us")];
        assert!(parse_with(&contradiction).is_err());
    }

    #[test]
    fn an_id_that_is_none_is_refused_and_the_job_has_that_of_its_place() {
        let headers = [(HEADER_JOB_ID, "order 7.*"), (HEADER_MSG_ID, "m")];
        let error = parse_with(&headers).unwrap_err();
        assert!(error.to_string().contains("order 7.*"), "{error}");
        let origin = Origin {
            sequence: Sequence::new(42),
            stored: WallTime::default(),
            stream_created: WallTime::from_millis(500_000),
        };
        assert_eq!(origin.job_id(&Headers::read(headers)).as_str(), "42-1f4");
    }

    #[test]
    fn a_job_that_would_expire_before_it_may_start_is_refused() {
        let error = parse_with(&[(HEADER_DELAY, "5m"), (HEADER_DEADLINE, "90s")]).unwrap_err();
        let expected = "Rolecast-Delay \"5m\" is not shorter than Rolecast-Deadline \"90s\"";
        assert_eq!(error.to_string(), expected);
        assert!(parse_with(&[(HEADER_DELAY, "90s"), (HEADER_DEADLINE, "90s")]).is_err());
        assert!(parse_with(&[(HEADER_DELAY, "89s"), (HEADER_DEADLINE, "90s")]).is_ok());
    }
}
