//! The holder's view: the end of its lease, and its knowledge of the key.

use rolecast_common::time::Time;
use rolecast_common::wire::LeaseRecord;

use super::timing::TERM;

/// The state of a holder.
#[derive(Debug)]
pub(super) struct Holding {
    record: LeaseRecord,
    /// The key's newest known revision.
    revision: u64,
    until: Time,
    /// Whether a request failed since the last successful read or write of the key.
    is_doubtful: bool,
    /// Time when the last renewal was requested.
    asked: Time,
}

impl Holding {
    /// Returns the state after `record` was stored at this revision by a request of that
    /// time.
    pub(super) fn new(record: LeaseRecord, revision: u64, asked: Time) -> Self {
        Self {
            record,
            revision,
            until: asked + TERM,
            is_doubtful: false,
            asked,
        }
    }

    pub(super) fn until(&self) -> Time {
        self.until
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    pub(super) fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    pub(super) fn owns(&self, record: &LeaseRecord) -> bool {
        record.incarnation == self.record.incarnation && record.epoch == self.record.epoch
    }

    /// Returns the next renewal. Each has a number of its own, so that one that is found
    /// in the key shows when it was requested.
    pub(super) fn renew(&mut self, now: Time) -> LeaseRecord {
        self.record.renewal += 1;
        self.asked = now;
        self.record.clone()
    }

    /// Returns the record by which the lease is given up.
    pub(super) fn give_up(self) -> LeaseRecord {
        LeaseRecord {
            is_resigned: true,
            ..self.record
        }
    }

    /// Records that the last renewal was written.
    pub(super) fn confirm(&mut self, revision: u64) {
        self.revision = revision;
        self.until = self.asked + TERM;
        self.is_doubtful = false;
    }

    /// Handles a key that holds one of its own renewals. If it is the last one, a lost
    /// answer does not matter: it was requested before it was written.
    pub(super) fn recognize(&mut self, revision: u64, record: &LeaseRecord) {
        if record.renewal == self.record.renewal {
            self.until = self.asked + TERM;
        }
        self.revision = revision;
        self.is_doubtful = false;
    }

    /// Handles an empty or damaged key, at this revision.
    pub(super) fn repair(&mut self, revision: u64) {
        self.revision = revision;
        self.is_doubtful = false;
    }
}
