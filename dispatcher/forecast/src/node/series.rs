//! Series of one step: a forecaster for each resource of a node.

use std::time::Duration;

use rolecast_common::resource::{ByResource, Resource};

use crate::series::bins::{Bin, Bins};
use crate::{Forecaster, HORIZON_MAX, Model};

/// The series of one step, one for each resource.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) step_s: u32,
    pub(super) bins: Bins,
    pub(super) forecasters: Box<ByResource<Forecaster>>,
    pub(super) is_known: bool,
}

impl Series {
    pub(super) fn new(step_s: u32, model: Model, shift_ms: u64) -> Self {
        let step = Duration::from_secs(u64::from(step_s));
        let forecaster = |_| Forecaster::new(model, step, f64::INFINITY);
        Self {
            step_s,
            bins: Bins::new(step_s, shift_ms),
            forecasters: Box::new(ByResource::from_fn(forecaster)),
            is_known: false,
        }
    }

    /// Restarts in place.
    pub(super) fn reset(&mut self, model: Model, shift_ms: u64) {
        let step = Duration::from_secs(u64::from(self.step_s));
        for forecaster in self.forecasters.iter_mut() {
            *forecaster = Forecaster::new(model, step, f64::INFINITY);
        }
        self.bins = Bins::new(self.step_s, shift_ms);
        self.is_known = false;
    }

    pub(super) fn learn(&mut self, bin: &Bin, peaks: &ByResource<f64>) {
        for resource in Resource::ALL {
            let (mean, peak) = (bin.means[resource], peaks[resource]);
            self.forecasters[resource].observe_with_peak(bin.number, Some(mean), Some(peak));
        }
        self.is_known = true;
    }

    /// Returns the number of steps that cover this time.
    pub(super) fn steps(&self, seconds: u32) -> u32 {
        seconds.div_ceil(self.step_s).clamp(1, HORIZON_MAX)
    }
}
