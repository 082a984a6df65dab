//! Our rule: the dispatcher's judge on the dispatcher's forecasts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rolecast_common::id::NodeId;
use rolecast_common::time::{Time, WallTime};
use rolecast_common::unit::{Cores, Resources};
use rolecast_common::wire::{ForecastMode, Share};
use rolecast_dispatcher::relocation::judge::{Change, Judge, Purpose, Reading, Settings, Verdict};
use rolecast_forecast::{Ahead, Model, NodeForecast, Params, Quantile, Stack};

use super::trace::{NODES, STEPS};
use super::world::{Beat, DUTY, Rule};

/// Capacity of each node, in cores.
const CORES: f64 = 8.0;
/// A midnight.
const STARTED_MS: u64 = 1_764_028_800_000;
/// Forecast settings of a default config.
const FORECAST: Params = Params {
    mode: ForecastMode::On,
    model: Model::Ensemble,
    step_s: 10,
    quantile: Quantile::P90,
};
const SOON: Duration = Duration::from_secs(10);
/// Settings of a careful owner of an expensive role: its failback is late, and it may
/// move more often than the default allows.
const TERM: Duration = Duration::from_secs(3600);
const CHANGES_PER_HOUR: u32 = 12;

/// Wrong or missing inputs of the judge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handicap {
    /// Assumed cost of a change, over the true one.
    pub(crate) cost: f64,
    pub(crate) has_pressure: bool,
    pub(crate) has_slow_down: bool,
}

impl Handicap {
    pub(crate) const NONE: Handicap = Handicap {
        cost: 1.0,
        has_pressure: true,
        has_slow_down: true,
    };
}

pub(crate) struct Ours {
    judge: Judge,
    names: Vec<NodeId>,
    forecasts: Vec<NodeForecast>,
    handicap: Handicap,
    horizon: Duration,
    length: Duration,
    /// The last requested change.
    asked: Option<Change>,
    pub(crate) restored: u32,
    pub(crate) alerts: u32,
}

impl Ours {
    pub(crate) fn new(cost_s: f64, handicap: Handicap) -> anyhow::Result<Self> {
        let names: Vec<NodeId> = (0..NODES)
            .map(|node| NodeId::new(&format!("n{node}")))
            .collect::<Result<_, _>>()
            .context("the names are valid")?;
        let stack = Arc::new(Stack::default());
        let forecasts = names
            .iter()
            .map(|name| NodeForecast::new(name, FORECAST, &stack))
            .collect();
        let settings = Settings {
            change_cost: Duration::from_secs_f64(cost_s * handicap.cost),
            role_load: Cores::clamped(DUTY * CORES),
            term: TERM,
            changes_per_hour: CHANGES_PER_HOUR,
        };
        Ok(Self {
            horizon: settings.horizon(),
            judge: Judge::new(settings),
            names,
            forecasts,
            handicap,
            length: Duration::from_secs_f64(cost_s / 2.0),
            asked: None,
            restored: 0,
            alerts: 0,
        })
    }

    fn ask(&mut self, purpose: Purpose, from: NodeId, to: NodeId) -> usize {
        let place = self.place(&to);
        self.asked = Some(Change {
            purpose,
            from: Some(from),
            to: Some(to),
            is_done: true,
            ended: Duration::ZERO,
            length: self.length,
        });
        place
    }

    fn place(&self, node: &NodeId) -> usize {
        let place = self.names.iter().position(|name| name == node);
        place.expect("the judge sends the role to a candidate")
    }
}

fn since_start(step: usize) -> Duration {
    Duration::from_secs_f64(step as f64 / STEPS as f64)
}

fn time(step: usize) -> Time {
    Time::from_start(since_start(step))
}

impl Rule for Ours {
    fn hear(&mut self, step: usize, node: usize, beat: &Beat) {
        let cores = |share: f64| Cores::clamped(share * CORES);
        let resources = |cpu| Resources {
            cpu,
            ..Resources::default()
        };
        let at = WallTime::from_millis(STARTED_MS) + since_start(step);
        let others = resources(cores(beat.used - beat.jobs));
        let forecast = &mut self.forecasts[node];
        forecast.observe(&self.names[node], at, others, resources(cores(1.0)));
        let soon = Ahead::covering(SOON);
        #[allow(clippy::cast_possible_truncation, reason = "run times are near 1")]
        let slow_down = beat.slow_down as f32;
        let reading = Reading {
            capacity: cores(1.0),
            used: cores(beat.used),
            jobs: cores(beat.jobs),
            upper: forecast.safe(soon).cpu,
            ahead_upper: forecast.safe(Ahead::covering(self.horizon)).cpu,
            pressure: self
                .handicap
                .has_pressure
                .then(|| Share::clamped(beat.pressure)),
            slow_down: if self.handicap.has_slow_down {
                slow_down
            } else {
                1.0
            },
        };
        self.judge.observe(time(step), &self.names[node], &reading);
    }

    fn decide(&mut self, step: usize, holder: usize) -> usize {
        let holder_name = self.names[holder].clone();
        match self.judge.decide(time(step), &holder_name, &self.names) {
            Verdict::Keep(_) => holder,
            Verdict::Alert(_) => {
                self.alerts += 1;
                holder
            }
            Verdict::Move { to, .. } => self.ask(Purpose::Relief, holder_name, to),
            Verdict::Restore { to, .. } => {
                self.restored += 1;
                self.ask(Purpose::Return, holder_name, to)
            }
        }
    }

    fn changed(&mut self, step: usize) {
        if let Some(change) = self.asked.take() {
            self.judge.record(time(step), &change);
        }
    }
}
