//! Headings of the logs of attempts, and the attempts that have none.

use std::fmt;

use rolecast_common::id::{Attempt, JobId, NodeId};
use rolecast_common::wire::{AttemptLog, JobView, OutcomeStatus, Record};

use super::{REASON_CHARS_MAX, size_of};
use crate::quantity::counted;
use crate::style::{Palette, Tone, one_line};

/// The characters of a reason shown in a heading.
const HEADING_REASON_MAX: usize = 80;

/// Returns the line above the log of an attempt.
pub(crate) fn heading(log: &AttemptLog, palette: Palette) -> String {
    let AttemptLog {
        attempt,
        node,
        at_ms,
        ..
    } = log;
    let (tone, how) = match log.status {
        OutcomeStatus::Cancelled => (Tone::Warning, "cancelled"),
        OutcomeStatus::Completed => (Tone::Good, "completed"),
        OutcomeStatus::Retry
        | OutcomeStatus::GiveUp
        | OutcomeStatus::Refused
        | OutcomeStatus::HandedBack => (Tone::Bad, "failed"),
    };
    let how = palette.paint(tone, how);
    let size = size_of(log.log.0.len());
    let size = match log.log_truncated {
        true => format!("the last {size}"),
        false => size.to_string(),
    };
    let mut line = format!("==> attempt {attempt} on {node} {how} {at_ms}, {size}");
    if !log.reason.is_empty() {
        line.push_str(": ");
        // It repeats the end of the log.
        line.push_str(&one_line(&log.reason, HEADING_REASON_MAX));
    }
    line
}

/// An attempt that has no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) attempt: Attempt,
    pub(crate) node: NodeId,
    pub(crate) why: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {} on {}: {}", self.attempt, self.node, self.why)
    }
}

/// Returns the attempts at an ended job that have no log.
pub(crate) fn missing(record: &Record, logs: &[AttemptLog]) -> Vec<Missing> {
    let has_log = |attempt| logs.iter().any(|log| log.attempt == attempt);
    let failures = record.failures.iter().map(|failed| {
        let reason = one_line(&failed.reason, REASON_CHARS_MAX);
        let why = format!("{reason}; it wrote nothing to stderr, or its log was not kept");
        Missing {
            attempt: failed.attempt,
            node: failed.node.clone(),
            why,
        }
    });
    let losses = record.losses.iter().map(|lost| Missing {
        attempt: lost.attempt,
        node: lost.node.clone(),
        why: "it was lost with its node, and has no log".to_owned(),
    });
    let all = failures.chain(losses);
    let mut missing: Vec<Missing> = all.filter(|missing| !has_log(missing.attempt)).collect();
    missing.sort_by_key(|missing| missing.attempt);
    missing
}

/// Returns a line about the attempts at a job that has not ended.
pub(crate) fn lost_so_far(view: &JobView) -> Option<String> {
    (view.lost > 0).then(|| {
        let lost = counted(u64::from(view.lost), "attempt");
        format!("{lost} lost with a node: they have no log")
    })
}

/// Returns the note that a job has no log at all.
pub(crate) fn none(job: &JobId) -> String {
    format!(
        "job {job} has no logs: no attempt at it has failed, none wrote to stderr, or they were \
         not kept; see keep_stderr in worker.toml, and logs_max_age in rolecast.toml"
    )
}
