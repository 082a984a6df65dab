//! The dispatcher: decides which node runs which job, and settles every job once.
//!
//! Read in this order:
//!
//! - [`category`]: what a category needs and who may run it;
//! - [`forecast`]: what the others on a node will use;
//! - [`fleet`]: the nodes, from their heartbeats, with the [`ledger`] of what was
//!   sent to each;
//! - [`profile`]: what jobs of a category need, as declared and learned;
//! - [`placement`]: the choice of a node;
//! - [`roles`]: which node holds which role, and how one moves;
//! - [`capacity`]: the room each role will have;
//! - [`roles`]: when a role should move to another node;
//! - [`storage`]: how large each stream may become;
//! - [`fitting`], [`paging`], [`shortening`]: records and answers as large as the server takes;
//! - [`machine`]: the decision core, one state machine over explicit time;
//! - [`seal`], [`claim`], [`allowance`]: by what an assignment is known, and what is
//!   believed of others;
//! - [`lease`]: which one of several dispatchers is at work;
//! - [`io`]: the shell that feeds it from NATS and carries out what it says;
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
pub mod forecast;
pub mod io;
pub mod lease;
pub mod ledger;
pub mod machine;
pub mod paging;
pub mod placement;
pub mod profile;
pub mod roles;
pub mod seal;
pub mod server_clock;
pub mod shortening;
pub mod storage;
