//! Modes in which forecasts affect placement.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Effect of forecasts on placement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForecastMode {
    /// Jobs go where there will be room.
    #[default]
    On,
    /// Jobs go where there is room; diversions by forecasts are counted.
    Advisory,
    /// Jobs go where there is room.
    Off,
}

impl ForecastMode {
    pub const ALL: [ForecastMode; 3] =
        [ForecastMode::On, ForecastMode::Advisory, ForecastMode::Off];

    pub fn name(self) -> &'static str {
        match self {
            ForecastMode::On => "on",
            ForecastMode::Advisory => "advisory",
            ForecastMode::Off => "off",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

impl fmt::Display for ForecastMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
