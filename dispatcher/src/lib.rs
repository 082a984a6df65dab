//! The dispatcher: assigns jobs to nodes and records one outcome for each job.
//!
//! Read in this order:
//!
//! - [`category`]: the policy of a category of jobs;
//! - `rolecast_forecast`, a crate of its own: forecasts of what others use on a node;
//! - [`fleet`]: the nodes, from their heartbeats, with the [`ledger`] of reservations on
//!   each;
//! - [`profile`]: the needs of a category's jobs, declared and learned;
//! - [`placement`]: the choice of a node;
//! - [`roles`]: the holders of managed roles, how a role moves, and the judge of when it
//!   should;
//! - [`capacity`]: the role capacity map;
//! - [`storage`]: the size limit of each stream;
//! - [`fitting`], [`paging`], [`shortening`]: records and answers cut to the size that
//!   the server takes;
//! - [`scheduler`]: the decision core, one state machine over explicit time;
//! - [`seal`], [`claim`], [`allowance`]: checks of what messages and nodes claim;
//! - [`lease`]: the lease that decides which of several dispatchers leads;
//! - [`io`]: the shell that feeds the machine from NATS and carries out its commands;
//! - [`config`]: the configuration file.
//!
//! Nothing outside `io/` and `config.rs` reads a clock, the network or the
//! environment, so a simulator can drive the same machine.

pub mod allowance;
pub mod capacity;
pub mod category;
pub mod claim;
pub mod config;
pub mod fitting;
pub mod fleet;
pub mod io;
pub mod lease;
pub mod ledger;
pub mod paging;
pub mod placement;
pub mod profile;
pub mod roles;
pub mod scheduler;
pub mod seal;
pub mod server_clock;
pub mod shortening;
pub mod storage;
