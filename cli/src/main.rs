//! The `rolecast` command: submit jobs, look at them and at the nodes, try it all out.
//!
//! [`args`] is the command line; [`view`] writes what is shown; [`demo`] decides
//! what the demonstration does; [`backtest`] judges forecasts;
//! [`simulate`] compares policies in virtual time; [`io`] talks to
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

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    let environment = config::Environment::read();
    io::run(&arguments, &environment).await.into()
}
