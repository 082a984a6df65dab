//! The `rolecast` command: submits jobs, shows jobs and nodes, runs the demonstration.
//!
//! `args` is the command line; `view` formats the output; `demo` decides the steps of the
//! demonstration; `backtest` scores forecasts; `simulate` compares policies in virtual
//! time; `io` talks to NATS, files and processes.

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
mod teaching;
mod view;

pub use io::start;
