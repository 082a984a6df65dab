//! Classes of nodes by the room that is expected on them.

use rolecast_common::unit::Resources;
use rolecast_common::wire::{NodeHealth, NodeStatus, Status};

use crate::picture::Picture;

/// The number of classes.
pub(crate) const COUNT: usize = 7;

/// A class of nodes: the class of the style sheet, and the text of the legend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub(crate) class: &'static str,
    pub(crate) text: &'static str,
}

/// The classes, those with the most room first. The last ones have no room, and a sign.
pub(crate) const CLASSES: [Class; COUNT] = [
    Class {
        class: "room4",
        text: "75 % free and more",
    },
    Class {
        class: "room3",
        text: "50 to 75 %",
    },
    Class {
        class: "room2",
        text: "25 to 50 %",
    },
    Class {
        class: "room1",
        text: "5 to 25 %",
    },
    Class {
        class: "room0",
        text: "less than 5 %",
    },
    Class {
        class: "draining",
        text: "draining (striped)",
    },
    Class {
        class: "gone",
        text: "gone (crossed)",
    },
];
/// The least share of each class that has room.
const SHARES: [f64; 4] = [0.75, 0.5, 0.25, 0.05];

/// Returns the place of a node's class.
pub(crate) fn class_of(node: &NodeStatus, expected: Option<&Resources>) -> usize {
    match node.health {
        NodeHealth::Gone => 6,
        NodeHealth::Draining => 5,
        NodeHealth::Ready => {
            let share = share(node, expected);
            SHARES
                .iter()
                .position(|least| share >= *least)
                .unwrap_or(SHARES.len())
        }
    }
}

/// Returns the free share of CPU or memory, of whichever there is less; without a forecast
/// that of the last heartbeat.
pub(crate) fn share(node: &NodeStatus, expected: Option<&Resources>) -> f64 {
    let capacity = &node.capacity;
    let free = match expected {
        Some(expected) => *expected,
        None => capacity.minus(node.usage.total),
    };
    #[allow(clippy::cast_precision_loss, reason = "a share needs few digits")]
    let memory = (free.memory.get() as f64, capacity.memory.get() as f64);
    let shares = [(free.cpu.get(), capacity.cpu.get()), memory];
    let known = shares.into_iter().filter(|(_, whole)| *whole > 0.0);
    let least = known.map(|(free, whole)| free / whole).fold(1.0, f64::min);
    least.clamp(0.0, 1.0)
}

/// Counts the nodes of each class.
pub(crate) fn counts(picture: &Picture, status: &Status) -> [usize; COUNT] {
    let mut counts = [0; COUNT];
    for node in &status.nodes {
        counts[class_of(node, picture.rooms.get(&node.node))] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use rolecast_common::unit::Cores;

    use super::*;
    use crate::samples::node;

    #[test]
    fn the_scarcer_resource_decides_and_a_node_without_jobs_has_no_room() {
        let mut ready = node("n1");
        let mut expected = ready.capacity;
        assert_eq!(class_of(&ready, Some(&expected)), 0);
        expected.cpu = Cores::clamped(ready.capacity.cpu.get() * 0.3);
        assert_eq!(class_of(&ready, Some(&expected)), 2);
        expected.memory = rolecast_common::unit::Bytes::ZERO;
        assert_eq!(class_of(&ready, Some(&expected)), 4);
        ready.health = NodeHealth::Draining;
        assert_eq!(CLASSES[class_of(&ready, None)].class, "draining");
        ready.health = NodeHealth::Gone;
        assert_eq!(CLASSES[class_of(&ready, None)].class, "gone");
    }
}
