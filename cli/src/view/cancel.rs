//! Cancels as text.

use std::time::Duration;

use rolecast_common::id::{Category, JobId};
use rolecast_common::wire::{CancelCounts, CancelFate};

use crate::quantity::{counted, length};

/// Returns in one line what happens to a job that has no record yet.
pub(crate) fn unrecorded(job: &JobId, fate: CancelFate) -> String {
    match fate {
        CancelFate::Pending => format!(
            "job {job} is not held by the dispatcher; it is cancelled if it is delivered within \
             a day"
        ),
        CancelFate::Recording => format!("job {job} is being recorded as cancelled"),
        CancelFate::Stopping => format!("job {job} is being stopped by its node"),
        CancelFate::Ended => format!("job {job} ended without a record"),
    }
}

/// Returns the jobs of a category that a cancel would concern.
pub(crate) fn question(
    category: &Category,
    counts: &CancelCounts,
    older: Option<Duration>,
) -> String {
    let age = older.map_or(String::new(), |older| {
        format!(" that are older than {}", length(older))
    });
    format!(
        "the jobs of category {category}{age}: {}{}",
        held(counts),
        stored(counts)
    )
}

/// Returns the effect of a cancel on a category.
pub(crate) fn category(category: &Category, counts: &CancelCounts) -> String {
    format!(
        "category {category}: {} cancelled; further ones that are as old are cancelled when they \
         are delivered\n",
        held(counts)
    )
}

fn held(counts: &CancelCounts) -> String {
    format!(
        "{} waiting, {} running, {} delayed",
        counts.waiting, counts.running, counts.delayed
    )
}

fn stored(counts: &CancelCounts) -> String {
    match counts.stored {
        Some(stored) => format!(", of at most {} in the stream", counted(stored, "job")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_the_jobs_and_their_age() {
        let ocr = Category::new("ocr").unwrap();
        let counts = CancelCounts {
            waiting: 3,
            running: 1,
            delayed: 0,
            stored: Some(120),
        };
        assert_eq!(
            question(&ocr, &counts, Some(Duration::from_secs(3600))),
            "the jobs of category ocr that are older than 1h: 3 waiting, 1 running, 0 delayed, of \
             at most 120 jobs in the stream"
        );
        let text = category(&ocr, &counts);
        assert!(
            text.starts_with("category ocr: 3 waiting, 1 running"),
            "{text}"
        );
    }
}
