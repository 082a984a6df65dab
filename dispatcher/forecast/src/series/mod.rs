//! Samples of one series: spans of heartbeat figures, the recent past, the usual day and week.

pub(crate) mod bins;
pub(crate) mod history;
pub(crate) mod place;
pub(crate) mod seasons;
pub(crate) mod window;
