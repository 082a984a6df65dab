//! Forecasts of the load on a node: samples in, quantiles out.
//!
//! Only the use by others is forecast: services, neighbours, cron. The use by Rolecast's
//! own jobs is known from the ledger, and forecasting the sum would teach the models the
//! dispatcher's own decisions.
//!
//! There are three ways in:
//!
//! - [`Forecaster`]: one series of evenly spaced samples, of any unit. Eight experts learn
//!   from each sample and vote, and a band of quantiles around the vote is corrected until
//!   it covers what it should.
//! - [`NodeForecast`]: a node. Its heartbeats become series of CPU in cores, memory in
//!   bytes, network and disk in bytes per second; out come peaks until fixed horizons
//!   ([`Ahead`]), and means over the next seconds and minutes ([`BUCKETS`]).
//! - [`Demand`]: the jobs of a category, in arrivals per minute.
//!
//! A horizon is a number of steps, at most [`HORIZON_MAX`]. Everything is pure: the caller
//! passes the time. Nothing is refused: samples that are missing or not finite are skipped,
//! and forecasts are finite and between zero and the capacity. All types are plain data
//! without locks or threads; a call takes microseconds, unless it is one of training.
//!
//! ```
//! use std::time::Duration;
//!
//! use rolecast_forecast::{Forecaster, Model};
//!
//! // Cores in use, a sample each minute, on a node with 8.
//! let mut forecaster = Forecaster::new(Model::Ensemble, Duration::from_secs(60), 8.0);
//! for minute in 0..600 {
//!     let is_backup = minute % 30 < 3;
//!     forecaster.observe(minute, Some(if is_backup { 6.0 } else { 2.0 }));
//! }
//! let value = forecaster.predict(5); // In five minutes.
//! let peak = forecaster.predict_peak(15); // The largest within 15 minutes.
//! assert!(value.p50 <= value.p90 && value.p90 <= value.p99);
//! assert!(peak.p90 >= value.p90 && peak.p99 <= 8.0);
//! ```
//!
//! The folders: `series` (samples, the recent past, the usual day and week), `experts`
//! (the models, their vote, and the [`Stack`] over them, which a [`StackTrainer`] fits to the
//! [`Lesson`]s of all series), `quantiles` (the band and the scores), `rhythm` (pulses of an
//! unknown period), `node`, `checkpoint` (the state as bytes).

#![warn(missing_docs)]

mod demand;
mod experts;
mod forecaster;
mod model;
mod node;
mod quantiles;
mod rhythm;
mod series;

mod checkpoint;

pub use demand::Demand;
pub use experts::lstm;
pub use experts::stack::{Lesson, Stack, StackTrainer};
pub use forecaster::Forecaster;
pub use model::{HORIZON_MAX, HORIZONS, Model, PEAK_HORIZONS, Quantiles};
pub use node::{AHEAD_COUNT, Ahead, NodeForecast, Params, Quantile};
pub use quantiles::score::Accuracy;
pub use rhythm::{BUCKET_EDGES_S, BUCKETS};

#[cfg(test)]
mod tests;
