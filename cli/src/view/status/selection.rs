//! Selection of the nodes and categories to show: of many those with trouble.

use std::time::Duration;

use rolecast_common::wire::{CategoryStatus, NodeHealth, NodeStatus};

use crate::quantity::counted;
use crate::view::nodes::{FEEDBACK_HIGH, ROUND_TRIP_HIGH};

/// Nodes and categories that are all shown, so that five nodes take a screen, and lines
/// about nodes. Guessed.
pub(super) const SHOWN_MAX: usize = 20;
/// Of more nodes, those with trouble that are shown.
const WORST_MAX: usize = 10;

/// Troubles of a node, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Gone,
    Distrusted,
    Slow,
    Far,
    Draining,
    None,
}

/// Whether each node has a line.
pub(super) fn shows_all(nodes: &[NodeStatus], is_all: bool) -> bool {
    is_all || nodes.len() <= SHOWN_MAX
}

/// Returns the nodes with trouble, the gravest first, and the number of all with trouble.
pub(super) fn worst(nodes: &[NodeStatus]) -> (Vec<&NodeStatus>, usize) {
    let troubled = nodes.iter().filter(|node| trouble(node) != Trouble::None);
    let mut troubled: Vec<&NodeStatus> = troubled.collect();
    troubled.sort_by_key(|node| trouble(node));
    let count = troubled.len();
    troubled.truncate(WORST_MAX);
    (troubled, count)
}

fn trouble(node: &NodeStatus) -> Trouble {
    let trip = node.round_trip_us.map(Duration::from_micros);
    match node.health {
        NodeHealth::Gone => Trouble::Gone,
        NodeHealth::Ready | NodeHealth::Draining if !node.distrusted.is_empty() => {
            Trouble::Distrusted
        }
        NodeHealth::Ready | NodeHealth::Draining if node.feedback >= FEEDBACK_HIGH => Trouble::Slow,
        NodeHealth::Ready | NodeHealth::Draining
            if trip.is_some_and(|trip| trip >= ROUND_TRIP_HIGH) =>
        {
            Trouble::Far
        }
        NodeHealth::Draining => Trouble::Draining,
        NodeHealth::Ready => Trouble::None,
    }
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

/// Leaves lines about nodes out where there are too many to read.
pub(super) fn shorten(lines: &mut Vec<String>, is_all: bool) {
    if is_all || lines.len() <= SHOWN_MAX {
        return;
    }
    let rest = u64::try_from(lines.len() - SHOWN_MAX).unwrap_or(u64::MAX);
    lines.truncate(SHOWN_MAX);
    let lines_more = counted(rest, "more line");
    lines.push(format!("{lines_more} about nodes; --all shows them"));
}
