//! Results of a run.
//!
//! The slow-down of a job is its response, from its arrival until its end is reported,
//! over its run time alone on the fastest host that may run it. Jobs that never completed
//! count as ended when the run ends.

use hdrhistogram::Histogram;

use super::host::Strain;
use super::moment::Moment;
use super::world::{Arrival, World};

/// The fewest measured jobs of a kind with a meaningful tail.
const JOBS_MIN: u64 = 100;
/// Histograms keep three digits of thousandths of a slow-down and of microseconds.
const DIGITS: u8 = 3;
const PER_SLOWDOWN: f64 = 1e3;
const PER_SECOND: f64 = 1e6;
/// Far above the count of any run, and well within a histogram.
const COUNT_MAX: f64 = 1e15;

/// The measured part of one run: the jobs that arrive after the warm-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// One for each of the world's kinds, in their order.
    pub kinds: Vec<KindMetrics>,
    /// The geometric mean of the kinds' `p99` slow-downs: of kinds that any role may run,
    /// with at least 100 measured jobs. `None` without such kinds.
    pub gm99: Option<f64>,
    /// The same of their `p999` slow-downs.
    pub gm999: Option<f64>,
    /// The mean of the same kinds' `misses`.
    pub misses: Option<f64>,
    /// Executions killed for lack of memory.
    pub kills: u64,
    /// Jobs killed ten times that never completed.
    pub failures: u64,
    /// Other jobs that had not completed when the run ended.
    pub unfinished: u64,
    /// Jobs that the policy held back when arrivals ended.
    pub queued: usize,
    /// Host-seconds above 93 % of the memory, from the warm-up to the end of arrivals.
    pub thrash_s: f64,
    /// The share, from 0 to 1, of the CPU that others wanted and jobs took from them, in the
    /// same time.
    pub squeeze: f64,
}

/// The measured jobs of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindMetrics {
    /// Their number.
    pub jobs: u64,
    /// Their slow-downs, as multiples of the time alone on the fastest host.
    pub slowdown: Spread,
    /// Their times from arrival to reported end, in seconds.
    pub response: Spread,
    /// The share of jobs, from 0 to 1, whose slow-down is above their objective.
    pub misses: f64,
}

/// Distribution of a quantity; all zero without jobs. Quantiles have three digits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The arithmetic mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 90 % quantile.
    pub p90: f64,
    /// The 99 % quantile.
    pub p99: f64,
    /// The 99.9 % quantile.
    pub p999: f64,
}

/// Counts jobs while they end.
#[derive(Debug)]
pub(crate) struct Tally<'a> {
    world: &'a World,
    kinds: Vec<KindTally>,
    kills: u64,
    failures: u64,
    unfinished: u64,
    queued: usize,
    strain: Strain,
}

#[derive(Debug)]
struct KindTally {
    /// The fastest speed among the hosts that may run it.
    speed: f64,
    slowdowns: Counts,
    responses: Counts,
    missed: u64,
}

#[derive(Debug)]
struct Counts {
    per_unit: f64,
    sum: f64,
    histogram: Histogram<u64>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let kind = |kind: usize| {
            let places = (0..world.hosts.len()).filter(|host| world.may_run(kind, *host));
            let speeds = places.map(|host| world.hosts[host].speed);
            let speed = speeds.max_by(f64::total_cmp);
            let category = &world.kinds[kind].category;
            KindTally {
                speed: speed.unwrap_or_else(|| panic!("no host may run {category}")),
                slowdowns: Counts::new(PER_SLOWDOWN),
                responses: Counts::new(PER_SECOND),
                missed: 0,
            }
        };
        Self {
            world,
            kinds: (0..world.kinds.len()).map(kind).collect(),
            kills: 0,
            failures: 0,
            unfinished: 0,
            queued: 0,
            strain: Strain::default(),
        }
    }

    pub(crate) fn completed(&mut self, now: Moment, arrival: &Arrival) {
        if self.is_measured(arrival) {
            self.count(now, arrival);
        }
    }

    pub(crate) fn killed(&mut self, arrival: &Arrival) {
        self.kills += u64::from(self.is_measured(arrival));
    }

    /// Counts a job that had not completed when the run ended at `end`.
    pub(crate) fn missing(&mut self, end: Moment, arrival: &Arrival, is_failed: bool) {
        if !self.is_measured(arrival) {
            return;
        }
        self.count(end, arrival);
        self.failures += u64::from(is_failed);
        self.unfinished += u64::from(!is_failed);
    }

    pub(crate) fn queued(&mut self, count: usize) {
        self.queued = count;
    }

    pub(crate) fn strained(&mut self, strain: Strain) {
        self.strain.others_wanted_s += strain.others_wanted_s;
        self.strain.others_lost_s += strain.others_lost_s;
        self.strain.thrash_s += strain.thrash_s;
    }

    pub(crate) fn finish(self) -> Metrics {
        let kinds: Vec<KindMetrics> = self.kinds.iter().map(KindTally::finish).collect();
        let tail = |of: &dyn Fn(&KindMetrics) -> f64| {
            let kinds = kinds.iter().zip(&self.world.kinds);
            let counted =
                kinds.filter(|(kind, declared)| declared.roles.is_empty() && kind.jobs >= JOBS_MIN);
            counted.map(|(kind, _)| of(kind)).collect::<Vec<_>>()
        };
        let Strain {
            others_wanted_s,
            others_lost_s,
            thrash_s,
        } = self.strain;
        Metrics {
            gm99: geometric_mean(tail(&|kind| kind.slowdown.p99)),
            gm999: geometric_mean(tail(&|kind| kind.slowdown.p999)),
            misses: mean(tail(&|kind| kind.misses)),
            kinds,
            kills: self.kills,
            failures: self.failures,
            unfinished: self.unfinished,
            queued: self.queued,
            thrash_s,
            squeeze: share(others_lost_s, others_wanted_s),
        }
    }

    fn is_measured(&self, arrival: &Arrival) -> bool {
        arrival.at_s >= self.world.warm_up_s
    }

    fn count(&mut self, end: Moment, arrival: &Arrival) {
        let kind = &mut self.kinds[arrival.kind];
        let response_s = end.seconds() - arrival.at_s;
        let slowdown = response_s * kind.speed / arrival.work_s;
        kind.slowdowns.add(slowdown);
        kind.responses.add(response_s);
        kind.missed += u64::from(slowdown > self.world.kinds[arrival.kind].objective);
    }
}

impl KindTally {
    fn finish(&self) -> KindMetrics {
        let jobs = self.slowdowns.histogram.len();
        KindMetrics {
            jobs,
            slowdown: self.slowdowns.spread(),
            response: self.responses.spread(),
            misses: share(self.missed as f64, jobs as f64),
        }
    }
}

impl Counts {
    fn new(per_unit: f64) -> Self {
        let histogram = Histogram::new(DIGITS).expect("three digits are allowed");
        Self {
            per_unit,
            sum: 0.0,
            histogram,
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "neither negative nor above the maximum"
    )]
    fn add(&mut self, value: f64) {
        self.sum += value;
        let count = (value * self.per_unit).round().min(COUNT_MAX) as u64;
        let recorded = self.histogram.record(count);
        recorded.expect("a histogram grows up to the maximum");
    }

    fn spread(&self) -> Spread {
        let at = |quantile| self.histogram.value_at_quantile(quantile) as f64 / self.per_unit;
        Spread {
            mean: share(self.sum, self.histogram.len() as f64),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
        }
    }
}

/// Returns the arithmetic mean; `None` without values.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Returns the geometric mean of positive values; `None` without values. It is 0 if one is
/// zero, and NaN if one is negative.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    mean(values.into_iter().map(f64::ln)).map(f64::exp)
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
