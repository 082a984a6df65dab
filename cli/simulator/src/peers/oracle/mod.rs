//! Oracle, the reference: it knows the future use by others and the length of each job.
//!
//! For each host it follows what will happen there, and places the job where it ends
//! soonest with the least delay to others. It is greedy: it does not know which jobs will
//! arrive, so it estimates the cost to others by how near to full the host will be.

mod timeline;

use super::super::policy::{End, HostIndex, JobIndex};
use super::super::world::World;
use super::fleet::least;
use super::push::{Choice, Flight, Query};
use timeline::Timeline;

pub(super) struct Oracle {
    rng: fastrand::Rng,
    /// Timeline of each host; `None` where it changed.
    timelines: Vec<Option<Timeline>>,
    /// The jobs sent to each host, with their times.
    sent: Vec<Vec<(JobIndex, f64)>>,
}

impl Oracle {
    pub(super) fn new(world: &World) -> Self {
        let hosts = world.hosts.len();
        Self {
            rng: fastrand::Rng::with_seed(world.seed),
            timelines: (0..hosts).map(|_| None).collect(),
            sent: vec![Vec::new(); hosts],
        }
    }

    fn timeline(&mut self, query: &Query<'_>, host: HostIndex) -> &mut Timeline {
        let sent = &self.sent[host];
        self.timelines[host].get_or_insert_with(|| timeline(query, host, sent))
    }
}

/// Follows the jobs on the host, and those that are on their way to it.
fn timeline(query: &Query<'_>, host: HostIndex, sent: &[(JobIndex, f64)]) -> Timeline {
    let world = query.live.world();
    let mut timeline = Timeline::new(query.now_s);
    let mut there = Vec::new();
    query.live.remaining(host, &mut |job, work_s| {
        timeline.add(work_s, world.arrivals[job].needs);
        there.push(job);
    });
    let left_s = query.now_s - world.hosts[host].latency_s;
    for (job, sent_s) in sent {
        if *sent_s >= left_s && !there.contains(job) {
            let arrival = &world.arrivals[*job];
            timeline.add(arrival.work_s, arrival.needs);
        }
    }
    timeline
}

impl Choice for Oracle {
    /// It knows the memory of each job, and a small one fits earlier.
    const LOOK_AHEAD: usize = 32;

    fn choose(&mut self, query: &Query<'_>, candidates: &[HostIndex]) -> Option<HostIndex> {
        let world = query.live.world();
        let arrival = &world.arrivals[query.job];
        let mut least_cost = f64::INFINITY;
        let mut rng = self.rng.clone();
        let best = least(candidates, &mut rng, |index| {
            let host = &world.hosts[index];
            let way = 2.0 * host.latency_s;
            let timeline = self.timeline(query, index);
            let cost = timeline.cost(host, world.sharing, query.now_s, arrival, least_cost - way);
            least_cost = least_cost.min(cost + way);
            cost + way
        });
        self.rng = rng;
        best.filter(|_| least_cost < f64::INFINITY)
    }

    fn sent(&mut self, query: &Query<'_>, host: HostIndex) {
        self.sent[host].push((query.job, query.now_s));
        self.timelines[host] = None;
    }

    fn ended(&mut self, query: &Query<'_>, flight: &Flight, _end: &End) {
        self.sent[flight.host].retain(|(job, _)| *job != query.job);
        self.timelines[flight.host] = None;
    }
}
