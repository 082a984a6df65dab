//! Shard keys: jobs with the same key prefer the same node, by weighted rendezvous hashing
//! with bounded load.
//!
//! Each node's score for a key is a hash of both, raised so that nodes get keys in
//! proportion to their weight (Thaler and Ravishankar 1998, with the logarithmic weights
//! of Mosko). When a node joins or leaves only its own keys move. The job goes to the
//! node with the best score, unless that would cost more than a bounded multiple of the
//! best node (after Mirrokni, Thorup and Zadimoghaddam 2018): then to the next.

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::NodeId;

/// The largest cost of a keyed job, relative to the best node. Judged: warm caches are
/// commonly worth a factor of two.
const COST_MAX: f32 = 2.0;
/// Base of the powers to which weights are rounded, so that small changes of a node's
/// free resources move no keys.
const WEIGHT_STEP: f32 = 1.5;

/// Returns the node that jobs with this key prefer, among those that they can go to at
/// these costs. `weight` returns the share of keys of a node, relative to others, and
/// `hash` a hash of its id.
pub(super) fn preferred<'a, P: Copy>(
    key: u64,
    costs: &[(P, f32)],
    weight: impl Fn(P) -> f32,
    id: impl Fn(P) -> &'a NodeId,
) -> Option<P> {
    let least = costs.iter().map(|(_, cost)| *cost).fold(f32::MAX, f32::min);
    let near = costs.iter().filter(|(_, cost)| *cost <= COST_MAX * least);
    let score = |place: P| {
        let hash = fnv1a(id(place).as_str().as_bytes());
        score(key, hash, weight(place))
    };
    let scored = near.map(|(place, _)| (score(*place), *place));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, place)| place)
}

/// Returns the node's score for the key; the largest is best.
fn score(key: u64, node: u64, weight: f32) -> f64 {
    // Between 0 and 1, both excluded.
    #[allow(clippy::cast_precision_loss, reason = "53 bits of a hash are enough")]
    let uniform = ((mix(key ^ mix(node)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let steps = (weight.max(0.1).ln() / WEIGHT_STEP.ln()).round();
    f64::from(WEIGHT_STEP).powf(f64::from(steps)) / -uniform.ln()
}

/// Mixes all bits (the finalizer of SplitMix64, Steele et al. 2014).
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(key: u64, nodes: &[(u64, f32)]) -> u64 {
        let score = |node: &&(u64, f32)| score(key, node.0, node.1);
        let best = nodes.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
        best.unwrap().0
    }

    #[test]
    fn keys_follow_weights() {
        let nodes = [(1, 1.0), (2, 1.0), (3, 2.25)];
        let mut counts = [0.0f64; 4];
        for key in 0..20_000 {
            counts[usize::try_from(owner(key, &nodes)).unwrap()] += 1.0;
        }
        let share = counts[3] / 20_000.0;
        assert!((share - 2.25 / 4.25).abs() < 0.02, "{share}");
        assert!((counts[1] / counts[2] - 1.0).abs() < 0.1);
    }

    #[test]
    fn only_the_keys_of_a_node_that_goes_move() {
        let all = [(1, 4.0), (2, 4.0), (3, 8.0), (4, 2.0)];
        for key in 0..2000 {
            let before = owner(key, &all);
            let after = owner(key, &all[..3]);
            assert!(before == 4 || before == after);
        }
    }

    #[test]
    fn a_little_more_room_moves_no_keys() {
        assert_eq!(score(7, 9, 4.0), score(7, 9, 4.1));
    }
}
