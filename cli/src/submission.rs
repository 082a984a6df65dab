//! Job as it is published to NATS: subject, headers and id.

use async_nats::HeaderMap;
use rolecast_common::id::{JobId, Sequence};
use rolecast_common::options::{
    self, HEADER_DEADLINE, HEADER_DELAY, HEADER_KEY, HEADER_MSG_ID, HEADER_REQUIRE, InvalidOption,
    Origin,
};
use rolecast_common::subjects::Source;
use rolecast_common::time::WallTime;
use rolecast_common::unit::Bytes;
use rolecast_nats::job_headers;

use crate::args::submit::Submit;

/// The published message without its payload.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    pub(crate) job: JobId,
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
}

/// Builds the submission; `fresh` is the id of a job without one.
pub(crate) fn build(
    submit: &Submit,
    fresh: JobId,
    now: WallTime,
) -> Result<Submission, InvalidOption> {
    let job = submit.id.clone().unwrap_or(fresh);
    let mut headers = HeaderMap::new();
    for (name, value) in &submit.headers {
        headers.append(name.as_str(), value.as_str());
    }
    headers.insert(HEADER_MSG_ID, job.as_str());
    for (name, value) in [
        (HEADER_DELAY, &submit.delay),
        (HEADER_DEADLINE, &submit.deadline),
        (HEADER_REQUIRE, &submit.require),
        (HEADER_KEY, &submit.key),
    ] {
        if let Some(value) = value {
            headers.insert(name, value.as_str());
        }
    }
    check(&headers, now)?;
    let source = Source {
        category: submit.category.clone(),
        priority: submit.priority,
    };
    Ok(Submission {
        job,
        subject: source.subject(),
        headers,
    })
}

/// Reads the options as the dispatcher will, so that a mistake is reported at once.
fn check(headers: &HeaderMap, now: WallTime) -> Result<(), InvalidOption> {
    let origin = Origin {
        sequence: Sequence::new(1),
        stored: now,
        stream_created: now,
    };
    options::parse(origin, &job_headers(Some(headers)))?;
    Ok(())
}

/// Returns the advice if the server would refuse the payload for its size.
pub(crate) fn oversize(payload_len: usize, max_payload: usize) -> Option<String> {
    if payload_len <= max_payload {
        return None;
    }
    let size = |bytes: usize| Bytes::new(u64::try_from(bytes).unwrap_or(u64::MAX));
    Some(format!(
        "the payload has {}, this server's max_payload is {}: \
         put the data where the worker can fetch it and submit its address",
        size(payload_len),
        size(max_payload),
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn build_line(line: &str) -> Result<Submission, InvalidOption> {
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Submit(submit) = arguments.command else {
            panic!("{line} is no submit");
        };
        let fresh = JobId::new("fresh").unwrap();
        build(&submit, fresh, WallTime::from_millis(1_000_000))
    }

    #[test]
    fn a_plain_job_has_its_id_as_only_header() {
        let submission = build_line("rolecast submit ocr").unwrap();
        assert_eq!(submission.subject, "rolecast.jobs.ocr");
        assert_eq!(submission.job.as_str(), "fresh");
        assert_eq!(submission.headers.len(), 1);
        assert_eq!(
            submission.headers.get(HEADER_MSG_ID).unwrap().as_str(),
            "fresh"
        );
    }

    #[test]
    fn wishes_become_headers_and_priority_the_subject() {
        let line = "rolecast submit ocr --id a1 --priority high --delay 30s --deadline 5m \
                    --require gpu=a100,zone --key customer-17 --header Language:de";
        let submission = build_line(line).unwrap();
        assert_eq!(submission.subject, "rolecast.jobs.ocr.high");
        for (name, value) in [
            (HEADER_MSG_ID, "a1"),
            (HEADER_DELAY, "30s"),
            (HEADER_DEADLINE, "5m"),
            (HEADER_REQUIRE, "gpu=a100,zone"),
            (HEADER_KEY, "customer-17"),
            ("Language", "de"),
        ] {
            assert_eq!(submission.headers.get(name).unwrap().as_str(), value);
        }
    }

    #[test]
    fn a_wish_nobody_can_read_is_refused_before_it_is_sent() {
        assert!(build_line("rolecast submit ocr --delay soon").is_err());
        assert!(build_line("rolecast submit ocr --deadline tomorrow").is_err());
        assert!(build_line("rolecast submit ocr --require GPU").is_err());
        assert!(build_line("rolecast submit ocr --delay 5m --deadline 90s").is_err());
        assert!(build_line("rolecast submit ocr --deadline 2026-01-31T12:00:00Z").is_ok());
    }

    #[test]
    fn a_payload_above_the_servers_limit_is_reported_before_it_is_sent() {
        assert_eq!(oversize(1024, 1024), None);
        let text = oversize(2 * 1024 * 1024, 1024 * 1024).unwrap();
        assert!(
            text.contains("2.0 MiB") && text.contains("1.0 MiB"),
            "{text}"
        );
    }
}
