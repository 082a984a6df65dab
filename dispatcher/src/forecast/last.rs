//! The naive forecast: it stays as it was measured last.

use std::time::Duration;

use rolecast_common::time::Time;
use rolecast_common::unit::Resources;

use super::Forecaster;

#[derive(Clone, Copy, Debug, Default)]
pub struct Last {
    value: Resources,
}

impl Forecaster for Last {
    fn observe(&mut self, _now: Time, exogenous: Resources) {
        self.value = exogenous;
    }

    fn predict(&self, _horizon: Duration) -> Resources {
        self.value
    }
}
