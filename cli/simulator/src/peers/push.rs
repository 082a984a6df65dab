//! Policies that choose a host for each job as it arrives.
//!
//! A job that no host may take at the moment waits until a job ends on a host or a
//! heartbeat of one arrives: that host is offered to the waiting jobs, the oldest first.
//! A job that was killed keeps its age.

use std::collections::{BTreeMap, BTreeSet};

use super::super::policy::{
    End, EndStatus, Event, HostIndex, JobIndex, Live, Policy, Report, Send,
};
use super::super::world::World;
use super::fleet::Fleet;
use super::retries::Retries;

/// Choice of a host.
pub(super) trait Choice {
    /// The number of waiting jobs of one kind that are considered when a host may have
    /// room: one where all jobs of a kind are alike.
    const LOOK_AHEAD: usize = 1;

    /// Returns the host for the job, one of the candidates, which are in their order and
    /// at least one; `None` if the job should wait.
    fn choose(&mut self, query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex>;

    fn sent(&mut self, _query: &Query<'_>, _host: HostIndex) {}

    fn ended(&mut self, _query: &Query<'_>, _flight: &Flight, _end: &End) {}

    fn observe(&mut self, _host: HostIndex, _report: &Report<'_>) {}
}

/// A job, and the moment.
pub(super) struct Query<'a> {
    pub(super) now_s: f64,
    pub(super) job: JobIndex,
    pub(super) kind: usize,
    pub(super) fleet: &'a Fleet,
    pub(super) live: &'a dyn Live,
}

/// A job that is being sent, runs, or whose end is being reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) host: HostIndex,
    pub(super) sent_s: f64,
    /// Jobs in flight at the host when it was sent.
    pub(super) in_flight: f64,
}

/// A policy with its choice and its state.
pub(super) struct Push<C> {
    choice: C,
    fleet: Fleet,
    memory: Option<Memory>,
    /// For each kind; jobs are numbered in the order of their arrival.
    waiting: Vec<BTreeSet<JobIndex>>,
    flights: BTreeMap<JobIndex, Flight>,
    retries: Retries,
    /// Reused for each job.
    candidates: Vec<HostIndex>,
}

impl<C: Choice> Push<C> {
    pub(super) fn new(choice: C, world: &World, has_memory_check: bool) -> Self {
        Self {
            choice,
            fleet: Fleet::new(world),
            memory: has_memory_check.then(|| Memory::new(world)),
            waiting: vec![BTreeSet::new(); world.kinds.len()],
            flights: BTreeMap::new(),
            retries: Retries::default(),
            candidates: Vec::new(),
        }
    }

    fn take(&mut self, now_s: f64, job: JobIndex, live: &dyn Live, sends: &mut Vec<Send>) {
        let kind = live.world().arrivals[job].kind;
        let may_overtake = self.waiting[kind].len() < C::LOOK_AHEAD;
        if !may_overtake || !self.send(now_s, job, None, live, sends) {
            self.waiting[kind].insert(job);
        }
    }

    /// Sends the job if it may go to one of the hosts, or to this one.
    fn send(
        &mut self,
        now_s: f64,
        job: JobIndex,
        only: Option<HostIndex>,
        live: &dyn Live,
        sends: &mut Vec<Send>,
    ) -> bool {
        let kind = live.world().arrivals[job].kind;
        let mut candidates = match &only {
            None => self.fleet.eligible(kind),
            Some(host) if self.fleet.may_run(kind, *host) => std::slice::from_ref(host),
            Some(_) => return false,
        };
        if let Some(memory) = &self.memory {
            self.candidates.clear();
            let fitting = candidates.iter().filter(|host| memory.fits(**host, kind));
            self.candidates.extend(fitting);
            candidates = &self.candidates;
        }
        if candidates.is_empty() {
            return false;
        }
        let query = Query {
            now_s,
            job,
            kind,
            fleet: &self.fleet,
            live,
        };
        let Some(host) = self.choice.choose(&query, candidates) else {
            return false;
        };
        self.choice.sent(&query, host);
        let flight = Flight {
            host,
            sent_s: now_s,
            in_flight: self.fleet.in_flight[host],
        };
        self.flights.insert(job, flight);
        self.fleet.in_flight[host] += 1.0;
        if let Some(memory) = &mut self.memory {
            memory.reserved[host] += memory.needs[kind];
        }
        sends.push(Send { job, host });
        true
    }

    fn end(&mut self, now_s: f64, job: JobIndex, end: &End, live: &dyn Live) {
        let kind = live.world().arrivals[job].kind;
        let flight = self.flights.remove(&job).expect("only jobs sent end");
        self.fleet.in_flight[flight.host] -= 1.0;
        if let Some(memory) = &mut self.memory {
            memory.reserved[flight.host] -= memory.needs[kind];
        }
        let query = Query {
            now_s,
            job,
            kind,
            fleet: &self.fleet,
            live,
        };
        self.choice.ended(&query, &flight, end);
        match end.status {
            EndStatus::Completed => {}
            EndStatus::Killed => self.retries.killed(now_s, job),
        }
    }

    /// Offers a host that may have room to the waiting jobs, the oldest first.
    fn send_waiting(
        &mut self,
        now_s: f64,
        host: HostIndex,
        live: &dyn Live,
        sends: &mut Vec<Send>,
    ) {
        if self.waiting.iter().all(BTreeSet::is_empty) {
            return;
        }
        // For each kind, the last job that was considered, and how many did not fit.
        let mut visited = vec![(0, 0); self.waiting.len()];
        loop {
            let next = |(waiting, (from, refused)): (&BTreeSet<_>, &(_, _))| {
                let has_more = *refused < C::LOOK_AHEAD;
                has_more.then(|| waiting.range(*from..).next().copied())?
            };
            let Some(job) = self.waiting.iter().zip(&visited).filter_map(next).min() else {
                return;
            };
            let kind = live.world().arrivals[job].kind;
            visited[kind].0 = job + 1;
            if self.send(now_s, job, Some(host), live, sends) {
                self.waiting[kind].remove(&job);
            } else {
                visited[kind].1 += 1;
            }
        }
    }
}

impl<C: Choice> Policy for Push<C> {
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>) {
        match event {
            Event::Arrived { job, .. } => self.take(now_s, job, live, sends),
            Event::Ended { job, host, end } => {
                self.end(now_s, job, &end, live);
                self.send_waiting(now_s, host, live, sends);
            }
            Event::Heartbeat { host, report } => {
                if let Some(memory) = &mut self.memory {
                    memory.observe(host, &report);
                }
                self.choice.observe(host, &report);
                self.send_waiting(now_s, host, live, sends);
            }
            Event::Turn => {
                while let Some(job) = self.retries.take(now_s) {
                    self.take(now_s, job, live, sends);
                }
            }
        }
    }

    fn next_deadline_s(&self) -> Option<f64> {
        self.retries.next_s()
    }
}

/// Keeps jobs away from hosts whose memory they would not fit.
struct Memory {
    /// Memory that others do not use, less a reserve.
    free: Vec<f64>,
    capacity: Vec<f64>,
    reserved: Vec<f64>,
    /// Assumed need of one job of each kind.
    needs: Vec<f64>,
}

/// Assumed need of jobs, as a multiple of their declared average.
const MEMORY_NEED: f64 = 1.2;
/// The share of memory that may be in use.
const MEMORY_SHARE_MAX: f64 = 0.92;

impl Memory {
    fn new(world: &World) -> Self {
        let hosts = &world.hosts;
        let capacity: Vec<f64> = hosts.iter().map(|host| host.memory).collect();
        let kinds = world.kinds.iter();
        Self {
            free: capacity.iter().map(|all| MEMORY_SHARE_MAX * all).collect(),
            capacity,
            reserved: vec![0.0; hosts.len()],
            needs: kinds
                .map(|kind| MEMORY_NEED * kind.average.memory)
                .collect(),
        }
    }

    fn observe(&mut self, host: HostIndex, report: &Report<'_>) {
        let usage = &report.usage;
        let others = usage.total.memory.minus(usage.jobs.memory).get() as f64;
        self.free[host] = MEMORY_SHARE_MAX * self.capacity[host] - others;
    }

    fn fits(&self, host: HostIndex, kind: usize) -> bool {
        self.reserved[host] + self.needs[kind] <= self.free[host]
    }
}
