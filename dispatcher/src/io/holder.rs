//! The dispatcher that the key of the lease names, for readers.

use rolecast_common::id::Epoch;
use rolecast_common::wire::LeaseRecord;

/// Characters of its name that are shown.
const NAME_CHARS_MAX: usize = 100;

/// The holder of the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) name: String,
    pub(super) epoch: Epoch,
}

impl Holder {
    /// Returns the dispatcher that the record names, unless it has given the lease up.
    pub(super) fn of(record: &LeaseRecord) -> Option<Self> {
        (!record.is_resigned).then(|| Self {
            name: record.name.chars().take(NAME_CHARS_MAX).collect(),
            epoch: record.epoch,
        })
    }
}
