//! The epoch of a claim: above every epoch that any dispatcher led under.

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::Epoch;

use super::Entry;

/// The least distance from the largest known epoch to that of a claim, when the key's
/// content was lost: others may have led since, at one epoch each. Guessed; more
/// take-overs than a dispatcher and all workers can have missed. Up to as many more, by
/// the incarnation, keep apart two dispatchers that know equally little.
pub(super) const LOST_EPOCHS: u64 = 1000;

/// Returns the epoch of a claim to the lease, when the largest known is `known`.
pub(super) fn epoch(known: Epoch, entry: &Entry, incarnation: &str) -> Epoch {
    let is_lost = match entry {
        Entry::Record { .. } => false,
        Entry::Missing => known > Epoch::default(),
        Entry::Deleted { .. } | Entry::Unreadable { .. } => true,
    };
    if !is_lost {
        return known.next();
    }
    let apart = fnv1a(incarnation.as_bytes()) % LOST_EPOCHS;
    Epoch::new(known.get().saturating_add(LOST_EPOCHS + apart))
}
