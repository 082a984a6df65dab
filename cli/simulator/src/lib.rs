//! Simulator: a fleet in virtual time, to compare placement policies.
//!
//! A [`world`] is everything that happens whatever the policy does: hosts, the use by
//! others on them, and the jobs that arrive. It is drawn from a [`scenario`] file, or made
//! from the records of a running system ([`cluster`]). A [`policy`] receives arrivals,
//! ends and heartbeats, and answers with the jobs to send; [`peers`] has those that are
//! known by name, the dispatcher itself among them. [`run`] runs a world under a policy
//! and returns its [`metrics`], and a [`report`] sums up many runs.
//! [`io`] reads the files and runs many worlds on all cores.
//!
//! Nothing is random but by the seed: two runs of one world under one policy are equal to
//! the last bit. Times are seconds of virtual time, from the start of the measured run
//! (earlier ones are negative); work is seconds on a core of speed 1, memory is bytes,
//! network and disk are bytes a second. A slow-down is the time from arrival to end over
//! the time alone on the fastest host.
//!
//! ```
//! use rolecast_simulator::report::{Report, Run};
//! use rolecast_simulator::scenario::Scenario;
//! use rolecast_simulator::scenario::build::{Files, build};
//! use rolecast_simulator::{peers, run};
//!
//! let text = r#"
//!     history = "0s"
//!     length = "300s"
//!     loads = [0.5]
//!     sharing = ["fair"]
//!     fleet.hosts = 4
//!     kinds.api = { work = { mean = "200ms" }, memory = { mean = "10MB" } }
//! "#;
//! let scenario = Scenario::read(text, &Scenario::default()).unwrap();
//! let mut runs = Vec::new();
//! for cell in scenario.cells(1) {
//!     let world = build(&scenario, &cell, &Files::default()).unwrap();
//!     for policy in ["random", "least-in-flight"] {
//!         let mut chosen = peers::create(policy, &world).unwrap();
//!         let metrics = run(&world, chosen.as_mut());
//!         let policy = policy.to_owned();
//!         runs.push(Run { policy, cell, metrics });
//!     }
//! }
//! let kinds = scenario.kind_names();
//! let report = Report { scenario: "four".to_owned(), kinds, runs, notes: vec![] };
//! let rows = report.rows();
//! assert_eq!(rows[0].policy, "random");
//! // Its 99 % quantile of the slow-down is larger than that of the second policy.
//! assert!(rows[0].gm99 > rows[1].gm99);
//! ```
//!
//! Inside, `engine` passes the events of a run in their order, `host` has the progress
//! of jobs on a host, and `pressure` the formulas of their slow-down.

#![warn(missing_docs)]

pub mod world;

pub mod cluster;
pub mod recording;
pub mod scenario;

pub mod peers;
pub mod policy;
mod rolecast;

mod agenda;
mod count;
mod engine;
mod fleet;
mod heartbeat;
mod host;
mod moment;
mod pressure;
pub mod random;
mod slots;

pub mod metrics;
pub mod report;

pub mod io;

pub use engine::run;

#[cfg(test)]
mod tests;
