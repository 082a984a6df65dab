//! The dispatcher: assigns jobs to nodes and records one outcome for each job.
//!
//! A program enters by [`config::parse`] and [`io::run`], as `rolecast-dispatcher` does. A
//! simulator drives a [`scheduler::Scheduler`]: it passes inputs with their time to `handle`,
//! carries out the outputs, and calls again at `next_deadline`. Nothing outside `io/` and
//! `config.rs` reads a clock, the network or the environment.
//!
//! ```
//! use rolecast_dispatcher::config;
//!
//! let read = config::parse("[categories.ocr]\nmax_attempts = 3", "host-1")?;
//! assert_eq!((read.name.as_str(), read.policies[0].attempts_max), ("host-1", 3));
//! // All mistakes are reported at once, each with its line.
//! let mistakes = config::parse("[streams]\nreplicas = 2\nmax_byte = 1", "host-1").unwrap_err();
//! assert!(mistakes.to_string().starts_with("2 mistakes"));
//! # Ok::<(), rolecast_common::settings::Mistakes>(())
//! ```
//!
//! Read in this order:
//!
//! - [`category`]: the policy of a category of jobs;
//! - `rolecast_forecast`, a crate of its own: forecasts of what others use on a node;
//! - [`fleet`]: the nodes, from their heartbeats, with the `ledger` of reservations on
//!   each;
//! - [`profile`]: the needs of a category's jobs, declared and learned;
//! - [`placement`]: the choice of a node;
//! - [`roles`]: the holders of managed roles, and the steps by which a role moves;
//! - [`relocation`]: the decision when a role should move because of load;
//! - `capacity`: the role capacity map;
//! - `storage`: the size limit of each stream;
//! - [`metrics`]: the figures for Prometheus, and the table of them;
//! - `fitting`, `paging`, `shortening`: records and answers cut to the size that
//!   the server takes;
//! - [`events`]: the published events, with their catalogue;
//! - [`scheduler`]: the state machine that takes all decisions, over explicit time;
//! - [`span`]: the stages of a job in its producer's trace;
//! - [`seal`], [`claim`], [`allowance`]: checks of what messages and nodes claim;
//! - [`lease`]: the lease that decides which of several dispatchers leads;
//! - `attendance`: the dispatchers that lead, stand by, or went silent;
//! - [`io`]: the shell that feeds the scheduler from NATS and carries out its commands;
//! - [`config`]: the configuration file;
//! - [`args`]: the command line.

pub mod allowance;
pub mod args;
mod attendance;
mod capacity;
pub mod category;
pub mod claim;
pub mod config;
pub mod events;
mod fitting;
pub mod fleet;
pub mod io;
pub mod lease;
mod ledger;
pub mod metrics;
mod paging;
pub mod placement;
pub mod profile;
pub mod relocation;
pub mod roles;
pub mod scheduler;
pub mod seal;
mod server_clock;
mod shortening;
pub mod span;
mod storage;
