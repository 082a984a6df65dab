//! The `rolecast` command: submit jobs, look at them and at the nodes, try it all out.
//!
//! `args` is the command line; `view` writes what is shown; `demo` decides
//! what the demonstration does; `backtest` judges forecasts;
//! `simulate` compares policies in virtual time; `io` talks to
//! NATS, files and processes.

mod args;
mod backtest;
mod chart;
mod config;
mod dead_letter;
mod demo;
mod exit;
mod io;
mod quantity;
mod simulate;
mod style;
mod submission;
mod table;
mod teaching;
mod view;

pub use backtest::table::{Series, Table, Unreadable};
pub use io::start;
pub use simulate::scenario::{Scenario, extends};
