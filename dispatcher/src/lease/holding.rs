//! The holder's view: until when it holds the lease, and what it knows of the key.

use rolecast_common::time::Time;

use super::Record;
use super::timing::TERM;

/// What a holder knows.
#[derive(Debug)]
pub(super) struct Holding {
    record: Record,
    /// The key's newest revision, as far as is known.
    revision: u64,
    until: Time,
    /// Whether a request failed since the key was read or written last.
    is_doubtful: bool,
    /// When the last renewal was asked for.
    asked: Time,
}

impl Holding {
    /// `record` is stored at this revision, and was asked for at that time.
    pub(super) fn new(record: Record, revision: u64, asked: Time) -> Self {
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

    pub(super) fn owns(&self, record: &Record) -> bool {
        record.incarnation == self.record.incarnation && record.epoch == self.record.epoch
    }

    /// Returns the next renewal. Each has a number of its own, so that one that is
    /// found in the key tells when it was asked for.
    pub(super) fn renew(&mut self, now: Time) -> Record {
        self.record.renewal += 1;
        self.asked = now;
        self.record.clone()
    }

    /// Returns the record with which it is given up.
    pub(super) fn give_up(self) -> Record {
        Record {
            is_resigned: true,
            ..self.record
        }
    }

    /// The last renewal was written.
    pub(super) fn confirm(&mut self, revision: u64) {
        self.revision = revision;
        self.until = self.asked + TERM;
        self.is_doubtful = false;
    }

    /// The key holds one of its own renewals. That its answer was lost does not
    /// matter if it is the last one: it was asked for before it was written.
    pub(super) fn recognize(&mut self, revision: u64, record: &Record) {
        if record.renewal == self.record.renewal {
            self.until = self.asked + TERM;
        }
        self.revision = revision;
        self.is_doubtful = false;
    }

    /// The key is empty or damaged, at this revision.
    pub(super) fn repair(&mut self, revision: u64) {
        self.revision = revision;
        self.is_doubtful = false;
    }
}
