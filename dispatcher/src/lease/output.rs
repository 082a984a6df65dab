//! Commands that the lease emits.

use rolecast_common::id::Epoch;
use rolecast_common::time::Time;
use rolecast_common::wire::LeaseRecord;

use crate::seal::Seals;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Read {
        asked: Time,
    },
    /// Write if the key still has this revision; 0 is a key that was never written.
    Write {
        asked: Time,
        revision: u64,
        record: LeaseRecord,
    },
    /// This dispatcher holds the lease, under this epoch.
    Lead {
        epoch: Epoch,
        seals: Seals,
    },
    /// It no longer holds the lease.
    StepDown {
        reason: String,
    },
    /// The key has an older content than it had.
    RolledBack {
        known: Epoch,
        found: Epoch,
    },
    /// The key is gone or deleted, and was there before.
    Lost,
    /// The key holds a content that no dispatcher wrote.
    Unreadable {
        revision: u64,
    },
}
