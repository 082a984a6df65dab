//! Peaks until each horizon, as placement reads them.

use rolecast_common::resource::ByResource;
use rolecast_common::unit::Resources;

use super::ahead::{AHEAD_COUNT, Ahead};

/// The expected peaks until each horizon.
#[derive(Clone, Debug, Default)]
pub(super) struct Peaks {
    forecast: [ByResource<f64>; AHEAD_COUNT],
    /// The same joined with the last heartbeat.
    ready: [Resources; AHEAD_COUNT],
}

impl Peaks {
    /// Replaces the forecast until a horizon.
    pub(super) fn set(&mut self, ahead: Ahead, peaks: ByResource<f64>) {
        self.forecast[ahead.index()] = peaks;
    }

    /// Joins the forecast with the present use: the largest value until a horizon is never
    /// below it, nor below the one of a nearer horizon.
    pub(super) fn join(&mut self, used: &ByResource<f64>) {
        let mut largest = *used;
        for (peaks, ready) in self.forecast.iter().zip(&mut self.ready) {
            for (largest, peak) in largest.iter_mut().zip(peaks) {
                *largest = largest.max(*peak);
            }
            *ready = Resources::from(largest);
        }
    }

    /// Forgets the forecast; what is ready stays until the next heartbeat.
    pub(super) fn forget(&mut self) {
        self.forecast = Default::default();
    }

    /// Returns the largest use until then.
    pub(super) fn until(&self, ahead: Ahead) -> Resources {
        self.ready[ahead.index()]
    }
}
