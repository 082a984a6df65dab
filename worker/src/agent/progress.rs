//! Progress of running jobs: the part of it that a heartbeat has.
//!
//! A heartbeat reports what has changed since the one before, and repeats a little of the
//! rest in turn: a message may be lost, and a dispatcher that takes the lead knows nothing.

use rolecast_common::wire::{JobProgress, Progress};

/// The most bytes of a heartbeat for progress: some 300 jobs. With more that report without
/// pause, each is a few seconds late.
pub(super) const PROGRESS_LEN_MAX: usize = 16 * 1024;
/// Unchanged ones in a heartbeat: on most nodes that is all of them.
const REPEATS_MAX: usize = 16;
/// Bytes of one in a message besides its text: 31 of names and numbers.
const OVERHEAD: usize = 32;

/// The last progress of an execution.
#[derive(Debug)]
pub(super) struct Reported {
    progress: Progress,
    is_new: bool,
    /// The number of the last heartbeat that had it.
    sent: u64,
}

impl Reported {
    pub(super) fn new(progress: Progress) -> Self {
        Self {
            progress,
            is_new: true,
            sent: 0,
        }
    }

    /// Takes a later progress of the same execution.
    pub(super) fn update(&mut self, progress: Progress) {
        self.is_new |= self.progress != progress;
        self.progress = progress;
    }

    /// Has it sent again as if it had changed.
    pub(super) fn renew(&mut self) {
        self.is_new = true;
    }
}

/// Returns what the heartbeat of this number reports, in at most `len_max` bytes: changes
/// first, and what was not sent for longest. Each has its place among the jobs in hand.
pub(super) fn take_due<'a>(
    reported: impl Iterator<Item = (usize, &'a mut Reported)>,
    heartbeat: u64,
    len_max: usize,
) -> Vec<JobProgress> {
    let mut reported: Vec<(usize, &mut Reported)> = reported.collect();
    reported.sort_unstable_by_key(|(place, last)| (!last.is_new, last.sent, *place));
    let (mut len, mut repeats) = (0, 0);
    let mut due = Vec::new();
    for (place, last) in reported {
        repeats += usize::from(!last.is_new);
        len += OVERHEAD + last.progress.text.len();
        if repeats > REPEATS_MAX || len > len_max {
            break;
        }
        last.is_new = false;
        last.sent = heartbeat;
        due.push(JobProgress {
            job: u32::try_from(place).unwrap_or(u32::MAX),
            done: last.progress.done,
            text: last.progress.text.clone(),
        });
    }
    due
}
