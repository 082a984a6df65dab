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

mod quantiles;

use rolecast_common::unit::{BytesPerSecond, Resources};
use rolecast_common::wire::{LearnedProfile, ProfileView};
use rolecast_forecast::{BUCKET_EDGES_S, BUCKETS};

use crate::category::{Profile, Weights};
use crate::placement::{Amounts, MEMORY, Needs, RESOURCES, amounts, resources};
use quantiles::Quantiles;

/// Weight of the declared profile, in outcomes.
const DECLARED_WORTH: f64 = 10.0;
/// Outcomes below which run times are not judged.
const ENOUGH: u64 = 30;
/// Outcomes with memory below which the declared peak of memory is not undercut.
const ENOUGH_MEMORY: f32 = 30.0;
/// Outcomes between two updates, once there are enough and one changes little.
const REFRESH_EVERY: u64 = 16;
/// The share that is forgotten with each outcome, once there are many: the last thousand
/// or so count.
const MEMORY_OF: f64 = 0.001;
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
/// The longest and shortest run that counts.
const RUN_MAX_S: f64 = 30.0 * 24.0 * 3600.0;
const RUN_MIN_S: f64 = 1e-6;

/// A rate that no device reaches, in bytes per second: the limit if a node does not
/// report its own.
const RATE_MAX: f64 = 1e11;
/// Tolerance above the limits, in seconds of them: a few ticks of the clock that counts
/// CPU time, and what buffers take at once.
const SLACK_S: f64 = 0.05;

/// One execution that completed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Time from its start to its end.
    pub run_s: f64,
    /// CPU time; 0 if unknown.
    pub cpu_s: f64,
    /// The most memory it used, in bytes; 0 if unknown.
    pub memory: f64,
    /// Bytes moved; 0 if unknown or none.
    pub network_bytes: f64,
    pub disk_bytes: f64,
    /// The speed of a core of its node.
    pub speed: f64,
    /// The predicted slow-down by sharing.
    pub slow_down: f64,
    /// The capacity of its node.
    pub capacity: Resources,
}

/// Decaying sums over observations.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: f64,
    /// Run time undisturbed at the speed of its node.
    run_s: f64,
    /// The same for executions whose CPU time is known, and that CPU time.
    known_run_s: f64,
    cpu_s: f64,
    network_bytes: f64,
    disk_bytes: f64,
    /// The number of executions whose memory is known, and the sum of it.
    memory_count: f64,
    memory: f64,
    /// The number of executions whose CPU time is known, and the logarithm of that time
    /// on a core of speed 1.
    known_count: f64,
    log_work: f64,
    /// Run time on a core of speed 1.
    alone_s: f64,
    log_alone: f64,
    stay_s: [f64; BUCKETS],
}

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
            calibration: [1.0; RESOURCES],
            count: 0,
            clamped: 0,
            memory_most: 0.0,
            needs: Needs {
                average: [0.0; RESOURCES],
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
    pub fn log_duration(&self) -> f64 {
        // Mean of an exponential distribution with the declared mean.
        let declared = self.declared_duration_s().ln() - 0.577;
        let sums = &self.sums;
        (sums.log_alone + DECLARED_WORTH * declared) / (sums.count + DECLARED_WORTH)
    }

    /// Returns the mean of the logarithm of the CPU time of a job on a core of
    /// speed 1, in seconds; `None` before enough is known.
    pub fn log_work(&self) -> Option<f64> {
        let sums = &self.sums;
        (sums.known_count >= DECLARED_WORTH).then(|| sums.log_work / sums.known_count)
    }

    /// Whether run times can be judged: before that, the declared duration may be far
    /// off.
    pub fn is_known(&self) -> bool {
        self.count >= ENOUGH
    }

    /// Learns from an execution, limited to what its node can do, and returns the limited
    /// one; `None` if no machine could have done it, and then nothing may learn from it.
    pub fn observe(&mut self, seen: &Observation) -> Option<Observation> {
        let seen = self.plausible(seen)?;
        self.count += 1;
        let undisturbed_s = (seen.run_s / seen.slow_down).max(RUN_MIN_S);
        let alone_s = (undisturbed_s * seen.speed).clamp(RUN_MIN_S, RUN_MAX_S);
        let keep = 1.0 - MEMORY_OF;
        let sums = &mut self.sums;
        for sum in [
            &mut sums.count,
            &mut sums.run_s,
            &mut sums.known_run_s,
            &mut sums.cpu_s,
            &mut sums.known_count,
            &mut sums.log_work,
            &mut sums.network_bytes,
            &mut sums.disk_bytes,
            &mut sums.alone_s,
            &mut sums.log_alone,
        ] {
            *sum *= keep;
        }
        sums.count += 1.0;
        sums.run_s += undisturbed_s;
        if seen.cpu_s > 0.0 {
            sums.known_run_s += undisturbed_s;
            sums.cpu_s += seen.cpu_s;
            sums.known_count += 1.0;
            sums.log_work += (seen.cpu_s * seen.speed).ln();
            sums.network_bytes += seen.network_bytes;
            sums.disk_bytes += seen.disk_bytes;
            for factor in &mut self.calibration {
                *factor += ANCHOR * (1.0 - *factor);
            }
        }
        sums.alone_s += alone_s;
        sums.log_alone += alone_s.ln();
        for (bucket, sum) in sums.stay_s.iter_mut().enumerate() {
            *sum = *sum * keep + spent(bucket, seen.run_s);
        }
        self.work.add(alone_s);
        if seen.memory > 0.0 {
            // The last thousand that report it count, however rare they are.
            sums.memory_count = sums.memory_count * keep + 1.0;
            sums.memory = sums.memory * keep + seen.memory;
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
    pub fn calibrate(&mut self, error: &Amounts, share: f32, squares: f32) {
        let rate = CALIBRATION_RATE * share / (CALIBRATION_PRIOR + squares);
        let averages = self.needs.average;
        for (index, factor) in self.calibration.iter_mut().enumerate() {
            let average = averages[index];
            if average > 0.0 && error[index].is_finite() {
                let relative = 1.0 + (rate * error[index] / average).clamp(-0.1, 0.1);
                let before = *factor;
                // Jobs fill their memory at different moments; a low use at present is no
                // reason to promise the memory that they will need.
                let least = if index == MEMORY {
                    1.0
                } else {
                    1.0 / CALIBRATION_MAX
                };
                *factor = (before * relative).clamp(least, CALIBRATION_MAX);
                self.needs.average[index] *= *factor / before;
            }
        }
        // The peak is what outcomes and the declaration give, and at least the average.
        let average = self.needs.average[MEMORY];
        self.needs.memory_peak = (self.memory_most - average).max(0.0);
    }

    /// Returns the declared and the learned profile.
    pub fn view(&self) -> ProfileView {
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

    /// Limits measured values to what the node can do, and counts the cases.
    fn plausible(&mut self, seen: &Observation) -> Option<Observation> {
        let figures = [
            seen.run_s,
            seen.cpu_s,
            seen.memory,
            seen.network_bytes,
            seen.disk_bytes,
        ];
        let is_finite = figures
            .iter()
            .all(|figure| figure.is_finite() && *figure >= 0.0);
        if !is_finite || seen.run_s < RUN_MIN_S || seen.run_s > RUN_MAX_S {
            self.clamped += 1;
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "no machine has 2^53 bytes")]
        let memory_max = seen.capacity.memory.get() as f64;
        let cpu_max = seen.capacity.cpu.get() * seen.run_s + SLACK_S;
        let bytes_max = |rate: BytesPerSecond| {
            let rate = if rate == BytesPerSecond::ZERO {
                RATE_MAX
            } else {
                rate.get()
            };
            rate * (seen.run_s + SLACK_S)
        };
        let limited = Observation {
            cpu_s: seen.cpu_s.min(cpu_max),
            memory: seen.memory.min(memory_max),
            network_bytes: seen.network_bytes.min(bytes_max(seen.capacity.network)),
            disk_bytes: seen.disk_bytes.min(bytes_max(seen.capacity.disk)),
            speed: seen.speed.clamp(0.05, 20.0),
            slow_down: seen.slow_down.clamp(1.0, 1e3),
            ..*seen
        };
        let is_limited = limited.cpu_s < seen.cpu_s
            || limited.memory < seen.memory
            || limited.network_bytes < seen.network_bytes
            || limited.disk_bytes < seen.disk_bytes;
        if is_limited {
            self.clamped += 1;
        }
        Some(limited)
    }

    /// Recomputes the needs for placement.
    #[allow(clippy::cast_possible_truncation, reason = "seven digits are enough")]
    fn refresh(&mut self) {
        let sums = &self.sums;
        let declared = amounts(self.declared.average).map(f64::from);
        let declared_s = self.declared_duration_s();
        // The declaration counts as some executions of its length.
        let prior_s = DECLARED_WORTH * declared_s;
        let blend = |sum: f64, run_s: f64, declared: f64| {
            let prior_s = if run_s > 0.0 {
                prior_s.min(DECLARED_WORTH * run_s / sums.count.max(1.0))
            } else {
                prior_s
            };
            (sum + prior_s * declared) / (run_s + prior_s)
        };
        let memory = (sums.memory + DECLARED_WORTH * declared[MEMORY])
            / (sums.memory_count + DECLARED_WORTH);
        let learned = [
            blend(sums.cpu_s, sums.known_run_s, declared[0]),
            memory,
            blend(sums.network_bytes, sums.known_run_s, declared[2]),
            blend(sums.disk_bytes, sums.known_run_s, declared[3]),
        ];
        let mut average = learned.map(|value| value as f32);
        for (average, factor) in average.iter_mut().zip(self.calibration) {
            *average *= factor;
        }
        let duration_s =
            (sums.alone_s + DECLARED_WORTH * declared_s) / (sums.count + DECLARED_WORTH);
        self.memory_most = self.memory_peak() as f32;
        self.needs = Needs {
            average,
            memory_peak: (self.memory_most - average[MEMORY]).max(0.0),
            memory_declared: self.memory_declared() as f32,
            duration_s: duration_s as f32,
            stay: self.stay(declared_s),
            reach: reach(duration_s),
            weights: self.weights,
        };
    }

    /// Returns the memory that few executions exceed, in bytes.
    fn memory_peak(&self) -> f64 {
        let declared = f64::from(amounts(self.declared.peak)[MEMORY]);
        match self.memory.get_without_odd_one(PEAK_SHARE) {
            Some(learned) if self.memory.count() >= ENOUGH_MEMORY => learned,
            Some(learned) => learned.max(declared),
            None => declared,
        }
    }

    fn memory_declared(&self) -> f64 {
        let (average, peak) = (self.declared.average, self.declared.peak);
        let most = amounts(average)[MEMORY].max(amounts(peak)[MEMORY]);
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
            self.sums.stay_s[bucket] + worth * prior
        });
        let total: f64 = times.iter().sum();
        times.map(|time| (time / total.max(1e-12)) as f32)
    }
}

/// Returns the time that a run of this length spends in the bucket.
fn spent(bucket: usize, run_s: f64) -> f64 {
    let start = BUCKET_EDGES_S[bucket];
    let end = if bucket + 1 == BUCKETS {
        f64::INFINITY
    } else {
        BUCKET_EDGES_S[bucket + 1]
    };
    (run_s.min(end) - start).max(0.0)
}

/// Returns the number of buckets that a job of this length may reach.
fn reach(duration_s: f64) -> usize {
    let until = STAY_DURATIONS * duration_s;
    let starts = BUCKET_EDGES_S.iter().take(BUCKETS);
    starts.filter(|start| **start < until).count().max(1)
}

#[cfg(test)]
mod tests;
