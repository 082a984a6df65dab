//! Load of one node: its capacity, its use, and the use by others, measured and forecast.

use rolecast_common::id::NodeId;
use rolecast_common::time::Now;
use rolecast_common::unit::{BytesPerSecond, Cores, Resources};
use rolecast_common::wire::{Heartbeat, Usage};
use rolecast_forecast::{Ahead, BUCKETS, NodeForecast};

use crate::placement::{Amounts, amounts};

/// The figures of one node in its last heartbeat.
#[derive(Debug)]
pub(super) struct Load {
    capacity: Resources,
    jobs_max: u32,
    usage: Usage,
    /// The resources that others want.
    exogenous: Resources,
    /// The forecast of the use by others; `None` if it has none.
    forecast: Option<Box<NodeForecast>>,
    /// Cores that its jobs use beyond the average use of such jobs.
    surplus: f32,
}

impl Load {
    pub(super) fn new(beat: &Heartbeat, forecast: Option<Box<NodeForecast>>) -> Self {
        let mut load = Self {
            capacity: beat.capacity,
            jobs_max: beat.jobs_max,
            usage: beat.usage,
            exogenous: Resources::default(),
            forecast,
            surplus: 0.0,
        };
        load.update(beat);
        load
    }

    /// Updates the figures from a heartbeat.
    pub(super) fn update(&mut self, beat: &Heartbeat) {
        self.capacity = beat.capacity;
        self.usage = Usage {
            total: at_most(beat.usage.total, beat.capacity),
            jobs: at_most(beat.usage.jobs, beat.usage.total),
            pressure: beat.usage.pressure,
        };
        self.jobs_max = beat.jobs_max;
    }

    /// Updates the resources that others want, and the forecast that is made from them.
    pub(super) fn observe_others(&mut self, now: Now, node: &NodeId, wanted: Resources) {
        self.exogenous = at_most(wanted, self.capacity);
        if let Some(forecast) = &mut self.forecast {
            forecast.observe(node, now.wall, self.exogenous, self.capacity);
        }
    }

    pub(super) fn capacity(&self) -> Resources {
        self.capacity
    }

    pub(super) fn jobs_max(&self) -> u32 {
        self.jobs_max
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    pub(super) fn surplus(&self) -> f32 {
        self.surplus
    }

    pub(super) fn set_surplus(&mut self, surplus: f32) {
        self.surplus = surplus;
    }

    /// Returns the use by others that was measured.
    pub(super) fn exogenous(&self) -> Resources {
        self.exogenous
    }

    /// Returns the expected use by others, on average over each bucket.
    pub(super) fn expected(&self) -> [Amounts; BUCKETS] {
        match &self.forecast {
            Some(forecast) => forecast.expected(),
            None => [amounts(self.exogenous); BUCKETS],
        }
    }

    /// Returns the largest use by others until then, in half of all cases.
    pub(super) fn likely_exogenous(&self, ahead: Ahead) -> Resources {
        let forecast = self.forecast.as_ref();
        forecast.map_or(self.exogenous, |forecast| forecast.likely(ahead))
    }

    /// Returns the largest use by others until then, at the configured quantile.
    pub(super) fn safe_exogenous(&self, ahead: Ahead) -> Resources {
        let forecast = self.forecast.as_ref();
        forecast.map_or(self.exogenous, |forecast| forecast.safe(ahead))
    }

    pub(super) fn forecast(&self) -> Option<&NodeForecast> {
        self.forecast.as_deref()
    }

    pub(super) fn forecast_mut(&mut self) -> Option<&mut NodeForecast> {
        self.forecast.as_deref_mut()
    }

    pub(super) fn set_forecast(&mut self, forecast: Option<Box<NodeForecast>>) {
        self.forecast = forecast;
    }
}

/// Limits each amount: a node that uses more than it has, has nothing left. A rate of
/// unknown capacity (zero) is kept as measured.
fn at_most(used: Resources, limit: Resources) -> Resources {
    let rate = |used: BytesPerSecond, limit: BytesPerSecond| {
        if limit == BytesPerSecond::ZERO {
            return used;
        }
        BytesPerSecond::clamped(used.get().min(limit.get()))
    };
    Resources {
        cpu: Cores::clamped(used.cpu.get().min(limit.cpu.get())),
        memory: used.memory.min(limit.memory),
        network: rate(used.network, limit.network),
        disk: rate(used.disk, limit.disk),
    }
}
