//! The last hour for display: means in steps of five minutes, and earlier forecasts.

use rolecast_common::resource::{ByResource, Resource};
use rolecast_common::time::WallTime;

use super::past::Past;
use crate::series::bins::Bins;

pub(super) const STEP_S: u32 = 300;
/// Means that are kept: an hour.
const COUNT: usize = 12;

/// The last means; the oldest is overwritten.
#[derive(Clone, Debug)]
pub(super) struct Hour {
    bins: Bins,
    ring: [ByResource<f64>; COUNT],
    /// Means so far.
    count: usize,
    pub(super) past: Past,
}

impl Hour {
    /// Measures spans that end `shift_ms` earlier than whole multiples of five minutes.
    pub(super) fn new(shift_ms: u64) -> Self {
        Self {
            bins: Bins::new(STEP_S, shift_ms),
            ring: [ByResource::all(0.0); COUNT],
            count: 0,
            past: Past::default(),
        }
    }

    /// Adds the values of one moment.
    pub(super) fn add(&mut self, at: WallTime, values: &ByResource<f64>) {
        if let Some(bin) = self.bins.add(at, values) {
            self.ring[self.count % COUNT] = bin.means;
            self.count += 1;
        }
    }

    /// Returns the means of a resource, oldest first.
    pub(super) fn means(&self, resource: Resource) -> Vec<f64> {
        let first = self.count.saturating_sub(COUNT);
        let places = (first..self.count).map(|count| count % COUNT);
        places.map(|place| self.ring[place][resource]).collect()
    }
}
