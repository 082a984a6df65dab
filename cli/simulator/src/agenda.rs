//! Event queue of the engine, in a fixed order.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::moment::Moment;
use super::policy::{HostIndex, JobIndex};

/// An event of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The use by others becomes this sample of the host's load.
    Load {
        host: HostIndex,
        sample: usize,
    },
    /// A job of the host ends, unless the host changed since.
    JobEnds {
        host: HostIndex,
        generation: u64,
    },
    JobReaches {
        job: JobIndex,
        host: HostIndex,
    },
    LetterReaches {
        letter: usize,
    },
    /// The host's regular heartbeat.
    Heartbeat {
        host: HostIndex,
    },
    /// Its heartbeat on change, unless a regular one reported the change already.
    ChangeHeartbeat {
        host: HostIndex,
    },
    MeasuringBegins,
    ArrivalsEnd,
}

/// Due events, soonest first; those of one moment in the order in which they were added.
/// An event that is due at once precedes those that were added for the same moment
/// earlier.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    at_once: VecDeque<Due>,
    later: BinaryHeap<Reverse<(Moment, u64, Due)>>,
    added: u64,
}

impl Agenda {
    pub(crate) fn add(&mut self, now: Moment, at: Moment, due: Due) {
        if at <= now {
            self.at_once.push_back(due);
            return;
        }
        self.added += 1;
        self.later.push(Reverse((at, self.added, due)));
    }

    /// Returns the time of the next event.
    pub(crate) fn next(&self, now: Moment) -> Option<Moment> {
        if !self.at_once.is_empty() {
            return Some(now);
        }
        self.later.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next event that is due at `now`.
    pub(crate) fn take(&mut self, now: Moment) -> Option<Due> {
        if let Some(due) = self.at_once.pop_front() {
            return Some(due);
        }
        if self.next(now)? > now {
            return None;
        }
        self.later.pop().map(|Reverse((.., due))| due)
    }
}
