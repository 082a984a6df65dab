//! Waiting jobs are placed in fair order and sent.

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Attempt, NodeId, Sequence};
use rolecast_common::subjects::Source;
use rolecast_common::time::Now;
use rolecast_common::wire::ForecastMode;

use super::{Diversion, Event, Machine, Output, State};
use crate::category::Policy;
use crate::fleet::Fleet;
use crate::placement::{self, Outlook, Shortfall};

impl Machine {
    /// Sends what can be sent: the more urgent first, then one job a room in
    /// turn, so that a flood in one category does not starve the others.
    pub(super) fn send_waiting(&mut self, now: Now, out: &mut Vec<Output>) {
        let mut open: Vec<Source> = self
            .rooms
            .iter()
            .filter(|(_, room)| !room.waiting.is_empty())
            .map(|(source, _)| source.clone())
            .collect();
        while let Some(at) = self.next_room(&open) {
            let source = &open[at];
            let is_sent = self.send_first(now, source, out);
            let is_empty = self
                .rooms
                .get(source)
                .is_none_or(|room| room.waiting.is_empty());
            if !is_sent || is_empty {
                open.swap_remove(at);
            }
        }
    }

    fn next_room(&self, open: &[Source]) -> Option<usize> {
        let order = |source: &Source| {
            let served = self.rooms.get(source).map_or(0, |room| room.served);
            (source.priority, served)
        };
        (0..open.len()).min_by_key(|at| order(&open[*at]))
    }

    /// Sends the room's first job, or tells operators why none can go.
    fn send_first(&mut self, now: Now, source: &Source, out: &mut Vec<Output>) -> bool {
        let (Some(room), Some(service)) = (
            self.rooms.get_mut(source),
            self.services.get_mut(&source.category),
        ) else {
            return false;
        };
        let Some(sequence) = room.waiting.front().copied() else {
            return false;
        };
        let choice = choose(
            &self.fleet,
            &service.policy,
            self.params.forecast.mode,
            &mut self.rng,
        );
        let node = match choice.node {
            Ok(node) => node,
            Err(shortfall) => {
                if !shortfall.is_passing() && !service.is_starved {
                    service.is_starved = true;
                    out.push(Output::Event(Event::NoEligibleNode {
                        category: source.category.clone(),
                        why: shortfall.to_string(),
                    }));
                }
                return false;
            }
        };
        if let Some(better) = choice.advice {
            self.counters.advisory_decisions += 1;
            if let Some(advised) = self.fleet.get_mut(&better) {
                advised.advised += 1;
            }
            if better != node {
                self.counters.advisory_diverted += 1;
                if let Some(count) = self.noise.advice.count(now.time) {
                    out.push(Output::Event(Event::AdvisoryDiverted(Diversion {
                        category: source.category.clone(),
                        node: node.clone(),
                        better,
                        count,
                    })));
                }
            }
        }
        if std::mem::take(&mut service.is_starved) {
            let category = source.category.clone();
            out.push(Output::Event(Event::EligibleAgain { category }));
        }
        room.waiting.pop_front();
        self.turn += 1;
        room.served = self.turn;
        let needs = service.policy.profile;
        if let Some(node) = self.fleet.get_mut(&node) {
            node.ledger.reserve(sequence, &source.category, needs);
            node.sent += 1;
        }
        self.forward(now, sequence, node, out);
        true
    }

    fn forward(&mut self, now: Now, sequence: Sequence, node: NodeId, out: &mut Vec<Output>) {
        let job = self.jobs.get_mut(&sequence).expect("waiting jobs are held");
        job.attempt += 1;
        job.state = State::Running {
            node: node.clone(),
            sent: now.time,
        };
        job.kept_alive = now.time;
        out.push(Output::Forward {
            sequence,
            node,
            assignment: Assignment::new(
                self.params.epoch,
                job.source.category.clone(),
                job.job.clone(),
                Attempt::new(job.attempt),
                job.ack.clone(),
            ),
            deadline: job.deadline,
        });
    }
}

/// Where a job goes.
struct Choice {
    node: Result<NodeId, Shortfall>,
    /// Where forecasts would send it, if they are asked for advice only.
    advice: Option<NodeId>,
}

fn choose(fleet: &Fleet, policy: &Policy, mode: ForecastMode, rng: &mut fastrand::Rng) -> Choice {
    let (outlook, advice) = match mode {
        ForecastMode::On => (Outlook::Ahead, None),
        ForecastMode::Off => (Outlook::Present, None),
        // With the same luck, only the forecasts make a difference.
        ForecastMode::Advisory => {
            let mut rng = rng.clone();
            let advice = placement::place(fleet, policy, Outlook::Ahead, &mut rng);
            (Outlook::Present, advice.ok())
        }
    };
    Choice {
        node: placement::place(fleet, policy, outlook, rng),
        advice,
    }
}
