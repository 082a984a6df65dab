//! Host in virtual time: the progress of its jobs beside the use by others.
//!
//! [`pressure`](super::pressure) gives the slow-down of jobs. Where more memory is wanted
//! than there is, the largest job is killed until the rest fits.
//!
//! Jobs that use the same resources progress at the same pace, so each such class has one
//! clock and a heap of the clock's readings at which jobs end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::moment::Moment;
use super::policy::{End, EndStatus, JobIndex};
use super::pressure::{Pressure, THRASH_FROM, cores_left};
use super::slots::Slots;
use super::world::{self, Arrival, Needs, Sample, Sharing};

/// Classes of jobs, by whether a job uses the disk, and whether it uses the network.
pub(super) const CLASSES: usize = 4;
const USES_DISK: usize = 1;
const USES_NETWORK: usize = 2;

/// A host of the world while it runs, with the jobs on it.
#[derive(Debug)]
pub(crate) struct LiveHost {
    capacity: Needs,
    speed: f64,
    sharing: Sharing,
    others: Needs,
    speed_left: f64,
    /// Demand of all jobs together.
    wanted: Needs,
    jobs: Slots<Running>,
    classes: [Class; CLASSES],
    /// Served use at this moment; of memory, the part that is held.
    served: Usage,
    /// The time of the clocks and sums below.
    advanced: Moment,
    window: Window,
    strain: Strain,
}

/// Jobs that progress at one pace. Both clocks stand still without jobs.
#[derive(Debug, Default)]
struct Class {
    /// Work done by each job, in seconds at speed 1.
    work_s: f64,
    /// Run time of this work on the idle host, in seconds.
    busy_s: f64,
    work_pace: f64,
    busy_pace: f64,
    /// The readings of `work_s` at which jobs end, as bits: the bits of numbers from 0 up
    /// have the order of the numbers.
    ends: BinaryHeap<Reverse<(u64, usize)>>,
}

#[derive(Debug)]
struct Running {
    job: JobIndex,
    needs: Needs,
    class: usize,
    started: Moment,
    /// Readings of the clocks of its class.
    starts_at_busy_s: f64,
    ends_at_work_s: f64,
}

/// An execution that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) job: JobIndex,
    pub(crate) end: End,
}

/// Use by others and by jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) others: Needs,
    pub(crate) jobs: Needs,
}

/// Served use since the last heartbeat.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    length_s: f64,
    /// Use times seconds.
    sum: Usage,
}

/// Strain of the host and of others on it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Strain {
    /// CPU that others wanted within the host's cores, in core-seconds.
    pub(crate) others_wanted_s: f64,
    /// The part of it that jobs took.
    pub(crate) others_lost_s: f64,
    /// Seconds of thrashing.
    pub(crate) thrash_s: f64,
}

impl LiveHost {
    pub(crate) fn new(host: &world::Host, sharing: Sharing) -> Self {
        let capacity = host.capacity();
        for amount in [host.cores, host.memory, host.network, host.disk, host.speed] {
            assert!(amount > 0.0, "{} lacks a resource: {capacity:?}", host.id);
        }
        let mut new = Self {
            capacity,
            speed: host.speed,
            sharing,
            others: Needs::default(),
            speed_left: 1.0,
            wanted: Needs::default(),
            jobs: Slots::default(),
            classes: Default::default(),
            served: Usage::default(),
            advanced: Moment::default(),
            window: Window::default(),
            strain: Strain::default(),
        };
        new.refresh();
        new
    }

    /// Sets the use by others from now on.
    pub(crate) fn set_load(&mut self, now: Moment, sample: Sample, ended: &mut Vec<Ended>) {
        let speed_left = f64::from(sample.speed_left);
        assert!(speed_left > 0.0, "jobs never end: {sample:?}");
        self.advance(now);
        self.others = sample.needs();
        self.speed_left = speed_left;
        self.free_memory(now, ended);
        self.refresh();
    }

    /// Starts a job, and kills it at once if it does not fit.
    pub(crate) fn start(
        &mut self,
        now: Moment,
        job: JobIndex,
        arrival: &Arrival,
        ended: &mut Vec<Ended>,
    ) {
        self.advance(now);
        let needs = arrival.needs;
        let class = class_of(needs);
        let clock = &mut self.classes[class];
        if clock.ends.is_empty() {
            (clock.work_s, clock.busy_s) = (0.0, 0.0);
        }
        let running = Running {
            job,
            needs,
            class,
            started: now,
            starts_at_busy_s: clock.busy_s,
            ends_at_work_s: clock.work_s + arrival.work_s,
        };
        let end = running.ends_at_work_s.to_bits();
        let place = self.jobs.put(running);
        clock.ends.push(Reverse((end, place)));
        self.wanted.add(needs, 1.0);
        self.free_memory(now, ended);
        self.refresh();
    }

    /// Ends the jobs that are done by now.
    pub(crate) fn finish(&mut self, now: Moment, ended: &mut Vec<Ended>) {
        self.advance(now);
        for class in 0..CLASSES {
            loop {
                let clock = &mut self.classes[class];
                // An end that is less than the clock's step away would never be reached.
                let done = clock.work_s + clock.work_pace * Moment::STEP_S;
                let next = clock.ends.peek();
                if next.is_none_or(|Reverse((end, _))| f64::from_bits(*end) > done) {
                    break;
                }
                if let Some(Reverse((_, place))) = clock.ends.pop() {
                    ended.push(self.remove(now, place, EndStatus::Completed));
                }
            }
        }
        self.refresh();
    }

    /// Returns when the next job ends if nothing changes before.
    pub(crate) fn next_end(&self) -> Option<Moment> {
        let left_s = |class: &Class| {
            let Reverse((end, _)) = class.ends.peek()?;
            Some((f64::from_bits(*end) - class.work_s) / class.work_pace)
        };
        let next = self.classes.iter().filter_map(left_s);
        let next_s = next.min_by(f64::total_cmp)?;
        Some(self.advanced + next_s.max(0.0))
    }

    /// Returns wanted CPU over cores.
    pub(crate) fn utilization(&self) -> f64 {
        (self.others.cores + self.wanted.cores) / self.capacity.cores
    }

    /// Returns wanted memory over the capacity.
    pub(crate) fn memory_share(&self) -> f64 {
        (self.others.memory + self.wanted.memory) / self.capacity.memory
    }

    pub(crate) fn job_count(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = JobIndex> {
        self.jobs.iter().map(|(_, running)| running.job)
    }

    /// Visits each job with its work left, in seconds at speed 1.
    pub(crate) fn remaining(&self, now: Moment, visit: &mut dyn FnMut(JobIndex, f64)) {
        let passed_s = now.since(self.advanced);
        for (_, running) in self.jobs.iter() {
            let class = &self.classes[running.class];
            let work_s = class.work_s + class.work_pace * passed_s;
            visit(running.job, (running.ends_at_work_s - work_s).max(0.0));
        }
    }

    /// Returns the CPU that others want within the host's cores.
    pub(crate) fn others_cores(&self) -> f64 {
        self.others.cores.min(self.capacity.cores)
    }

    /// Returns the mean use since the window began, of memory the present use, and begins
    /// the next window.
    pub(crate) fn take_window(&mut self, now: Moment) -> Usage {
        self.advance(now);
        let Window { length_s, sum } = std::mem::take(&mut self.window);
        if length_s == 0.0 {
            return self.served;
        }
        let mean = |sum: Needs, now: Needs| Needs {
            cores: sum.cores / length_s,
            memory: now.memory,
            network: sum.network / length_s,
            disk: sum.disk / length_s,
        };
        Usage {
            others: mean(sum.others, self.served.others),
            jobs: mean(sum.jobs, self.served.jobs),
        }
    }

    /// Returns the strain since it was last taken.
    pub(crate) fn take_strain(&mut self, now: Moment) -> Strain {
        self.advance(now);
        std::mem::take(&mut self.strain)
    }

    /// Updates clocks and sums to the present, all at the pace that held until now.
    fn advance(&mut self, now: Moment) {
        let passed_s = now.since(self.advanced);
        if passed_s == 0.0 {
            return;
        }
        self.advanced = now;
        for class in &mut self.classes {
            class.work_s += class.work_pace * passed_s;
            class.busy_s += class.busy_pace * passed_s;
        }
        self.window.length_s += passed_s;
        self.window.sum.others.add(self.served.others, passed_s);
        self.window.sum.jobs.add(self.served.jobs, passed_s);
        let wanted = self.others_cores();
        let lost = (wanted - self.served.others.cores).max(0.0);
        self.strain.others_wanted_s += wanted * passed_s;
        self.strain.others_lost_s += lost * passed_s;
        if self.memory_share() > THRASH_FROM {
            self.strain.thrash_s += passed_s;
        }
    }

    /// Kills the largest jobs until the memory suffices.
    fn free_memory(&mut self, now: Moment, ended: &mut Vec<Ended>) {
        while self.memory_share() > 1.0 {
            let largest = self.jobs.iter().max_by(|(_, a), (_, b)| {
                let memory = a.needs.memory.total_cmp(&b.needs.memory);
                memory.then(a.job.cmp(&b.job))
            });
            let Some((largest, running)) = largest else {
                return;
            };
            let ends = &mut self.classes[running.class].ends;
            ends.retain(|Reverse((_, place))| *place != largest);
            ended.push(self.remove(now, largest, EndStatus::Killed));
        }
    }

    fn remove(&mut self, now: Moment, place: usize, status: EndStatus) -> Ended {
        let running = self.jobs.take(place);
        self.wanted.add(running.needs, -1.0);
        if self.job_count() == 0 {
            // No error from the rounding of sums remains.
            self.wanted = Needs::default();
        }
        let busy_s = self.classes[running.class].busy_s - running.starts_at_busy_s;
        let end = End {
            started_s: running.started.seconds(),
            status,
            cpu_s: running.needs.cores * busy_s,
            memory_max: running.needs.memory,
            network_bytes: running.needs.network * busy_s,
            disk_bytes: running.needs.disk * busy_s,
        };
        debug_assert!(running.started <= now, "{running:?} ends before it starts");
        let job = running.job;
        Ended { job, end }
    }

    /// Computes the paces and the served use.
    fn refresh(&mut self) {
        let (others, jobs, capacity) = (self.others, self.wanted, self.capacity);
        let pressure = Pressure::new(capacity, self.sharing, others, jobs);
        let (others_cores, jobs_cores) = match self.sharing {
            Sharing::Fair => {
                let queueing = pressure.cpu.max(1.0);
                (others.cores / queueing, jobs.cores / queueing)
            }
            Sharing::Priority => {
                let jobs_cores = jobs.cores.min(cores_left(capacity, others));
                (others.cores.min(capacity.cores - jobs_cores), jobs_cores)
            }
        };
        let served = |wanted: Needs, cores: f64| Needs {
            cores,
            memory: wanted.memory,
            network: wanted.network / pressure.network.max(1.0),
            disk: wanted.disk / pressure.disk.max(1.0),
        };
        self.served.others = served(others, others_cores);
        self.served.jobs = served(jobs, jobs_cores);
        for (index, class) in self.classes.iter_mut().enumerate() {
            class.busy_pace = 1.0 / pressure.slowdown(needs_of_class(index));
            class.work_pace = self.speed * self.speed_left * class.busy_pace;
        }
    }
}

/// Returns the class of jobs with these needs: those that use the same resources
/// progress at the same pace.
pub(super) fn class_of(needs: Needs) -> usize {
    let uses = |flag, rate: f64| if rate > 0.0 { flag } else { 0 };
    uses(USES_DISK, needs.disk) | uses(USES_NETWORK, needs.network)
}

/// Returns the needs of some job of the class, as far as its pace depends on them.
pub(super) fn needs_of_class(class: usize) -> Needs {
    let uses = |flag| if class & flag == 0 { 0.0 } else { 1.0 };
    Needs {
        disk: uses(USES_DISK),
        network: uses(USES_NETWORK),
        ..Needs::default()
    }
}
