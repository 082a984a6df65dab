//! Tests of the forecaster as a whole, and series to test its parts with.

mod accuracy;
mod causal;
mod hostile;
pub(super) mod series;
