//! Timeline of one host without new jobs, and the cost of one more job.
//!
//! The model of a host is the engine's. Only the ends of jobs on it are assumed not to
//! move when another joins them.

use std::collections::VecDeque;

use super::super::super::host::{CLASSES, class_of, needs_of_class};
use super::super::super::pressure::Pressure;
use super::super::super::world::{Arrival, Host, Needs, Sharing};

/// The margin below full at which the cost of a host begins to rise, as a share of the
/// host: later arrivals are unknown.
const CAUTION: f64 = 0.15;
/// The share of the memory that may be in use where jobs run: from 93 % on it thrashes.
const MEMORY_SHARE_MAX: f64 = 0.92;
/// Remaining work of a job that is done, because of the rounding of sums.
const WORK_MIN_S: f64 = 1e-9;

/// A stretch of time in which nothing changes.
#[derive(Debug)]
struct Span {
    end_s: f64,
    others: Needs,
    jobs: Needs,
    job_count: f64,
    /// The host's, less the part that no metric shows.
    speed: f64,
}

/// A job on the host.
#[derive(Debug)]
struct Running {
    work_s: f64,
    needs: Needs,
}

#[derive(Debug)]
pub(super) struct Timeline {
    spans: VecDeque<Span>,
    /// The end of the known spans, and the jobs that run then.
    end_s: f64,
    running: Vec<Running>,
    jobs: Needs,
    /// Memory of all jobs that are there at the beginning. It has to suffice even if none
    /// of them ends: later jobs may delay them.
    memory: f64,
}

impl Timeline {
    pub(super) fn new(now_s: f64) -> Self {
        Self {
            spans: VecDeque::new(),
            end_s: now_s,
            running: Vec::new(),
            jobs: Needs::default(),
            memory: 0.0,
        }
    }

    /// Adds a job that is there at the beginning.
    pub(super) fn add(&mut self, work_s: f64, needs: Needs) {
        debug_assert!(self.spans.is_empty(), "the future is known already");
        self.jobs.add(needs, 1.0);
        self.memory += needs.memory;
        self.running.push(Running { work_s, needs });
    }

    /// Returns the cost of the job from now on, in seconds: the time until it ends, and
    /// the delay of others. It is infinite if the memory does not suffice, and not
    /// computed further than to `limit`.
    pub(super) fn cost(
        &mut self,
        host: &Host,
        sharing: Sharing,
        now_s: f64,
        arrival: &Arrival,
        limit: f64,
    ) -> f64 {
        while self.spans.front().is_some_and(|span| span.end_s <= now_s) {
            self.spans.pop_front();
        }
        // If nothing runs, only the job itself can be too much.
        let share_max = if self.memory > 0.0 {
            MEMORY_SHARE_MAX
        } else {
            1.0
        };
        let memory_max = share_max * host.memory;
        let mut work_s = arrival.work_s;
        let mut at_s = now_s;
        let mut cost = 0.0;
        for index in 0.. {
            if index == self.spans.len() {
                self.extend(host, sharing);
            }
            let span = &self.spans[index];
            let mut jobs = span.jobs;
            jobs.add(arrival.needs, 1.0);
            let pressure = Pressure::new(host.capacity(), sharing, span.others, jobs);
            if span.others.memory + self.memory + arrival.needs.memory > memory_max {
                return f64::INFINITY;
            }
            let slowdown = pressure.slowdown(arrival.needs);
            let pace = span.speed / slowdown;
            let passed_s = (span.end_s - at_s).max(0.0).min(work_s / pace);
            let expected = expected(&pressure, arrival.needs, span.job_count);
            cost += passed_s / slowdown * expected;
            work_s -= passed_s * pace;
            if work_s <= WORK_MIN_S || cost >= limit {
                break;
            }
            at_s = at_s.max(span.end_s);
        }
        cost
    }

    /// Adds the next span: until a job ends or the use by others changes.
    fn extend(&mut self, host: &Host, sharing: Sharing) {
        let load = &host.load;
        let index = load.index_at(self.end_s);
        let sample = load.samples[index];
        let others = sample.needs();
        let is_last = index + 1 == load.samples.len();
        let step_end_s = if is_last {
            f64::INFINITY
        } else {
            load.begin_s(index + 1)
        };
        let speed = host.speed * f64::from(sample.speed_left);
        let pressure = Pressure::new(host.capacity(), sharing, others, self.jobs);
        let mut pace = [0.0; CLASSES];
        for (class, pace) in pace.iter_mut().enumerate() {
            *pace = speed / pressure.slowdown(needs_of_class(class));
        }
        let pace_of = |needs: &Needs| pace[class_of(*needs)];
        let ends = self.running.iter();
        let first_end_s = ends
            .map(|job| job.work_s / pace_of(&job.needs))
            .fold(f64::INFINITY, f64::min);
        let passed_s = first_end_s.min(step_end_s - self.end_s);
        let job_count = self.running.len() as f64;
        self.end_s += passed_s;
        self.spans.push_back(Span {
            end_s: self.end_s,
            others,
            jobs: self.jobs,
            job_count,
            speed,
        });
        let jobs = &mut self.jobs;
        self.running.retain_mut(|job| {
            job.work_s -= passed_s * pace_of(&job.needs);
            let is_left = job.work_s > WORK_MIN_S;
            if !is_left {
                jobs.add(job.needs, -1.0);
            }
            is_left
        });
    }
}

/// Returns the expected slow-down of the job, and of others because of it, where jobs yet
/// unknown may arrive too.
fn expected(pressure: &Pressure, needs: Needs, job_count: f64) -> f64 {
    let busiest = pressure.busiest(needs);
    let over = busiest - 1.0;
    let root = over.hypot(CAUTION);
    let (queueing, rise) = (f64::midpoint(over, root), f64::midpoint(1.0, over / root));
    let own = (1.0 + queueing) * pressure.interference * pressure.thrash;
    own + busiest * rise + (pressure.thrash - 1.0) * job_count
}
