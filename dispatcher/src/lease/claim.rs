//! The epoch of a claim: above all that anybody led under.

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::Epoch;

use super::Entry;

/// How far above the largest epoch it knows of a dispatcher claims, at least, when the
/// key's content was lost: others may have led since, at one epoch each. Guessed; more
/// take-overs than a dispatcher and all workers can have missed. Up to as many more, by
/// the incarnation, keep apart two that know equally little.
pub(super) const LOST_EPOCHS: u64 = 1000;

/// Returns the epoch to claim the lease under, when the largest known is `known`.
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
