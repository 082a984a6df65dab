//! What the forecaster must do as a whole, and series to test its parts with.

pub(super) mod series;
