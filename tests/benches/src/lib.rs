//! Benchmarks: programs that measure Rolecast and print tables, then one line of JSON.
//!
//! Each is a program in `src/bin`, and `make bench-<name>` builds and runs it in release
//! mode; `BENCH_FLAGS` passes it flags, and `--help` lists them:
//!
//! - `bench-dispatch`: throughput and latency of jobs, beside workers that pull directly
//!   from JetStream;
//! - `bench-forecast`: CPU time and memory of forecasts;
//! - `bench-hostile`: the effect of one party that abuses its rights on all others;
//! - `bench-http`: time and size of a scrape of the metrics;
//! - `bench-page`: weight of the page, and the share of the loop that its viewers take;
//! - `bench-placement`: CPU time of a decision, by the number of nodes;
//! - `bench-policies`: waiting times under each placement policy, in simulated fleets;
//! - `bench-roles`: the benefit of moving a role away from bottlenecks.
//!
//! The tables, the harness of real processes and the logins are those of the tests
//! (`rolecast_tests`); [`usage`] makes up the load of a node:
//!
//! ```
//! use rolecast_benches::usage::Usage;
//!
//! let mut usage = Usage::new(7); // The same seed gives the same load.
//! let day: Vec<f64> = (0..86_400).map(|second| usage.next(f64::from(second))).collect();
//! assert!(day.iter().all(|share| (0.0..=1.0).contains(share)));
//! ```

pub mod usage;
pub mod viewer;
