//! The service that forecasts, places and forwards jobs, and records their outcomes.
