//! Metrics: tables of them, from which the answer to a scrape and the documentation are made.

pub mod connection;
mod exemplars;
mod exposition;
pub mod process;
mod samples;
mod table;

pub use exposition::Exposition;
pub use samples::{Kind, Samples};
pub use table::{Row, document};
