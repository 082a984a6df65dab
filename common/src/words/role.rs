//! Changes of roles in words.

use super::{line, one_line};
use crate::id::NodeId;
use crate::wire::{PastRoleChange, RoleChange, RolePhase, Why};

/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 100;

/// Returns the progress of a change, with its former and next holder.
pub fn under_way(change: &RoleChange) -> String {
    let (phase, to) = match &change.phase {
        RolePhase::Demoting { to, .. } => ("demoting", to.as_ref()),
        RolePhase::Promoting { node } => ("promoting", Some(node)),
    };
    format!("{phase}, {}", path(change.from.as_ref(), to))
}

/// Returns the former and the next holder.
pub fn path(from: Option<&NodeId>, to: Option<&NodeId>) -> String {
    let name = |node: Option<&NodeId>| node.map_or("nobody".to_owned(), NodeId::to_string);
    format!("{} -> {}", name(from), name(to))
}

/// Returns the way that a finished change took.
pub fn course(change: &PastRoleChange) -> String {
    match &change.to {
        Some(to) if change.from.as_ref() == Some(to) => format!("{to} has it again"),
        to => path(change.from.as_ref(), to.as_ref()),
    }
}

/// Returns in a few words why a role moves.
pub fn why(why: &Why) -> String {
    match why {
        Why::Operator => "ordered".to_owned(),
        Why::Drain => "holder drained".to_owned(),
        Why::HolderGone => "holder gone".to_owned(),
        Why::HolderUnfit { reason } => {
            format!("holder unfit: {}", one_line(reason, REASON_CHARS_MAX))
        }
        Why::Election => "too few holders".to_owned(),
        Why::Swap => "swapped".to_owned(),
        Why::Bottleneck { .. } => "bottleneck".to_owned(),
        Why::Restored { .. } => "bottleneck over, restored".to_owned(),
    }
}

/// Returns the figures of a change that was judged.
pub fn figures_of(change: &PastRoleChange) -> Option<String> {
    let figures = match &change.why {
        Why::Bottleneck { figures } | Why::Restored { figures } => figures,
        Why::Operator
        | Why::Drain
        | Why::HolderGone
        | Why::HolderUnfit { .. }
        | Why::Election
        | Why::Swap => return None,
    };
    (!figures.is_empty()).then(|| line(figures))
}
