//! A decision in one sentence, with its reason.

use std::time::Duration;

use super::{counted, length};
use crate::id::NodeId;
use crate::wire::{Decision, Verdict};

/// The parts of a sentence that a view may stress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    /// The node that got the job.
    Node,
    /// The word that the job waits.
    Wait,
}

/// Returns the decision and its reason, without a full stop. `replayed` is the node to
/// which its figures lead; `stress` marks a part.
pub fn sentence(
    decision: &Decision,
    replayed: Option<&NodeId>,
    stress: impl Fn(Emphasis, &str) -> String,
) -> String {
    let is_recorded = decision.job.is_some();
    let mut subject = match &decision.job {
        Some(job) => format!("job {job} of {}", decision.category),
        None => format!("a job of {}", decision.category),
    };
    if !decision.require.is_empty() {
        subject.push_str(&format!(" that requires {}", decision.require));
    }
    let refused: u32 = decision.refusals.values().sum();
    let could = decision.considered.saturating_sub(refused);
    let known = counted(u64::from(decision.considered), "node");
    let had = if is_recorded { "had to" } else { "would" };
    let sentence = match (decision.verdict, &decision.node) {
        (Verdict::Sent, Some(node)) => {
            let was = if is_recorded { "was" } else { "would be" };
            let node = stress(Emphasis::Node, node.as_str());
            let why = reason(decision, replayed, could);
            format!("{was} sent to {node}, {why}; {known} known")
        }
        (Verdict::Held, Some(node)) => {
            let chosen = decision.best.iter().find(|found| found.node == *node);
            let slow_down = chosen.map_or(0.0, |found| found.slow_down);
            let wait = stress(Emphasis::Wait, "wait");
            let which = match could {
                0 | 1 => "the only one that could take it".to_owned(),
                _ => format!("the best of {could} that could take it"),
            };
            format!("{had} {wait}: even {node}, {which}, would slow it down {slow_down:.1} times")
        }
        (Verdict::Nowhere | Verdict::Sent | Verdict::Held, _) => {
            let wait = stress(Emphasis::Wait, "wait");
            match decision.considered {
                0 => format!("{had} {wait}: no node is known"),
                _ => format!("{had} {wait}: none of {known} known could take it"),
            }
        }
    };
    let waited = match decision.waited_ms {
        0 => String::new(),
        millis => format!(", after {}", length(Duration::from_millis(millis))),
    };
    format!("{subject} {sentence} ({}{waited})", decision.at_ms)
}

/// Returns in what respect the chosen node was better than the others.
fn reason(decision: &Decision, replayed: Option<&NodeId>, could: u32) -> String {
    if could <= 1 {
        return "the only one that could take it".to_owned();
    }
    if decision.is_alone {
        return "which was kept for it alone".to_owned();
    }
    if replayed != decision.node.as_ref() {
        return format!("one of {could} that could take it");
    }
    if decision.is_claimed {
        return "where memory was kept free for it".to_owned();
    }
    match decision.key {
        Some(_) => format!("which its key prefers of {could} that could take it"),
        None => format!("the cheapest of {could} that could take it"),
    }
}
