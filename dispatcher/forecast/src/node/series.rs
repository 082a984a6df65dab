//! Series of one step: a forecaster for each resource of a node.

use std::time::Duration;

use crate::series::bins::{Bin, Bins, RESOURCES};
use crate::{Forecaster, HORIZON_MAX, Model};

/// The series of one step, one for each resource.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) step_s: u32,
    pub(super) bins: Bins,
    pub(super) forecasters: Box<[Forecaster]>,
    pub(super) is_known: bool,
}

impl Series {
    pub(super) fn new(step_s: u32, model: Model, shift_ms: u64) -> Self {
        let step = Duration::from_secs(u64::from(step_s));
        let forecasters = (0..RESOURCES).map(|_| Forecaster::new(model, step, f64::INFINITY));
        Self {
            step_s,
            bins: Bins::new(step_s, shift_ms),
            forecasters: forecasters.collect(),
            is_known: false,
        }
    }

    /// Restarts in place.
    pub(super) fn reset(&mut self, model: Model, shift_ms: u64) {
        let step = Duration::from_secs(u64::from(self.step_s));
        for forecaster in &mut self.forecasters {
            *forecaster = Forecaster::new(model, step, f64::INFINITY);
        }
        self.bins = Bins::new(self.step_s, shift_ms);
        self.is_known = false;
    }

    pub(super) fn learn(&mut self, bin: &Bin, peaks: &[f64; RESOURCES]) {
        for (index, forecaster) in self.forecasters.iter_mut().enumerate() {
            let (mean, peak) = (bin.means[index], peaks[index]);
            forecaster.observe_with_peak(bin.number, Some(mean), Some(peak));
        }
        self.is_known = true;
    }

    /// Returns the number of steps that cover this time.
    pub(super) fn steps(&self, seconds: u32) -> u32 {
        seconds.div_ceil(self.step_s).clamp(1, HORIZON_MAX)
    }
}
