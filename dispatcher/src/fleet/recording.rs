//! Records of decisions: the figures on which a choice of a node rested.

use rolecast_common::id::{Epoch, JobId};
use rolecast_common::time::Now;
use rolecast_common::wire::{Decision, DecisionNode, VERSION, Verdict};

use super::{Candidate, Choice, Fleet};
use crate::placement::decision::write_needs;
use crate::placement::{Estimate, Outlook, Shortfall, Slot, key};

/// Nodes whose figures are recorded, beside the chosen one.
const BEST_COUNT: usize = 5;

/// The origin of a decision.
#[derive(Clone, Copy, Debug, Default)]
pub struct Author<'a> {
    pub epoch: Epoch,
    /// `None` for a dry run.
    pub job: Option<&'a JobId>,
    /// The numbers of its failed attempts, and of those lost with a node.
    pub failed: usize,
    pub lost: usize,
}

impl Fleet {
    /// Records the choice and its reasons, before the job is counted anywhere.
    pub fn record(
        &mut self,
        now: Now,
        author: Author<'_>,
        job: &Candidate<'_>,
        choice: &Choice,
    ) -> Decision {
        let mut shortfall = Shortfall::default();
        let mut found: Vec<(u64, Slot, Estimate)> = Vec::new();
        let outlook = self.board.outlook();
        let class = self.class(job.category, job.requirement);
        self.scan(job, outlook, |slot, estimate| match estimate {
            Ok(estimate) => {
                let chance = self.board.chance(class, slot);
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
            .map(|(_, found)| self.describe_node(now, job, found))
            .collect();
        Decision {
            v: VERSION,
            job: author.job.cloned(),
            category: self.policy(job.category).category.clone(),
            at_ms: now.wall,
            epoch: author.epoch,
            waited_ms: u64::try_from(job.waited.as_millis()).unwrap_or(u64::MAX),
            failed: u32::try_from(author.failed).unwrap_or(u32::MAX),
            lost: u32::try_from(author.lost).unwrap_or(u32::MAX),
            is_alone: job.alone.is_some(),
            require: job.requirement.to_string(),
            // A key that was not followed decided nothing.
            key: job.key.filter(|key| self.keyed(job, *key) == slot),
            is_forecast: outlook == Outlook::Ahead,
            priority_share: self.board.priority_share(),
            needs: write_needs(self.board.needs(job.category)),
            verdict,
            node: slot.map(|slot| self.id_of(slot).clone()),
            is_claimed: slot.is_some() && slot == job.claim,
            considered: u32::try_from(self.nodes.len()).unwrap_or(u32::MAX),
            refusals: shortfall
                .parts()
                .map(|(count, why)| (why.to_owned(), count))
                .collect(),
            best,
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "the low half is meant")]
    fn describe_node(
        &self,
        now: Now,
        job: &Candidate<'_>,
        (key, slot, estimate): &(u64, Slot, Estimate),
    ) -> DecisionNode {
        let id = self.id_of(*slot);
        let node = self.nodes.get(id);
        let policy = self.policy(job.category);
        let rank = node.and_then(|node| policy.role_rank(node.roles()));
        let figures = self.board.figures(*slot);
        DecisionNode {
            node: id.clone(),
            cost: estimate.cost,
            slow_down: estimate.slow_down,
            chance: *key as u32,
            role_rank: u8::try_from(rank.unwrap_or_default()).unwrap_or(u8::MAX),
            heartbeat_age_ms: node.map_or(0, |node| {
                u64::try_from(node.age(now.time).as_millis()).unwrap_or(u64::MAX)
            }),
            capacity: figures.capacity,
            present: figures.present,
            ahead: figures.ahead.buckets(),
            reserved: figures.reserved,
            speed: figures.speed,
            feedback: figures.feedback,
            round_trip_s: figures.round_trip_s,
        }
    }
}
