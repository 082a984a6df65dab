//! Decaying sums over executions.

use rolecast_forecast::{BUCKET_EDGES_S, BUCKETS};

use super::observation::Observation;

/// The share that is kept with each outcome, once there are many: the last thousand or so
/// count.
const KEEP: f64 = 1.0 - 0.001;

/// The sums over the executions of one category.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) runs: Runs,
    pub(super) measured: Measured,
    pub(super) memory: Memory,
}

/// Sums over all executions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Runs {
    pub(super) count: f64,
    /// Run time on a core of speed 1, undisturbed, and its logarithm.
    pub(super) alone_s: f64,
    pub(super) log_alone: f64,
    /// Run time in each bucket.
    pub(super) stay_s: [f64; BUCKETS],
}

/// Sums over the executions whose CPU time is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    pub(super) count: f64,
    /// Run time at the speed of its node, undisturbed.
    pub(super) run_s: f64,
    pub(super) cpu_s: f64,
    /// The logarithm of the CPU time on a core of speed 1.
    pub(super) log_work: f64,
    pub(super) network_bytes: f64,
    pub(super) disk_bytes: f64,
}

/// Sums over the executions whose memory is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    pub(super) count: f64,
    pub(super) bytes: f64,
}

impl Sums {
    pub(super) fn add(&mut self, seen: &Observation) {
        self.runs.add(seen);
        self.measured.decay();
        if seen.cpu_s > 0.0 {
            self.measured.add(seen);
        }
        // The last thousand that report it count, however rare they are.
        if seen.memory > 0.0 {
            self.memory.count = self.memory.count * KEEP + 1.0;
            self.memory.bytes = self.memory.bytes * KEEP + seen.memory;
        }
    }
}

impl Runs {
    fn add(&mut self, seen: &Observation) {
        let alone_s = seen.alone_s();
        self.count = self.count * KEEP + 1.0;
        self.alone_s = self.alone_s * KEEP + alone_s;
        self.log_alone = self.log_alone * KEEP + alone_s.ln();
        for (bucket, sum) in self.stay_s.iter_mut().enumerate() {
            *sum = *sum * KEEP + spent(bucket, seen.run_s);
        }
    }
}

impl Measured {
    fn decay(&mut self) {
        let Self {
            count,
            run_s,
            cpu_s,
            log_work,
            network_bytes,
            disk_bytes,
        } = self;
        for sum in [count, run_s, cpu_s, log_work, network_bytes, disk_bytes] {
            *sum *= KEEP;
        }
    }

    fn add(&mut self, seen: &Observation) {
        self.count += 1.0;
        self.run_s += seen.undisturbed_s();
        self.cpu_s += seen.cpu_s;
        self.log_work += (seen.cpu_s * seen.speed).ln();
        self.network_bytes += seen.network_bytes;
        self.disk_bytes += seen.disk_bytes;
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
