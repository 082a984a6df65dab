//! One execution that completed, and the limits of what its node can do.

use rolecast_common::unit::{BytesPerSecond, Resources};

/// The longest and shortest run that counts.
pub(super) const RUN_MAX_S: f64 = 30.0 * 24.0 * 3600.0;
pub(super) const RUN_MIN_S: f64 = 1e-6;
/// A rate that no device reaches, in bytes per second: the limit if a node does not
/// report its own.
const RATE_MAX: f64 = 1e11;
/// Tolerance above the limits, in seconds of them: a few ticks of the clock that counts
/// CPU time, and what buffers take at once.
const SLACK_S: f64 = 0.05;

/// One execution that completed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Observation {
    /// Time from its start to its end.
    pub(crate) run_s: f64,
    /// CPU time; 0 if unknown.
    pub(crate) cpu_s: f64,
    /// The most memory it used, in bytes; 0 if unknown.
    pub(crate) memory: f64,
    /// Bytes moved; 0 if unknown or none.
    pub(crate) network_bytes: f64,
    pub(crate) disk_bytes: f64,
    /// The speed of a core of its node.
    pub(crate) speed: f64,
    /// The predicted slow-down by sharing.
    pub(crate) slow_down: f64,
    /// The capacity of its node.
    pub(crate) capacity: Resources,
}

impl Observation {
    /// Returns the execution limited to what its node can do; `None` if no machine could
    /// have done it.
    pub(super) fn limited(&self) -> Option<Self> {
        let figures = [
            self.run_s,
            self.cpu_s,
            self.memory,
            self.network_bytes,
            self.disk_bytes,
        ];
        let is_finite = figures
            .iter()
            .all(|figure| figure.is_finite() && *figure >= 0.0);
        if !is_finite || self.run_s < RUN_MIN_S || self.run_s > RUN_MAX_S {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "no machine has 2^53 bytes")]
        let memory_max = self.capacity.memory.get() as f64;
        let cpu_max = self.capacity.cpu.get() * self.run_s + SLACK_S;
        let bytes_max = |rate: BytesPerSecond| {
            let rate = if rate == BytesPerSecond::ZERO {
                RATE_MAX
            } else {
                rate.get()
            };
            rate * (self.run_s + SLACK_S)
        };
        Some(Self {
            cpu_s: self.cpu_s.min(cpu_max),
            memory: self.memory.min(memory_max),
            network_bytes: self.network_bytes.min(bytes_max(self.capacity.network)),
            disk_bytes: self.disk_bytes.min(bytes_max(self.capacity.disk)),
            speed: self.speed.clamp(0.05, 20.0),
            slow_down: self.slow_down.clamp(1.0, 1e3),
            ..*self
        })
    }

    /// Whether an amount is larger than the limited one.
    pub(super) fn exceeds(&self, limited: &Self) -> bool {
        limited.cpu_s < self.cpu_s
            || limited.memory < self.memory
            || limited.network_bytes < self.network_bytes
            || limited.disk_bytes < self.disk_bytes
    }

    /// Returns the run time that it would have had undisturbed, at the speed of its node.
    pub(super) fn undisturbed_s(&self) -> f64 {
        (self.run_s / self.slow_down).max(RUN_MIN_S)
    }

    /// Returns the undisturbed run time on a core of speed 1.
    pub(super) fn alone_s(&self) -> f64 {
        (self.undisturbed_s() * self.speed).clamp(RUN_MIN_S, RUN_MAX_S)
    }
}
