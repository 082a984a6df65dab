//! Inputs of the lease, and the contents of its key.

use std::time::Duration;

use rolecast_common::time::Time;
use rolecast_common::wire::LeaseRecord;

/// The content of the key as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The bucket never had the key.
    Missing,
    /// It was deleted; its deletion marker has this revision, 0 if no marker is left.
    Deleted {
        revision: u64,
    },
    /// It has a content that no dispatcher wrote.
    Unreadable {
        revision: u64,
    },
    Record {
        revision: u64,
        record: LeaseRecord,
    },
}

impl Entry {
    /// Returns the revision that a write must name; 0 for a key without any.
    pub fn revision(&self) -> u64 {
        match self {
            Self::Missing => 0,
            Self::Deleted { revision }
            | Self::Unreadable { revision }
            | Self::Record { revision, .. } => *revision,
        }
    }
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is the key's newest revision.
    Done(u64),
    /// The key has another revision than expected.
    Conflict,
    /// Unknown: it may be written or not.
    Unknown,
}

#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// The content of the key; `asked` is as in [`Output::Read`](super::Output::Read).
    Read { asked: Time, entry: Entry },
    /// The key could not be read.
    Unread { asked: Time },
    /// The result of a write; `asked` is as in [`Output::Write`](super::Output::Write).
    Written { asked: Time, result: Written },
    /// A later epoch was reported: read the key at once, if it is held.
    Doubt,
    /// Give it up, and contend again after a pause.
    GiveBack { pause: Duration },
    /// Give it up, for good.
    Resign,
}
