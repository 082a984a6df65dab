//! The shell: connects, listens, runs jobs, measures, and carries out the agent's
//! commands.

#![allow(
    clippy::disallowed_methods,
    reason = "this module is the shell that reads clocks and starts threads"
)]

mod builder;
mod child;
mod epoch;
mod escaped;
mod executions;
mod gauge;
mod groups;
mod handler;
mod hook;
mod http;
mod leash;
mod log;
mod outbox;
mod processes;
mod progress;
mod record;
mod rehearsal;
mod report;
mod runner;
mod sampler;
mod shell;
mod signals;
mod streams;
mod worker;

pub use builder::{Builder, Mistakes};
pub use epoch::forget_epoch;
pub use leash::run_if_leashed;
pub use record::{Recording, record_host};
pub use signals::shutdown_signals;
pub use worker::Worker;
