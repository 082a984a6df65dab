//! Profiles of categories: the needs of their jobs as declared, as learned, and as
//! placement uses them.
//!
//! There are two sources. Outcomes report how long an execution ran, its CPU time,
//! largest memory and bytes moved. Heartbeats report what all jobs of a node use
//! together, which calibrates the averages by normalized least mean squares (Widrow and
//! Hoff), for workers whose outcomes report no usage and for jobs too long to have ended.
//! Placement needs the use while a job runs, so long executions weigh more: averages are
//! ratios of sums.
//!
//! The node is factored out: run times are those on a core of speed 1 that is not shared.
//! Until there are enough outcomes the declared profile is blended in, and of memory
//! peaks the larger of both counts, because over-commit kills.

mod observation;
mod quantiles;
mod sums;

use rolecast_common::resource::{ByResource, Resource};
use rolecast_common::wire::{LearnedProfile, ProfileView};
use rolecast_forecast::{BUCKET_EDGES_S, BUCKETS};

use crate::category::{Profile, Weights};
use crate::placement::{Amounts, Needs, amounts, resources};
pub(crate) use observation::Observation;
use observation::{RUN_MAX_S, RUN_MIN_S};
use quantiles::Quantiles;
use sums::Sums;

/// Weight of the declared profile, in outcomes.
const DECLARED_WORTH: f64 = 10.0;
/// Outcomes below which run times are not judged.
const ENOUGH: u64 = 30;
/// Outcomes with memory below which the declared peak of memory is not undercut.
const ENOUGH_MEMORY: f32 = 30.0;
/// Outcomes between two updates, once there are enough and one changes little.
const REFRESH_EVERY: u64 = 16;
/// The share of executions whose memory the learned peak covers.
const PEAK_SHARE: f32 = 0.95;
/// Rate at which heartbeats calibrate: a twentieth of the error, shared out by count.
/// From simulation; a larger one follows noise.
const CALIBRATION_RATE: f32 = 0.05;
/// Prior added to the squares of the counts, so that few jobs teach little.
const CALIBRATION_PRIOR: f32 = 4.0;
/// The largest factor by which calibration may change an average from outcomes or the
/// declaration, either way: heartbeats know sums only.
const CALIBRATION_MAX: f32 = 8.0;
/// The share of the calibration that is taken back with each outcome that reports usage
/// itself.
const ANCHOR: f32 = 0.02;
/// Number of durations of a job for which memory must suffice on its node.
const STAY_DURATIONS: f64 = 2.5;

/// The declared and learned profile of one category.
#[derive(Clone, Debug)]
pub struct Learner {
    declared: Profile,
    weights: Weights,
    sums: Sums,
    work: Quantiles,
    memory: Quantiles,
    /// Factors by which heartbeats correct the averages.
    calibration: Amounts,
    count: u64,
    /// The number of observations with figures that no machine could have produced; they
    /// were left out or limited.
    clamped: u64,
    /// The memory that few executions exceed, in bytes, at the last update.
    memory_most: f32,
    needs: Needs,
}

impl Learner {
    pub fn new(declared: Profile, weights: Weights) -> Self {
        let mut learner = Self {
            declared,
            weights,
            sums: Sums::default(),
            work: Quantiles::default(),
            memory: Quantiles::default(),
            calibration: Amounts::all(1.0),
            count: 0,
            clamped: 0,
            memory_most: 0.0,
            needs: Needs {
                average: Amounts::default(),
                memory_peak: 0.0,
                memory_declared: 0.0,
                duration_s: 0.0,
                stay: [0.0; BUCKETS],
                reach: 1,
                weights,
            },
        };
        learner.refresh();
        learner
    }

    /// Returns the needs for placement.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Returns the mean of the logarithm of the undisturbed run time on a core of speed
    /// 1, in seconds. Measured runs are compared with it.
    pub(crate) fn log_duration(&self) -> f64 {
        // Mean of an exponential distribution with the declared mean.
        let declared = self.declared_duration_s().ln() - 0.577;
        let runs = &self.sums.runs;
        (runs.log_alone + DECLARED_WORTH * declared) / (runs.count + DECLARED_WORTH)
    }

    /// Returns the mean of the logarithm of the CPU time of a job on a core of
    /// speed 1, in seconds; `None` before enough is known.
    pub(crate) fn log_work(&self) -> Option<f64> {
        let measured = &self.sums.measured;
        (measured.count >= DECLARED_WORTH).then(|| measured.log_work / measured.count)
    }

    /// Whether run times can be judged: before that, the declared duration may be far
    /// off.
    pub(crate) fn is_known(&self) -> bool {
        self.count >= ENOUGH
    }

    /// Learns from an execution, limited to what its node can do, and returns the limited
    /// one; `None` if no machine could have done it, and then nothing may learn from it.
    pub(crate) fn observe(&mut self, seen: &Observation) -> Option<Observation> {
        let Some(limited) = seen.limited() else {
            self.clamped += 1;
            return None;
        };
        self.clamped += u64::from(seen.exceeds(&limited));
        let seen = limited;
        self.count += 1;
        self.sums.add(&seen);
        if seen.cpu_s > 0.0 {
            for factor in self.calibration.iter_mut() {
                *factor += ANCHOR * (1.0 - *factor);
            }
        }
        self.work.add(seen.alone_s());
        if seen.memory > 0.0 {
            self.memory.add(seen.memory);
        }
        if self.count < ENOUGH || self.count.is_multiple_of(REFRESH_EVERY) {
            self.refresh();
        }
        Some(seen)
    }

    /// Corrects the averages by the measured use of all jobs of a node: `error` is that
    /// use less the sum expected, `share` the mean number of running jobs of this
    /// category, and `squares` the sum of the squares of all categories' shares.
    pub(crate) fn calibrate(&mut self, error: &Amounts, share: f32, squares: f32) {
        let rate = CALIBRATION_RATE * share / (CALIBRATION_PRIOR + squares);
        for resource in Resource::ALL {
            let (factor, error) = (&mut self.calibration[resource], error[resource]);
            let average = &mut self.needs.average[resource];
            if *average > 0.0 && error.is_finite() {
                let relative = 1.0 + (rate * error / *average).clamp(-0.1, 0.1);
                let before = *factor;
                // Jobs fill their memory at different moments; a low use at present is no
                // reason to promise the memory that they will need.
                let least = match resource {
                    Resource::Memory => 1.0,
                    Resource::Cpu | Resource::Network | Resource::Disk => 1.0 / CALIBRATION_MAX,
                };
                *factor = (before * relative).clamp(least, CALIBRATION_MAX);
                *average *= *factor / before;
            }
        }
        // The peak is what outcomes and the declaration give, and at least the average.
        let average = self.needs.average[Resource::Memory];
        self.needs.memory_peak = (self.memory_most - average).max(0.0);
    }

    /// Returns the declared and the learned profile.
    pub(crate) fn view(&self) -> ProfileView {
        let seconds = |share| self.work.get(share).unwrap_or(0.0);
        let bytes = |share| self.memory.get(share).unwrap_or(0.0);
        ProfileView {
            average: self.declared.average,
            peak: self.declared.peak,
            duration_s: self.declared_duration_s(),
            learned: LearnedProfile {
                jobs: self.count,
                clamped: self.clamped,
                average: resources(self.needs.average),
                duration_s: f64::from(self.needs.duration_s),
                duration_p50_s: seconds(0.5),
                duration_p95_s: seconds(0.95),
                memory_p50: bytes(0.5),
                memory_p95: self.memory.get_without_odd_one(PEAK_SHARE).unwrap_or(0.0),
            },
        }
    }

    fn declared_duration_s(&self) -> f64 {
        self.declared
            .duration
            .as_secs_f64()
            .clamp(RUN_MIN_S, RUN_MAX_S)
    }

    /// Recomputes the needs for placement.
    #[allow(clippy::cast_possible_truncation, reason = "seven digits are enough")]
    fn refresh(&mut self) {
        let Sums {
            runs,
            measured,
            memory,
        } = &self.sums;
        let declared = amounts(self.declared.average).map(f64::from);
        let declared_s = self.declared_duration_s();
        // The declaration counts as some executions of its length.
        let prior_s = DECLARED_WORTH * declared_s;
        let prior_s = if measured.run_s > 0.0 {
            prior_s.min(DECLARED_WORTH * measured.run_s / runs.count.max(1.0))
        } else {
            prior_s
        };
        let rate =
            |sum: f64, declared: f64| (sum + prior_s * declared) / (measured.run_s + prior_s);
        let learned = ByResource::from_fn(|resource| match resource {
            Resource::Cpu => rate(measured.cpu_s, declared[resource]),
            Resource::Memory => {
                let sum = memory.bytes + DECLARED_WORTH * declared[resource];
                sum / (memory.count + DECLARED_WORTH)
            }
            Resource::Network => rate(measured.network_bytes, declared[resource]),
            Resource::Disk => rate(measured.disk_bytes, declared[resource]),
        });
        let mut average = learned.map(|value| value as f32);
        for (average, factor) in average.iter_mut().zip(self.calibration) {
            *average *= factor;
        }
        let duration_s =
            (runs.alone_s + DECLARED_WORTH * declared_s) / (runs.count + DECLARED_WORTH);
        self.memory_most = self.memory_peak() as f32;
        self.needs = Needs {
            average,
            memory_peak: (self.memory_most - average[Resource::Memory]).max(0.0),
            memory_declared: self.memory_declared() as f32,
            duration_s: duration_s as f32,
            stay: self.stay(declared_s),
            reach: reach(duration_s),
            weights: self.weights,
        };
    }

    /// Returns the memory that few executions exceed, in bytes.
    fn memory_peak(&self) -> f64 {
        let declared = f64::from(amounts(self.declared.peak)[Resource::Memory]);
        match self.memory.get_without_odd_one(PEAK_SHARE) {
            Some(learned) if self.memory.count() >= ENOUGH_MEMORY => learned,
            Some(learned) => learned.max(declared),
            None => declared,
        }
    }

    fn memory_declared(&self) -> f64 {
        let (average, peak) = (self.declared.average, self.declared.peak);
        let most = amounts(average)[Resource::Memory].max(amounts(peak)[Resource::Memory]);
        f64::from(most)
    }

    /// Returns the share of an execution's time that is spent in each bucket:
    /// an exponential distribution as declared, then as measured.
    #[allow(clippy::cast_possible_truncation, reason = "seven digits are enough")]
    fn stay(&self, declared_s: f64) -> [f32; BUCKETS] {
        let left = |edge: f64| declared_s * (-edge / declared_s).exp();
        let times: [f64; BUCKETS] = std::array::from_fn(|bucket| {
            let end = BUCKET_EDGES_S[bucket + 1];
            let end = if bucket + 1 == BUCKETS {
                f64::INFINITY
            } else {
                end
            };
            let prior = left(BUCKET_EDGES_S[bucket]) - left(end);
            let worth = if self.count < ENOUGH {
                DECLARED_WORTH
            } else {
                0.0
            };
            self.sums.runs.stay_s[bucket] + worth * prior
        });
        let total: f64 = times.iter().sum();
        times.map(|time| (time / total.max(1e-12)) as f32)
    }
}

/// Returns the number of buckets that a job of this length may reach.
fn reach(duration_s: f64) -> usize {
    let until = STAY_DURATIONS * duration_s;
    let starts = BUCKET_EDGES_S.iter().take(BUCKETS);
    starts.filter(|start| **start < until).count().max(1)
}

#[cfg(test)]
mod tests;
