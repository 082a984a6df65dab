//! Cuts that make a record, a log, or the answer about a job, fit the largest message that
//! the server takes.
//!
//! A record repeats the outcome's output and adds to it, so an outcome that was received
//! may be too large to be recorded. Every cut is marked or mentioned.

use rolecast_common::wire::{
    AttemptLog, Blob, Encoding, FailedAttempt, LogPage, Record, encode, encoded_len,
};

/// The most bytes that marking a cut output adds: a field's name and a boolean.
const MARK_LEN: usize = "output_truncated".len() + 4;
/// Cuts of a log until it fits: in JSON a piece of it may take less room than it has bytes.
const CUTS_MAX: usize = 8;
/// Characters of a reason that are kept if there is no room for all.
const REASON_LEN_MAX: usize = 160;
/// Failed attempts that are kept if there is no room for all: the last ones.
const FAILURES_MAX: usize = 10;

/// Returns the record as MessagePack of at most `limit` bytes: first its output is cut,
/// then the reasons of its failed attempts, then all but the last of these.
pub(crate) fn fit(record: &Record, limit: usize) -> Vec<u8> {
    let whole = encode(Encoding::MessagePack, record);
    if whole.len() <= limit {
        return whole;
    }
    let mut record = record.clone();
    for cut in [cut_output, cut_reasons, cut_failures] {
        let excess = encode(Encoding::MessagePack, &record)
            .len()
            .saturating_sub(limit);
        cut(&mut record, excess);
        let encoded = encode(Encoding::MessagePack, &record);
        if encoded.len() <= limit {
            return encoded;
        }
    }
    // Not even its fixed parts fit: the server's limit would have to be below 4 KiB. The
    // message is refused, and the trouble is reported.
    encode(Encoding::MessagePack, &record)
}

/// Returns the record for an answer of at most `limit` bytes in this encoding, which may
/// need more room than the stored form: without its output if that does not fit, then
/// with the same cuts, and with the last losses only. The results stream has it whole.
pub(crate) fn shortened(mut record: Record, encoding: Encoding, limit: usize) -> Record {
    for cut in [drop_output, cut_reasons, cut_failures, cut_losses] {
        if encoded_len(encoding, &record) <= limit {
            break;
        }
        cut(&mut record, 0);
    }
    record
}

/// Cuts the beginning of a log until what has it is at most `len_max` long.
pub(crate) fn fit_log(log: &mut AttemptLog, len: impl Fn(&AttemptLog) -> usize, len_max: usize) {
    for _ in 0..CUTS_MAX {
        let excess = len(log).saturating_sub(len_max);
        if excess == 0 {
            return;
        }
        log.cut(excess + MARK_LEN);
    }
    log.cut(usize::MAX);
}

/// Cuts the log in an answer to this length in its encoding.
pub(crate) fn shorten_log(page: &mut LogPage, encoding: Encoding, len_max: usize) {
    let whole = encoded_len(encoding, page);
    let Some(log) = &mut page.log else {
        return;
    };
    let around = whole - encoded_len(encoding, log);
    fit_log(log, |log| around + encoded_len(encoding, log), len_max);
}

fn drop_output(record: &mut Record, _: usize) {
    record.output_truncated |= !record.output.is_empty();
    record.output = Blob::default();
}

fn cut_losses(record: &mut Record, _: usize) {
    let left_out = record.losses.len().saturating_sub(FAILURES_MAX);
    record.losses.drain(..left_out);
}

fn cut_output(record: &mut Record, excess: usize) {
    if record.output.is_empty() {
        return;
    }
    let kept = record.output.0.len().saturating_sub(excess + MARK_LEN);
    record.output = Blob(record.output.0.slice(..kept));
    record.output_truncated = true;
}

fn cut_reasons(record: &mut Record, _: usize) {
    let reasons = record
        .failures
        .iter_mut()
        .map(|failure| &mut failure.reason);
    for reason in reasons.chain([&mut record.reason]) {
        if let Some((at, _)) = reason.char_indices().nth(REASON_LEN_MAX) {
            reason.truncate(at);
            reason.push_str(" ...");
        }
    }
}

fn cut_failures(record: &mut Record, _: usize) {
    let left_out = record.failures.len().saturating_sub(FAILURES_MAX);
    let mut failures: Vec<FailedAttempt> = record.failures.drain(left_out..).collect();
    if let Some(first) = failures.first_mut().filter(|_| left_out > 0) {
        first.reason = format!("({left_out} before it left out) {}", first.reason);
    }
    record.failures = failures;
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rolecast_common::id::{Attempt, Category, Epoch, JobId, NodeId, Sequence};
    use rolecast_common::time::WallTime;
    use rolecast_common::wire::{
        JobUsage, LostAttempt, OutcomeStatus, RecordStatus, VERSION, decode,
    };

    use super::*;

    fn record(output_len: usize, failures: u32) -> Record {
        let failure = |attempt| FailedAttempt {
            attempt: Attempt::new(attempt),
            node: NodeId::new("n1").unwrap(),
            reason: "é".repeat(1000),
            at_ms: WallTime::from_millis(1),
            gave_up: false,
        };
        Record {
            v: VERSION,
            job: JobId::new("j").unwrap(),
            category: "ocr".to_owned(),
            sequence: Sequence::new(1),
            status: RecordStatus::Completed,
            reason: String::new(),
            epoch: Epoch::new(1),
            node: None,
            attempt: None,
            failures: (1..=failures).map(failure).collect(),
            losses: Vec::new(),
            submitted_ms: WallTime::from_millis(1),
            started_ms: None,
            finished_ms: WallTime::from_millis(1),
            run_us: 1,
            usage: JobUsage::default(),
            output: Blob(vec![7; output_len].into()),
            output_truncated: false,
            trace: None,
        }
    }

    fn fitted(record: &Record, limit: usize) -> Record {
        let bytes = fit(record, limit);
        assert!(bytes.len() <= limit, "{} > {limit}", bytes.len());
        decode(Encoding::MessagePack, &bytes).unwrap()
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let record = record(1000, 2);
        let len = encode(Encoding::MessagePack, &record).len();
        assert_eq!(fitted(&record, len), record);
    }

    #[test]
    fn an_output_that_just_does_not_fit_is_cut_and_marked() {
        for over in [1, 10, 100, 1000] {
            let record = record(65_300, 0);
            let len = encode(Encoding::MessagePack, &record).len();
            let cut = fitted(&record, len - over);
            assert!(cut.output_truncated);
            let lost = record.output.0.len() - cut.output.0.len();
            assert!(lost >= over && lost <= over + 2 * MARK_LEN, "{lost}");
            assert!(record.output.0.starts_with(&cut.output.0));
        }
    }

    #[test]
    fn an_answer_has_the_whole_record_if_it_fits_in_its_encoding() {
        let mut whole = record(1000, 2);
        for encoding in [Encoding::MessagePack, Encoding::Json] {
            let len = encoded_len(encoding, &whole);
            assert_eq!(shortened(whole.clone(), encoding, len), whole);
        }
        // In JSON each of these bytes takes six.
        whole.output = Blob(vec![1; 10_000].into());
        assert_eq!(
            shortened(whole.clone(), Encoding::MessagePack, 20_000),
            whole
        );
        let cut = shortened(whole.clone(), Encoding::Json, 20_000);
        assert!(cut.output.is_empty() && cut.output_truncated);
        assert_eq!(cut.failures, whole.failures);
    }

    #[test]
    fn an_answer_has_the_last_failures_and_losses_of_too_many() {
        let mut whole = record(0, 1000);
        let loss = |attempt| LostAttempt {
            attempt: Attempt::new(attempt),
            node: NodeId::new("n1").unwrap(),
            at_ms: WallTime::from_millis(1),
            ran_ms: 1,
            companions: None,
        };
        whole.losses = (1..=1000).map(loss).collect();
        let cut = shortened(whole, Encoding::Json, 8192);
        assert!(encoded_len(Encoding::Json, &cut) <= 8192);
        assert_eq!(
            (cut.failures.len(), cut.losses.len()),
            (FAILURES_MAX, FAILURES_MAX)
        );
        assert_eq!(cut.losses[9].attempt, Attempt::new(1000));
        assert!(!cut.output_truncated);
    }

    #[test]
    fn the_last_failed_attempts_are_kept_of_too_many() {
        let whole = record(100, 40);
        let cut = fitted(&whole, 16 * 1024);
        assert_eq!(cut.failures.len(), 40);
        assert!(cut.output.is_empty() && cut.output_truncated);
        assert!(cut.failures[0].reason.ends_with("é ..."));
        let cut = fitted(&whole, 4 * 1024);
        assert_eq!(cut.failures.len(), FAILURES_MAX);
        assert_eq!(cut.failures[9].attempt, Attempt::new(40));
        assert!(
            cut.failures[0]
                .reason
                .starts_with("(30 before it left out)")
        );
    }

    fn page(log: &[u8]) -> LogPage {
        LogPage {
            v: VERSION,
            position: 7,
            log: Some(AttemptLog {
                v: VERSION,
                job: JobId::new("j").unwrap(),
                category: Category::new("ocr").unwrap(),
                sequence: Sequence::new(1),
                attempt: Attempt::new(1),
                node: NodeId::new("n1").unwrap(),
                status: OutcomeStatus::Retry,
                reason: "é".repeat(10),
                at_ms: WallTime::from_millis(1),
                log: Blob(Bytes::copy_from_slice(log)),
                log_truncated: false,
            }),
        }
    }

    #[test]
    fn a_log_loses_its_beginning_until_it_fits() {
        let text = "é\n".repeat(20_000);
        let (binary, escapes) = (vec![0xff; 60_000], vec![1; 60_000]);
        for log in [text.as_bytes(), &binary, &escapes] {
            for encoding in [Encoding::MessagePack, Encoding::Json] {
                let whole = page(log);
                let len = encoded_len(encoding, &whole);
                for len_max in [len, len - 1, len - 100, 30_000, 300] {
                    let mut cut = whole.clone();
                    shorten_log(&mut cut, encoding, len_max);
                    let cut_len = encoded_len(encoding, &cut);
                    assert!(cut_len <= len_max, "{cut_len} > {len_max}");
                    let cut = cut.log.unwrap();
                    assert!(log.ends_with(&cut.log.0));
                    assert_eq!(cut.log_truncated, cut.log.0.len() < log.len());
                    assert_eq!(cut.log_truncated, len_max < len);
                    // What is cut of a text leaves a text.
                    assert!(log[0] == 0xff || std::str::from_utf8(&cut.log.0).is_ok());
                }
            }
        }
    }
}
