//! The `rolecast` command: submits jobs, shows jobs and nodes, runs the demonstration.
//!
//! A program enters by [`start`]; `rolecast --help` and `rolecast help <command>` describe
//! the rest:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! #[tokio::main]
//! async fn main() -> ExitCode {
//!     rolecast_cli::start().await
//! }
//! ```
//!
//! ```text
//! $ rolecast submit thumbnail --file photo.jpg --wait > small.jpg
//! $ rolecast status
//! ```
//!
//! `args` is the command line; `view` formats the output; `demo` decides the steps of the
//! demonstration; `doctor` derives findings from facts; `backtest` scores forecasts;
//! `manual` makes man pages and completions; `io` talks to NATS, files and processes. The
//! simulator that `rolecast simulate` runs is a crate of its own, `rolecast_simulator`.

mod args;
mod backtest;
mod chart;
mod config;
mod dead_letter;
mod demo;
mod doctor;
mod exit;
mod io;
mod manual;
mod quantity;
mod style;
mod submission;
mod table;
mod top;
mod training;
mod view;

pub use io::start;
