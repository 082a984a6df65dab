//! Fault matrix: a load on a real cluster, one fault, and the final state of each job.
//!
//! Pure parts decide and judge, so that they are tested without a cluster:
//!
//! - `row`: the faults; `plan`: the times of their steps, from a seed;
//! - `ledger`: jobs that were acknowledged, records that were stored, runs that workers
//!   recorded; `timeline`: gaps between records;
//! - `verdict`: the verdict on the evidence of a row; `report`: the table and the JSON
//!   line.
//!
//! The others act: `system` runs servers, dispatchers and workers, `load` submits jobs,
//! `watch` follows the stored records and heartbeats, `inject` injects the fault, `run`
//! does a whole row, and `takeover` measures take-overs alone.

mod inject;
mod ledger;
mod load;
mod plan;
mod report;
mod row;
mod run;
mod system;
mod takeover;
mod timeline;
mod verdict;
mod watch;

pub use plan::Plan;
pub use report::{Report, Summary};
pub use row::{Fault, Row, rows};
pub use run::{Settings, run};
pub use takeover::{Takeovers, takeovers};
pub use verdict::Verdict;
