//! Seals, by which a dispatcher recognizes assignments that it or a former leader made.
//!
//! Anybody can write text that looks like an assignment. So each assignment carries a tag
//! of itself and of its node, made with a key that only dispatchers know: it is stored in
//! the key of their lease. An outcome of a job that this dispatcher does not hold counts
//! if its seal is right, without a read of the stream; a forged one costs a hash.
//!
//! The tag is SipHash-2-4, a pseudorandom function for short inputs (Aumasson and
//! Bernstein, "SipHash: a fast short-input PRF", 2012). Each new leader makes a new key,
//! and knows the keys of the last few leaders.

use std::hash::Hasher as _;

use rolecast_common::assignment::{Assignment, Seal};
use rolecast_common::id::{Epoch, NodeId};
use rolecast_common::wire::{SealEra, SealKey};
use siphasher::sip::SipHasher24;

/// Number of keys that are kept: an assignment that is older than this many take-overs
/// counts as forged, and its job runs again.
const KEYS_MAX: usize = 8;

/// The keys of the last epochs, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seals(Vec<SealEra>);

impl Seals {
    /// Returns the seals that a record of the lease has.
    pub fn new(eras: Vec<SealEra>) -> Self {
        Self(eras)
    }

    /// Returns the keys as a record of the lease has them.
    pub fn into_eras(self) -> Vec<SealEra> {
        self.0
    }

    /// Returns a copy with the key of a new epoch.
    pub fn with(&self, epoch: Epoch, key: SealKey) -> Self {
        let former = self.0.iter().filter(|era| era.epoch < epoch).cloned();
        let eras = std::iter::once(SealEra { epoch, key }).chain(former);
        Self(eras.take(KEYS_MAX).collect())
    }

    /// Seals an assignment of the newest epoch to this node, given its text before and
    /// after the seal.
    pub fn seal(&self, node: &NodeId, text: [&str; 2]) -> Seal {
        let key = self.0.first().map_or(SealKey::new([0; 16]), |era| era.key);
        seal(key, node, text)
    }

    /// Whether a dispatcher sent this assignment to this node.
    pub fn is_genuine(&self, node: &NodeId, assignment: &Assignment) -> bool {
        let era = self.0.iter().find(|era| era.epoch == assignment.epoch());
        let expected = era.map(|era| seal(era.key, node, assignment.sealed_text()));
        expected.is_some() && expected == assignment.seal()
    }
}

fn seal(key: SealKey, node: &NodeId, text: [&str; 2]) -> Seal {
    let mut hasher = SipHasher24::new_with_key(key.bytes());
    // No name has a zero byte, so no two inputs are the same bytes.
    for part in [node.as_str(), text[0], text[1]] {
        hasher.write(part.as_bytes());
        hasher.write(&[0]);
    }
    Seal::new(hasher.finish())
}

#[cfg(test)]
mod tests {
    use rolecast_common::assignment::Ack;
    use rolecast_common::id::{Attempt, Category, JobId};

    use super::*;

    const ACK: &str = "$JS.ACK.ROLECAST_JOBS.normal-ocr.2.41.77.1700000000123456789.9";

    fn seals() -> Seals {
        Seals::default().with(Epoch::new(7), SealKey::new([1; 16]))
    }

    fn node(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn assignment(seals: &Seals, epoch: u64, to: &str) -> Assignment {
        Assignment::sealed(
            Epoch::new(epoch),
            Category::new("ocr").unwrap(),
            JobId::new("job-1").unwrap(),
            Attempt::new(3),
            Ack::parse(ACK).unwrap(),
            |text| seals.seal(&node(to), text),
        )
    }

    #[test]
    fn an_assignment_is_genuine_for_its_node_and_as_it_was_made_only() {
        let seals = seals();
        let made = assignment(&seals, 7, "n1");
        assert!(seals.is_genuine(&node("n1"), &made));
        assert!(!seals.is_genuine(&node("n2"), &made));
        let text = made.as_str();
        for (from, to) in [
            ("7.ocr", "8.ocr"),
            ("7.ocr", "7.scan"),
            ("job-1", "job-2"),
            (".3.", ".4."),
            (".41.", ".42."),
            ("ROLECAST_JOBS", "OTHER"),
        ] {
            let forged: Assignment = text.replacen(from, to, 1).parse().unwrap();
            assert_ne!(forged, made);
            assert!(!seals.is_genuine(&node("n1"), &forged), "{forged}");
        }
        let unsealed = format!("{}{ACK}", made.sealed_text()[0]);
        assert!(!seals.is_genuine(&node("n1"), &unsealed.parse().unwrap()));
    }

    #[test]
    fn who_takes_over_knows_what_former_dispatchers_made_and_they_not_what_it_makes() {
        let former = seals();
        let present = former.with(Epoch::new(8), SealKey::new([2; 16]));
        let old = assignment(&former, 7, "n1");
        assert!(present.is_genuine(&node("n1"), &old));
        let new = assignment(&present, 8, "n1");
        assert!(present.is_genuine(&node("n1"), &new));
        assert!(!former.is_genuine(&node("n1"), &new));
        // A key makes assignments of its own epoch only.
        let forged = assignment(&former, 8, "n1");
        assert!(!present.is_genuine(&node("n1"), &forged));
    }

    #[test]
    fn the_number_of_kept_keys_is_limited() {
        let mut seals = seals();
        for epoch in 8..40u8 {
            seals = seals.with(Epoch::new(epoch.into()), SealKey::new([epoch; 16]));
        }
        assert_eq!(seals.into_eras().len(), KEYS_MAX);
    }
}
