//! Node ids made of host names.
//!
//! 1. Letters become small, and dots hyphens: `Web-1.example.COM` is `web-1-example-com`.
//! 2. If anything else had to be replaced, or the name is too long, a hash of the whole
//!    name replaces the end: two hosts whose names begin alike stay two nodes.
//!    `image-processing-worker-prod-7d9f8b6c54-abcde` is `image-processing-worker-` and
//!    eight digits.
//!
//! The hash must stay as it is: another one makes every such host a new node.

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::{NAME_LEN_MAX, NodeId};

/// A hyphen and eight digits: of ten thousand hosts with one beginning, two collide once
/// in ninety fleets (derived: 10^8 / 2^33), and then one of them is refused.
const HASH_LEN: usize = 9;

/// Returns the node id of a host, if its name makes one.
pub(crate) fn node_of_host(name: &str) -> Option<NodeId> {
    let name = name.to_ascii_lowercase();
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let is_plain = name.chars().all(|c| is_allowed(c) || c == '.');
    let clean = |c: char| if is_allowed(c) { c } else { '-' };
    let cleaned: String = name.chars().map(clean).collect();
    let cleaned = cleaned.trim_matches('-');
    if cleaned.is_empty() {
        return None;
    }
    if is_plain && cleaned.len() <= NAME_LEN_MAX {
        return NodeId::new(cleaned).ok();
    }
    let beginning: String = cleaned.chars().take(NAME_LEN_MAX - HASH_LEN).collect();
    let beginning = beginning.trim_end_matches('-');
    // The lower half: FNV-1a spreads it as well as the upper one.
    let hash = fnv1a(name.as_bytes()) & 0xffff_ffff;
    NodeId::new(&format!("{beginning}-{hash:08x}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_makes_a_node_id() {
        for (name, expected) in [
            ("web-1", Some("web-1")),
            ("Web-01.example.COM", Some("web-01-example-com")),
            ("a_b", Some("a_b")),
            (&"x".repeat(32), Some("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(node(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn hosts_whose_names_begin_alike_stay_two_nodes() {
        // These two are fixed: a node keeps its name over versions.
        let one = node("image-processing-worker-prod-7d9f8b6c54-abcde").unwrap();
        let other = node("image-processing-worker-prod-7d9f8b6c54-fghij").unwrap();
        assert_eq!(one, "image-processing-worker-843feae0");
        assert_eq!(other, "image-processing-worker-1abb4bad");
        assert_eq!(node("Knoten Ä").as_deref(), Some("knoten-cc5887df"));
        assert_ne!(node("a b"), node("a-b"));
        assert_ne!(node("a b"), node("a~b"));
        for length in 1..80 {
            let name = node(&"-y".repeat(length)).unwrap();
            assert!(name.len() <= NAME_LEN_MAX, "{name}");
        }
    }

    fn node(name: &str) -> Option<String> {
        node_of_host(name).map(|node| node.to_string())
    }
}
