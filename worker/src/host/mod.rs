//! The host: its resources and their use, and the surroundings of a program on it.
//!
//! A shell, as `io/` is: it reads the kernel's files, the environment and the user
//! database. The configuration takes its defaults from here.

#![allow(
    clippy::disallowed_methods,
    reason = "this module is a shell that reads clocks and the environment"
)]

pub(crate) mod surroundings;
mod system;

pub(crate) use system::{Cgroup, Host, host_pressure, usable_cores};
