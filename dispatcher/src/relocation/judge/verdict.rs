//! Verdicts of the judge.

use rolecast_common::id::NodeId;

use super::Assessment;

/// The decision about the role.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Keep(Assessment),
    /// Move away from a bottleneck.
    Move {
        to: NodeId,
        assessment: Assessment,
    },
    /// Return to the former holder.
    Restore {
        to: NodeId,
        assessment: Assessment,
    },
    /// Most of the group became hot, so that no move helps. Reported once.
    Alert(Assessment),
}

impl Verdict {
    pub fn assessment(&self) -> &Assessment {
        match self {
            Verdict::Keep(assessment) | Verdict::Alert(assessment) => assessment,
            Verdict::Move { assessment, .. } | Verdict::Restore { assessment, .. } => assessment,
        }
    }
}
