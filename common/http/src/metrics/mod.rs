//! Metrics: tables of them, from which the answer to a scrape and the documentation are made.

mod exposition;
pub mod process;
mod table;

pub use exposition::{Exposition, Samples};
pub use table::{Kind, Row, document};
