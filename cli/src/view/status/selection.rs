//! Selection of the nodes to show: of a large fleet not all, those with trouble first.

use rolecast_common::wire::{NodeHealth, NodeStatus};

use crate::quantity::counted;

/// The most nodes that are shown, and the most lines about troubles. Guessed.
const SHOWN_MAX: usize = 100;
const LINES_MAX: usize = 50;

/// Troubles of a node, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Gone,
    Distrusted,
    Draining,
    None,
}

/// Returns the nodes to show; all of them if `is_all`.
pub(super) fn select(nodes: &[NodeStatus], is_all: bool) -> Vec<&NodeStatus> {
    let mut selected: Vec<&NodeStatus> = nodes.iter().collect();
    if !is_all && nodes.len() > SHOWN_MAX {
        selected.sort_by_key(|node| trouble(node));
        selected.truncate(SHOWN_MAX);
    }
    selected
}

fn trouble(node: &NodeStatus) -> Trouble {
    match node.health {
        NodeHealth::Gone => Trouble::Gone,
        NodeHealth::Ready | NodeHealth::Draining if !node.distrusted.is_empty() => {
            Trouble::Distrusted
        }
        NodeHealth::Draining => Trouble::Draining,
        NodeHealth::Ready => Trouble::None,
    }
}

/// Counts the nodes, if not all of them are shown.
pub(super) fn note(nodes: &[NodeStatus], shown: usize) -> Option<String> {
    if shown == nodes.len() {
        return None;
    }
    let count = |health| nodes.iter().filter(|node| node.health == health).count();
    Some(format!(
        "{} nodes, {} ready, {} draining, {} gone; {shown} are shown, those with trouble first; \
         --nodes shows all\n",
        nodes.len(),
        count(NodeHealth::Ready),
        count(NodeHealth::Draining),
        count(NodeHealth::Gone),
    ))
}

/// Leaves lines about nodes out where there are too many to read.
pub(super) fn shorten(lines: &mut Vec<String>, is_all: bool) {
    if is_all || lines.len() <= LINES_MAX {
        return;
    }
    let rest = u64::try_from(lines.len() - LINES_MAX).unwrap_or(u64::MAX);
    lines.truncate(LINES_MAX);
    let lines_more = counted(rest, "more line");
    lines.push(format!("{lines_more} about nodes; --nodes shows all"));
}
