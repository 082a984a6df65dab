//! Records of decisions: the figures on which a choice of a node rested, and the repetition
//! of the choice from them.

use std::time::Duration;

use rolecast_common::id::{Epoch, JobId, NodeId};
use rolecast_common::resource::ByResource;
use rolecast_common::time::WallTime;
use rolecast_common::wire::{Decision, DecisionNeeds, DecisionNode, VERSION, Verdict};

use super::choice::Choice;
use super::class::key;
use super::cost::{self, Estimate, Foreseen, Needs, NodeFigures, Outlook};
use super::index::Slot;
use super::keyed::preferred;
use super::placer::Placer;
use super::request::Request;
use super::shortfall::Shortfall;
use crate::category::Weights;

/// Nodes whose figures are recorded, beside the chosen one.
const BEST_COUNT: usize = 5;

/// The origin of a decision.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Author<'a> {
    pub(crate) epoch: Epoch,
    /// `None` for a dry run.
    pub(crate) job: Option<&'a JobId>,
    /// The numbers of its failed attempts, and of those lost with a node.
    pub(crate) failed: usize,
    pub(crate) lost: usize,
}

/// Records the choice and its reasons, before the job is counted anywhere. `age` returns
/// the age of a node's last heartbeat.
pub(crate) fn record(
    placer: &mut Placer,
    at: WallTime,
    author: Author<'_>,
    job: &Request<'_>,
    choice: &Choice,
    age: impl Fn(&NodeId) -> Duration,
) -> Decision {
    let class = placer.class(job.category, job.requirement);
    let (placer, board) = (&*placer, placer.board());
    let outlook = board.outlook();
    let mut shortfall = Shortfall::default();
    let mut found: Vec<(u64, Slot, Estimate)> = Vec::new();
    placer.scan(job, outlook, |slot, estimate| match estimate {
        Ok(estimate) => {
            let chance = board.chance(class, slot);
            found.push((key(estimate, chance), slot, estimate));
        }
        Err(obstacle) => shortfall.count(Err(obstacle)),
    });
    let (verdict, slot) = match choice {
        Choice::Node(slot) => (Verdict::Sent, Some(*slot)),
        Choice::Held { slot, .. } => (Verdict::Held, Some(*slot)),
        Choice::Nowhere => (Verdict::Nowhere, None),
    };
    found.sort_unstable_by_key(|(key, slot, _)| (*key, *slot));
    let is_kept = |at: usize, found: Slot| at < BEST_COUNT || slot == Some(found);
    let best = found
        .iter()
        .enumerate()
        .filter(|(at, (_, found, _))| is_kept(*at, *found))
        .map(|(_, found)| write_node(placer, job, found, &age))
        .collect();
    Decision {
        v: VERSION,
        job: author.job.cloned(),
        category: placer.policy(job.category).category.clone(),
        at_ms: at,
        epoch: author.epoch,
        waited_ms: millis(job.waited),
        failed: u32::try_from(author.failed).unwrap_or(u32::MAX),
        lost: u32::try_from(author.lost).unwrap_or(u32::MAX),
        is_alone: job.alone.is_some(),
        require: job.requirement.to_string(),
        // A key that was not followed decided nothing.
        key: job.key.filter(|_| placer.keyed(job) == slot),
        is_forecast: outlook == Outlook::Ahead,
        priority_share: board.priority_share(),
        needs: write_needs(board.needs(job.category)),
        verdict,
        node: slot.map(|slot| placer.id_of(slot).clone()),
        is_claimed: slot.is_some() && slot == job.claim,
        considered: u32::try_from(board.node_count()).unwrap_or(u32::MAX),
        refusals: shortfall
            .parts()
            .map(|(count, why)| (why.to_owned(), count))
            .collect(),
        best,
    }
}

/// Repeats the choice from the figures of its record, and returns the node.
pub fn replay(decision: &Decision) -> Option<&NodeId> {
    if decision.is_claimed {
        return decision.node.as_ref();
    }
    let needs = read_needs(&decision.needs);
    let outlook = if decision.is_forecast {
        Outlook::Ahead
    } else {
        Outlook::Present
    };
    let share = decision.priority_share;
    let found = decision.best.iter().map(|node| {
        let (figures, rank) = (read_figures(node), node.role_rank);
        let estimate = cost::estimate(&figures, &needs, rank, outlook, share);
        (node, estimate)
    });
    let Some(shard) = decision.key else {
        let best = found.min_by_key(|(node, estimate)| key(*estimate, node.chance));
        return best.map(|(node, _)| &node.node);
    };
    let costs: Vec<(&DecisionNode, f32)> = found
        .map(|(node, estimate)| (node, estimate.cost))
        .collect();
    let weight = |node: &DecisionNode| read_figures(node).cores_left();
    preferred(shard, &costs, weight, |node| &node.node).map(|node| &node.node)
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn write_node(
    placer: &Placer,
    job: &Request<'_>,
    (key, slot, estimate): &(u64, Slot, Estimate),
    age: impl Fn(&NodeId) -> Duration,
) -> DecisionNode {
    let id = placer.id_of(*slot);
    let roles = placer.description(*slot).roles();
    let rank = placer.policy(job.category).role_rank(roles);
    let figures = placer.board().figures(*slot);
    DecisionNode {
        node: id.clone(),
        cost: estimate.cost,
        slow_down: estimate.slow_down,
        chance: *key as u32,
        role_rank: u8::try_from(rank.unwrap_or_default()).unwrap_or(u8::MAX),
        heartbeat_age_ms: millis(age(id)),
        capacity: figures.capacity.into_array(),
        present: figures.present.into_array(),
        ahead: figures.ahead.buckets().map(ByResource::into_array),
        reserved: figures.reserved.into_array(),
        speed: figures.speed,
        feedback: figures.feedback,
        round_trip_s: figures.round_trip_s,
    }
}

fn read_figures(node: &DecisionNode) -> NodeFigures {
    NodeFigures {
        present: ByResource::new(node.present),
        ahead: Foreseen::new(&node.ahead.map(ByResource::new)),
        reserved: ByResource::new(node.reserved),
        speed: node.speed,
        feedback: node.feedback,
        round_trip_s: node.round_trip_s,
        ..NodeFigures::new(ByResource::new(node.capacity))
    }
}

fn write_needs(needs: &Needs) -> DecisionNeeds {
    DecisionNeeds {
        average: needs.average.into_array(),
        memory_peak: needs.memory_peak,
        duration_s: needs.duration_s,
        stay: needs.stay,
        weight_role: needs.weights.role,
        weight_latency: needs.weights.latency,
        weight_others: needs.weights.others,
    }
}

fn read_needs(written: &DecisionNeeds) -> Needs {
    Needs {
        average: ByResource::new(written.average),
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
