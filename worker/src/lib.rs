//! The agent that runs jobs on a host and reports its use; also the library for workers in Rust.

pub mod agent;
pub mod command;
pub mod usage;
