//! Pull by CPU: hosts request jobs while their own CPU and memory have room.
//!
//! Each host measures itself ten times a second, and takes one job every ten milliseconds
//! at most. Short jobs have fixed slots, because they end before a measurement could show
//! them.

use std::collections::VecDeque;

use super::super::policy::{EndStatus, Event, HostIndex, JobIndex, Live, Policy, Send};
use super::super::world::World;
use super::fleet::Fleet;
use super::pull::{Pull, Queues, SHORT_S, Slots};
use super::retries::Retries;

const CPU_MAX: f64 = 0.9;
const MEMORY_MAX: f64 = 0.8;
const SAMPLE_INTERVAL_S: f64 = 0.1;
const RAMP_S: f64 = 0.01;

pub(super) struct PullCpu {
    /// Serves the short kinds.
    slots: Pull,
    is_short: Vec<bool>,
    fleet: Fleet,
    /// All hosts, the one that took a job last at the end.
    order: VecDeque<HostIndex>,
    has_room: Vec<bool>,
    /// The time when each host may take another job.
    ready_s: Vec<f64>,
    waiting: Queues,
    retries: Retries,
    sample_due_s: f64,
    /// The time when waiting jobs are offered again.
    offer_due_s: f64,
}

impl PullCpu {
    pub(super) fn new(world: &World) -> Self {
        let kinds = &world.kinds;
        Self {
            slots: Pull::new(world, Slots::Shared { per_core: 1.0 }),
            is_short: kinds.iter().map(|kind| kind.duration_s < SHORT_S).collect(),
            fleet: Fleet::new(world),
            order: (0..world.hosts.len()).collect(),
            has_room: vec![false; world.hosts.len()],
            ready_s: vec![0.0; world.hosts.len()],
            waiting: Queues::new(kinds.len()),
            retries: Retries::default(),
            sample_due_s: 0.0,
            offer_due_s: 0.0,
        }
    }

    fn sample(&mut self, now_s: f64, live: &dyn Live) {
        for (host, has_room) in self.has_room.iter_mut().enumerate() {
            *has_room = live.utilization(host) < CPU_MAX && live.memory_share(host) < MEMORY_MAX;
        }
        self.sample_due_s = now_s + SAMPLE_INTERVAL_S;
    }

    fn take(&mut self, now_s: f64, job: JobIndex, kind: usize, sends: &mut Vec<Send>) {
        self.waiting.add(job, kind);
        self.offer(now_s, sends);
    }

    /// Gives waiting jobs to the hosts that may take one, in the order of their requests.
    fn offer(&mut self, now_s: f64, sends: &mut Vec<Send>) {
        self.offer_due_s = now_s + RAMP_S;
        let mut at = 0;
        while at < self.order.len() && !self.waiting.is_empty() {
            let host = self.order[at];
            let is_ready = self.has_room[host] && self.ready_s[host] <= now_s;
            let fleet = &self.fleet;
            let suits = |kind: usize| is_ready && fleet.may_run(kind, host);
            let Some(job) = self.waiting.take_oldest(suits) else {
                at += 1;
                continue;
            };
            self.ready_s[host] = now_s + RAMP_S;
            sends.push(Send { job, host });
            self.order.remove(at);
            self.order.push_back(host);
        }
    }
}

impl Policy for PullCpu {
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>) {
        match event {
            Event::Arrived { job, arrival } => {
                if self.is_short[arrival.kind] {
                    self.slots.handle(now_s, event, live, sends);
                } else {
                    self.take(now_s, job, arrival.kind, sends);
                }
            }
            Event::Ended { job, end, .. } => {
                if self.is_short[live.world().arrivals[job].kind] {
                    self.slots.handle(now_s, event, live, sends);
                } else if end.status == EndStatus::Killed {
                    self.retries.killed(now_s, job);
                }
            }
            Event::Heartbeat { .. } => {}
            Event::Turn => {
                self.slots.handle(now_s, Event::Turn, live, sends);
                if self.sample_due_s <= now_s {
                    self.sample(now_s, live);
                }
                while let Some(job) = self.retries.take(now_s) {
                    self.waiting.add(job, live.world().arrivals[job].kind);
                }
                if self.offer_due_s <= now_s {
                    self.offer(now_s, sends);
                }
            }
        }
    }

    fn next_deadline_s(&self) -> Option<f64> {
        let offer = (!self.waiting.is_empty()).then_some(self.offer_due_s);
        let others = [self.slots.next_deadline_s(), self.retries.next_s(), offer];
        let first_s = others
            .into_iter()
            .flatten()
            .fold(self.sample_due_s, f64::min);
        Some(first_s)
    }
}
