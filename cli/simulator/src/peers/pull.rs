//! Pull by slots: hosts request jobs when they have a free slot, as with a work queue.
//!
//! Requests are served in the order of arrival, and so are jobs of one kind; where a slot
//! suits several kinds, the oldest job is first. Asking takes no time, which favours this
//! policy.

use std::collections::VecDeque;

use super::super::policy::{EndStatus, Event, HostIndex, JobIndex, Live, Policy, Send};
use super::super::world::{Kind, World};
use super::fleet::Fleet;
use super::retries::Retries;

/// The number of slots of a host.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slots {
    /// So many a core for all kinds together.
    Shared { per_core: f64 },
    /// Each kind has its own, fewer the longer its jobs are.
    PerCategory,
}

/// Jobs declared to be shorter than this are short, at most so long as the second are
/// medium, and others long.
pub(super) const SHORT_S: f64 = 0.5;
const MEDIUM_S: f64 = 8.0;

fn per_core(kind: &Kind) -> f64 {
    if kind.duration_s < SHORT_S {
        1.0
    } else if kind.duration_s < MEDIUM_S {
        0.5
    } else {
        0.35
    }
}

/// A work queue from which hosts request jobs.
pub(super) struct Pull {
    fleet: Fleet,
    /// The class of slots that each kind takes.
    class_of: Vec<usize>,
    /// The hosts that request jobs, once for each free slot of the class.
    requests: Vec<VecDeque<HostIndex>>,
    waiting: Queues,
    retries: Retries,
}

impl Pull {
    pub(super) fn new(world: &World, slots: Slots) -> Self {
        let kinds = &world.kinds;
        let (class_of, shares) = match slots {
            Slots::Shared { per_core } => (vec![0; kinds.len()], vec![per_core]),
            Slots::PerCategory => (
                (0..kinds.len()).collect(),
                kinds.iter().map(per_core).collect(),
            ),
        };
        let fleet = Fleet::new(world);
        Self {
            requests: shares
                .iter()
                .map(|share| requests(&fleet, *share))
                .collect(),
            class_of,
            fleet,
            waiting: Queues::new(kinds.len()),
            retries: Retries::default(),
        }
    }

    fn take(&mut self, job: JobIndex, kind: usize, sends: &mut Vec<Send>) {
        let requests = &mut self.requests[self.class_of[kind]];
        let fleet = &self.fleet;
        let first = requests.iter().position(|host| fleet.may_run(kind, *host));
        match first.and_then(|at| requests.remove(at)) {
            Some(host) => sends.push(Send { job, host }),
            None => self.waiting.add(job, kind),
        }
    }

    /// Gives a slot that became free the oldest job, or adds it to the requests.
    fn free(&mut self, class: usize, host: HostIndex, sends: &mut Vec<Send>) {
        let (class_of, fleet) = (&self.class_of, &self.fleet);
        let suits = |kind: usize| class_of[kind] == class && fleet.may_run(kind, host);
        match self.waiting.take_oldest(suits) {
            Some(job) => sends.push(Send { job, host }),
            None => self.requests[class].push_back(host),
        }
    }
}

/// Returns the requests of all slots: the first of each host, then the second.
fn requests(fleet: &Fleet, per_core: f64) -> VecDeque<HostIndex> {
    let slots = |host: &HostIndex| (fleet.cores[*host] * per_core).round().max(1.0);
    let hosts: Vec<HostIndex> = (0..fleet.cores.len()).collect();
    let mut requests = VecDeque::new();
    let mut round = 0.0;
    loop {
        let before = requests.len();
        requests.extend(hosts.iter().filter(|host| slots(host) > round));
        if requests.len() == before {
            return requests;
        }
        round += 1.0;
    }
}

impl Policy for Pull {
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>) {
        match event {
            Event::Arrived { job, arrival } => self.take(job, arrival.kind, sends),
            Event::Ended { job, host, end } => {
                match end.status {
                    EndStatus::Completed => {}
                    EndStatus::Killed => self.retries.killed(now_s, job),
                }
                let kind = live.world().arrivals[job].kind;
                self.free(self.class_of[kind], host, sends);
            }
            Event::Heartbeat { .. } => {}
            Event::Turn => {
                while let Some(job) = self.retries.take(now_s) {
                    self.take(job, live.world().arrivals[job].kind, sends);
                }
            }
        }
    }

    fn next_deadline_s(&self) -> Option<f64> {
        self.retries.next_s()
    }
}

/// The jobs that wait, of each kind the oldest first.
pub(super) struct Queues {
    of_kind: Vec<VecDeque<JobIndex>>,
}

impl Queues {
    pub(super) fn new(kinds: usize) -> Self {
        Self {
            of_kind: vec![VecDeque::new(); kinds],
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of_kind.iter().all(VecDeque::is_empty)
    }

    /// Puts a job at the position where it was stored: one that is sent again is older.
    pub(super) fn add(&mut self, job: JobIndex, kind: usize) {
        let queue = &mut self.of_kind[kind];
        let at = queue.partition_point(|other| *other < job);
        queue.insert(at, job);
    }

    /// Takes the oldest job of the matching kinds.
    pub(super) fn take_oldest(&mut self, suits: impl Fn(usize) -> bool) -> Option<JobIndex> {
        let queues = self.of_kind.iter_mut().enumerate();
        let (_, queue) = queues
            .filter(|(kind, queue)| !queue.is_empty() && suits(*kind))
            .min_by_key(|(_, queue)| queue.front().copied())?;
        queue.pop_front()
    }
}
