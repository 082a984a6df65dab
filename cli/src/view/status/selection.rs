//! Selection of the nodes and categories to show: of many those with trouble.

use rolecast_common::alarm::{Urgency, urgency};
use rolecast_common::wire::{CategoryStatus, NodeStatus};

/// Nodes and categories that are all shown, so that five nodes take a screen. Guessed.
pub(super) const SHOWN_MAX: usize = 20;
/// Of more nodes, those with trouble that are shown.
const WORST_MAX: usize = 10;

/// Whether each node has a line.
pub(super) fn shows_all(nodes: &[NodeStatus], is_all: bool) -> bool {
    is_all || nodes.len() <= SHOWN_MAX
}

/// Returns the nodes with trouble, the gravest first, and the number of all with trouble.
pub(super) fn worst(nodes: &[NodeStatus]) -> (Vec<&NodeStatus>, usize) {
    let troubled = nodes.iter().filter(|node| urgency(node) != Urgency::None);
    let mut troubled: Vec<&NodeStatus> = troubled.collect();
    troubled.sort_by_key(|node| urgency(node));
    let count = troubled.len();
    troubled.truncate(WORST_MAX);
    (troubled, count)
}

/// Returns the categories to show: of many those with jobs or dead letters first.
pub(super) fn categories(all: &[CategoryStatus], is_all: bool) -> Vec<&CategoryStatus> {
    let mut selected: Vec<&CategoryStatus> = all.iter().collect();
    if !is_all && all.len() > SHOWN_MAX {
        let is_idle = |category: &&CategoryStatus| {
            category.backlog == 0 && category.dead_letters.unwrap_or(0) == 0
        };
        selected.sort_by_key(is_idle);
        selected.truncate(SHOWN_MAX);
    }
    selected
}
