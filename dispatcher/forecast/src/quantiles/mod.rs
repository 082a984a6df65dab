//! Quantiles around the forecasts of the experts, and the scores of past forecasts.

pub(crate) mod band;
pub(crate) mod fan;
pub(crate) mod origins;
pub(crate) mod pending;
mod quantile;
pub(crate) mod score;
