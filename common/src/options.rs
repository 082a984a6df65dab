//! What a producer may ask of a job, in its headers.
//!
//! All are optional; a message without headers is a complete job.

use std::time::Duration;

use crate::id::{JobId, Role, Sequence};
use crate::label::{Requirement, ShardKey};
use crate::time::{WallTime, parse_duration};

/// Names the job; beats `Nats-Msg-Id`. A dead job that is retried keeps its id by it.
pub const HEADER_JOB_ID: &str = "Rolecast-Job-Id";
/// The idempotency key: the server stores one message per key and window.
pub const HEADER_MSG_ID: &str = "Nats-Msg-Id";
/// When the job is no longer wanted: RFC 3339, or a length since submission.
pub const HEADER_DEADLINE: &str = "Rolecast-Deadline";
/// How long after submission the job may start at the earliest: a length.
pub const HEADER_DELAY: &str = "Rolecast-Delay";
/// The labels that the node must have: `gpu=a100, zone=eu`; a name alone asks for any value.
pub const HEADER_REQUIRE: &str = "Rolecast-Require";
/// What jobs have in common that do best on one node.
pub const HEADER_KEY: &str = "Rolecast-Key";
/// Set by the dispatcher on a job with a deadline: how long it is until then, which does
/// not depend on the worker's clock.
pub const HEADER_DEADLINE_IN: &str = "Rolecast-Deadline-In";
/// Set by the dispatcher on a job whose category is restricted to roles: a worker that
/// acts in none of these gives it back.
pub const HEADER_ROLES: &str = "Rolecast-Roles";
/// Why a job was dead-lettered, in one line.
pub const HEADER_REASON: &str = "Rolecast-Reason";
/// The failed attempts of a dead-lettered job, as JSON.
pub const HEADER_ATTEMPTS: &str = "Rolecast-Attempts";
/// The subject a dead-lettered job was published on.
pub const HEADER_SUBJECT: &str = "Rolecast-Subject";

/// The most roles that a job may be for: more than any category has use for.
const ROLES_MAX: usize = 32;
/// The longest delay or deadline accepted: a year, beyond which it is a typing error.
pub const HORIZON_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// What the producer asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub job: JobId,
    pub deadline: Option<WallTime>,
    /// When the job may start at the earliest, if it was delayed.
    pub not_before: Option<WallTime>,
    /// What its node must be.
    pub require: Requirement,
    /// Jobs of one key are best run on one node.
    pub key: Option<ShardKey>,
}

/// A header whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {header}: {value:?} is not {expected}")]
pub struct InvalidOption {
    header: &'static str,
    value: String,
    expected: &'static str,
}

/// Where a job stands in its stream, which names it if its producer did not.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub sequence: Sequence,
    pub stored: WallTime,
    pub stream_created: WallTime,
}

impl Origin {
    /// Returns the id of a job with these headers, ignoring values that are no id.
    pub fn job_id<'a>(self, header: impl Fn(&str) -> Option<&'a str>) -> JobId {
        let named = |name: &str| header(name).and_then(|value| JobId::new(value).ok());
        named(HEADER_JOB_ID)
            .or_else(|| named(HEADER_MSG_ID))
            .unwrap_or_else(|| self.sequence.job_id(self.stream_created))
    }
}

/// Reads the options through `header`, which looks one header up.
pub fn parse<'a>(
    origin: Origin,
    header: impl Fn(&str) -> Option<&'a str>,
) -> Result<Options, InvalidOption> {
    let deadline = match header(HEADER_DEADLINE) {
        Some(value) => Some(parse_deadline(value, origin.stored)?),
        None => None,
    };
    let not_before = match header(HEADER_DELAY) {
        Some(value) => Some(parse_delay(value, origin.stored)?),
        None => None,
    };
    let (require, key) = parse_wishes(&header)?;
    Ok(Options {
        job: origin.job_id(header),
        deadline,
        not_before,
        require,
        key,
    })
}

/// Reads what a job asks of its node, and its shard key.
pub fn parse_wishes<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
) -> Result<(Requirement, Option<ShardKey>), InvalidOption> {
    let require = header(HEADER_REQUIRE).map(parse_require).transpose()?;
    let key = header(HEADER_KEY).map(parse_key).transpose()?;
    Ok((require.unwrap_or_default(), key))
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
    // An error message quotes at most this much of hostile input.
    let value = value.chars().take(80).collect();
    InvalidOption {
        header,
        value,
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_with(headers: &[(&str, &'static str)]) -> Result<Options, InvalidOption> {
        let origin = Origin {
            sequence: Sequence::new(42),
            stored: WallTime::from_millis(1_000_000),
            stream_created: WallTime::from_millis(500_000),
        };
        parse(origin, |name| {
            let found = headers.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| *value)
        })
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
}
