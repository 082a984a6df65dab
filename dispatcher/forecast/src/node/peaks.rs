//! Peaks until each horizon, as placement reads them.

use rolecast_common::unit::{Bytes, BytesPerSecond, Cores, Resources};

use super::ahead::{AHEAD_COUNT, Ahead};
use crate::series::bins::RESOURCES;

/// Values of each resource until each of the horizons.
type Figures = [[f64; RESOURCES]; AHEAD_COUNT];

/// The expected peaks until each horizon.
#[derive(Clone, Debug, Default)]
pub(super) struct Peaks {
    forecast: Figures,
    /// The same joined with the last heartbeat.
    ready: [Resources; AHEAD_COUNT],
}

impl Peaks {
    /// Replaces the forecast until a horizon.
    pub(super) fn set(&mut self, ahead: Ahead, peaks: [f64; RESOURCES]) {
        self.forecast[ahead.index()] = peaks;
    }

    /// Joins the forecast with the present use: the largest value until a horizon is never
    /// below it, nor below the one of a nearer horizon.
    pub(super) fn join(&mut self, used: &[f64; RESOURCES]) {
        let mut largest = *used;
        for (peaks, ready) in self.forecast.iter().zip(&mut self.ready) {
            for (largest, peak) in largest.iter_mut().zip(peaks) {
                *largest = largest.max(*peak);
            }
            *ready = resources(&largest);
        }
    }

    /// Forgets the forecast; what is ready stays until the next heartbeat.
    pub(super) fn forget(&mut self) {
        self.forecast = Figures::default();
    }

    /// Returns the largest use until then.
    pub(super) fn until(&self, ahead: Ahead) -> Resources {
        self.ready[ahead.index()]
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates, and NaN becomes 0"
)]
fn resources(values: &[f64; RESOURCES]) -> Resources {
    let [cpu, memory, network, disk] = *values;
    Resources {
        cpu: Cores::clamped(cpu),
        memory: Bytes::new(memory as u64),
        network: BytesPerSecond::clamped(network),
        disk: BytesPerSecond::clamped(disk),
    }
}
