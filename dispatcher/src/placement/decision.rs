//! Repetition of a recorded decision: by the same formula, from its figures.

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::NodeId;
use rolecast_common::wire::{Decision, DecisionNeeds, DecisionNode};

use super::cost::{self, Figures, Foreseen, Needs, Outlook};
use super::{key, keyed};
use crate::category::Weights;

/// Returns the node to which the figures of the record lead.
pub fn choose(decision: &Decision) -> Option<&NodeId> {
    if decision.is_claimed {
        return decision.node.as_ref();
    }
    let needs = needs(&decision.needs);
    let outlook = if decision.is_forecast {
        Outlook::Ahead
    } else {
        Outlook::Present
    };
    let costs: Vec<_> = decision
        .best
        .iter()
        .map(|node| {
            let share = decision.priority_share;
            cost::estimate(&figures(node), &needs, node.role_rank, outlook, share)
        })
        .collect();
    if let Some(key) = decision.key {
        let costs: Vec<(usize, f32)> = costs.iter().map(|found| found.cost).enumerate().collect();
        let weight = |at: usize| figures(&decision.best[at]).cores_left();
        let hash = |at: usize| fnv1a(decision.best[at].node.as_str().as_bytes());
        let preferred = keyed::preferred(key, &costs, weight, hash)?;
        return Some(&decision.best[preferred].node);
    }
    let keys = costs.iter().zip(&decision.best);
    let best = keys.min_by_key(|(found, node)| key(**found, node.chance));
    best.map(|(_, node)| &node.node)
}

/// Returns the needs in the form of the record.
pub fn write_needs(needs: &Needs) -> DecisionNeeds {
    DecisionNeeds {
        average: needs.average,
        memory_peak: needs.memory_peak,
        duration_s: needs.duration_s,
        stay: needs.stay,
        weight_role: needs.weights.role,
        weight_latency: needs.weights.latency,
        weight_others: needs.weights.others,
    }
}

fn needs(written: &DecisionNeeds) -> Needs {
    Needs {
        average: written.average,
        memory_peak: written.memory_peak,
        memory_declared: 0.0,
        duration_s: written.duration_s,
        stay: written.stay,
        reach: 1,
        weights: Weights {
            role: written.weight_role,
            latency: written.weight_latency,
            others: written.weight_others,
        },
    }
}

fn figures(node: &DecisionNode) -> Figures {
    Figures {
        present: node.present,
        ahead: Foreseen::new(&node.ahead),
        reserved: node.reserved,
        speed: node.speed,
        feedback: node.feedback,
        round_trip_s: node.round_trip_s,
        ..Figures::new(node.capacity)
    }
}
