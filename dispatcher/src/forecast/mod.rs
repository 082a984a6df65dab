//! Forecasts of what others use on a node: its own duties, neighbours, cron.
//!
//! Only that part is forecast. What our own jobs use is known from the ledger,
//! and forecasting the sum would teach the model our own decisions.

mod ewma;
mod last;

use std::fmt;
use std::time::Duration;

use rolecast_common::time::Time;
use rolecast_common::unit::Resources;

pub use ewma::Ewma;
pub use last::Last;

/// A model of one node's exogenous use.
pub trait Forecaster: fmt::Debug + Send {
    /// Takes what was measured at `now`.
    fn observe(&mut self, now: Time, exogenous: Resources);

    /// Returns what is expected this long after the last observation.
    fn predict(&self, horizon: Duration) -> Resources;
}

/// Which model to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Model {
    Last,
    #[default]
    Ewma,
}

impl Model {
    pub const NAMES: &str = "\"ewma\" or \"last\"";

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "last" => Some(Model::Last),
            "ewma" => Some(Model::Ewma),
            _ => None,
        }
    }

    pub fn start(self) -> Box<dyn Forecaster> {
        match self {
            Model::Last => Box::new(Last::default()),
            Model::Ewma => Box::new(Ewma::default()),
        }
    }
}
