//! Assignments as a dispatcher seals them.

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::Epoch;

use super::node;
use crate::seal::{Key, Seals};

/// What a dispatcher knows that leads under this epoch.
pub(super) fn seals(epoch: u64) -> Seals {
    let key = |epoch| Key::new(u128::from(epoch).to_be_bytes());
    let with = |seals: Seals, epoch| seals.with(Epoch::new(epoch), key(epoch));
    (1..=epoch).fold(Seals::default(), with)
}

/// An assignment of this epoch that was sent to the node n1 with this ack subject.
pub(super) fn sent_as(epoch: u64, like: &Assignment, ack: Ack) -> Assignment {
    Assignment::sealed(
        Epoch::new(epoch),
        like.category().clone(),
        like.job().clone(),
        like.attempt(),
        ack,
        |text| seals(epoch).seal(&node("n1"), text),
    )
}
