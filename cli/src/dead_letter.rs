//! Dead letter: a job as it is kept in ROLECAST_DEAD, and its resubmission.

use async_nats::HeaderMap;
use rolecast_common::id::JobId;
use rolecast_common::options::{
    HEADER_ATTEMPTS, HEADER_DEADLINE, HEADER_DELAY, HEADER_JOB_ID, HEADER_MSG_ID, HEADER_REASON,
    HEADER_SUBJECT,
};
use rolecast_common::subjects::Source;
use rolecast_common::time::WallTime;
use rolecast_common::wire::{FailedAttempt, Record};
use rolecast_nats::is_for_the_store;

const PREFIX: &str = "rolecast.dead.";

/// Headers of a dead letter that its next submission does not have: those written when it
/// died, the id, which is set again, those that applied to the first submission only, and
/// those that the server adds to a message.
const HEADERS_DROPPED: [&str; 7] = [
    HEADER_JOB_ID,
    HEADER_MSG_ID,
    HEADER_REASON,
    HEADER_ATTEMPTS,
    HEADER_SUBJECT,
    HEADER_DEADLINE,
    HEADER_DELAY,
];

/// A job that failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    /// Its sequence in ROLECAST_DEAD.
    pub(crate) sequence: u64,
    /// The category as published, which may not be a valid one.
    pub(crate) category: String,
    pub(crate) job: JobId,
    /// The subject it was published on, if the letter has it.
    pub(crate) subject: Option<String>,
    /// Empty if the letter had no room for it; the record of the job has it then.
    pub(crate) reason: String,
    /// Oldest first.
    pub(crate) attempts: Vec<FailedAttempt>,
    pub(crate) died: WallTime,
    /// Bytes of payload.
    pub(crate) size: u64,
}

impl DeadLetter {
    /// Reads a stored message; `None` if it is not a dead letter.
    pub(crate) fn read(
        subject: &str,
        headers: &HeaderMap,
        sequence: u64,
        died: WallTime,
        size: u64,
    ) -> Option<Self> {
        let (category, job) = subject.strip_prefix(PREFIX)?.split_once('.')?;
        let text = |name: &str| headers.get(name).map(|value| value.as_str());
        let attempts = text(HEADER_ATTEMPTS).and_then(|json| serde_json::from_str(json).ok());
        Some(Self {
            sequence,
            category: category.to_owned(),
            job: JobId::new(job).ok()?,
            subject: text(HEADER_SUBJECT).map(str::to_owned),
            reason: text(HEADER_REASON).unwrap_or_default().to_owned(),
            attempts: attempts.unwrap_or_default(),
            died,
            size,
        })
    }
}

impl DeadLetter {
    /// Completes the letter from the job's record.
    pub(crate) fn complete(&mut self, record: Record) {
        if self.reason.is_empty() {
            self.reason = record.reason;
            self.attempts = record.failures;
        }
    }
}

/// Returns subject and headers for another submission of the job, under its own id.
///
/// The message id names this dead letter, so a second submission, after a lost answer, is
/// stored once.
pub(crate) fn resubmission(
    letter: &DeadLetter,
    headers: &HeaderMap,
) -> Result<(String, HeaderMap), String> {
    let job = &letter.job;
    let subject = letter.subject.clone().ok_or_else(|| {
        format!("job {job} does not contain the subject it was published on ({HEADER_SUBJECT} is missing)")
    })?;
    if Source::parse(&subject).is_err() {
        return Err(format!(
            "job {job} was published on {subject:?}, which is no subject for jobs; submit it \
            again by hand"
        ));
    }
    let mut fresh = HeaderMap::new();
    for (name, values) in headers.iter() {
        let name: &str = name.as_ref();
        let is_dropped = HEADERS_DROPPED
            .iter()
            .any(|dropped| dropped.eq_ignore_ascii_case(name));
        if is_dropped || is_for_the_store(name) {
            continue;
        }
        for value in values {
            fresh.append(name, value.clone());
        }
    }
    fresh.insert(HEADER_JOB_ID, job.as_str());
    let message_id = format!("retry-{}-{job}", letter.sequence);
    fresh.insert(HEADER_MSG_ID, message_id.as_str());
    Ok((subject, fresh))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_is_read_with_the_reasons_of_its_attempts() {
        let letter = read(&headers());
        assert_eq!(
            (letter.category.as_str(), letter.job.as_str()),
            ("ocr", "j1")
        );
        assert_eq!(letter.reason, "attempt 2 of 2 failed: exit code 1");
        assert_eq!(letter.attempts.len(), 1);
        assert_eq!(letter.attempts[0].node.as_str(), "oak");
    }

    #[test]
    fn what_is_no_dead_letter_is_passed_over() {
        let none = HeaderMap::new();
        for subject in [
            "rolecast.dead.ocr",
            "rolecast.dead.ocr.a.b",
            "rolecast.jobs.ocr",
        ] {
            let read = DeadLetter::read(subject, &none, 1, WallTime::default(), 0);
            assert_eq!(read, None, "{subject}");
        }
    }

    #[test]
    fn a_retry_keeps_the_producers_headers_and_the_id() {
        let headers = headers();
        let (subject, fresh) = resubmission(&read(&headers), &headers).unwrap();
        assert_eq!(subject, "rolecast.jobs.ocr.high");
        let value = |name: &str| fresh.get(name).map(|value| value.as_str());
        assert_eq!(value("Language"), Some("de"));
        assert_eq!(value(HEADER_JOB_ID), Some("j1"));
        assert_eq!(value(HEADER_MSG_ID), Some("retry-9-j1"));
        for name in [
            HEADER_REASON,
            HEADER_ATTEMPTS,
            HEADER_SUBJECT,
            HEADER_DEADLINE,
        ] {
            assert_eq!(value(name), None, "{name}");
        }
        assert_eq!(value("Nats-Expected-Stream"), None);
    }

    #[test]
    fn a_letter_from_nowhere_is_not_retried() {
        let mut headers = headers();
        headers.insert(HEADER_SUBJECT, "rolecast.jobs.OCR");
        let error = resubmission(&read(&headers), &headers).unwrap_err();
        assert!(error.contains("by hand"), "{error}");
        let error = resubmission(&read(&HeaderMap::new()), &headers).unwrap_err();
        assert!(error.contains(HEADER_SUBJECT), "{error}");
    }

    fn read(headers: &HeaderMap) -> DeadLetter {
        let died = WallTime::from_millis(5);
        DeadLetter::read("rolecast.dead.ocr.j1", headers, 9, died, 3).unwrap()
    }

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("Language", "de"),
            ("Nats-Expected-Stream", "ROLECAST_DEAD"),
            (HEADER_MSG_ID, "j1"),
            (HEADER_DEADLINE, "2026-01-31T12:00:00Z"),
            (HEADER_SUBJECT, "rolecast.jobs.ocr.high"),
            (HEADER_REASON, "attempt 2 of 2 failed: exit code 1"),
            (
                HEADER_ATTEMPTS,
                r#"[{"attempt":1,"node":"oak","reason":"exit code 1","at_ms":4}]"#,
            ),
        ] {
            headers.insert(name, value);
        }
        headers
    }
}
