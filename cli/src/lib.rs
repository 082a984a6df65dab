//! The `rolecast` command: submits jobs, shows jobs and nodes, runs the demonstration.
//!
//! `args` is the command line; `view` formats the output; `demo` decides the steps of the
//! demonstration; `backtest` scores forecasts; `io` talks to NATS, files and processes. The
//! simulator that `rolecast simulate` runs is a crate of its own, `rolecast-simulator`.

mod args;
mod backtest;
mod chart;
mod config;
mod dead_letter;
mod demo;
mod exit;
mod io;
mod quantity;
mod style;
mod submission;
mod table;
mod training;
mod view;

pub use io::start;
