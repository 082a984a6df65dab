//! Wire format shared by every Rolecast program: subjects, headers and messages.
//!
//! Identifiers and quantities are checked where they are made, so a value of their type is
//! valid everywhere:
//!
//! ```
//! use rolecast_common::id::{JobId, NodeId};
//! use rolecast_common::subjects;
//! use rolecast_common::unit::Cores;
//!
//! assert!(NodeId::new("A B").is_err());
//! let node = NodeId::new("n1")?;
//! assert_eq!(subjects::node_jobs(&node), "rolecast.node.n1.jobs");
//! assert_eq!(subjects::result(&JobId::new("job-1")?), "rolecast.results.job-1");
//! assert!(Cores::new(-1.0).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A job takes these steps, and each step has its types here:
//!
//! 1. a producer publishes it on `rolecast.jobs.<category>` ([`subjects`]), with its
//!    options in headers ([`options`]);
//! 2. the dispatcher sends it to `rolecast.node.<node>.jobs` with a reply subject that
//!    names the assignment ([`assignment`]);
//! 3. the worker reports heartbeats and outcomes ([`wire`]);
//! 4. the dispatcher records the outcome ([`wire::Record`]).
//!
//! Everything here is pure; the crate `rolecast-nats` connects.

pub mod alarm;
pub mod assignment;
mod bounds;
pub mod fnv;
pub mod histogram;
pub mod id;
pub mod label;
pub mod lines;
pub mod options;
pub mod requests;
pub mod resource;
pub mod rights;
pub mod settings;
pub mod subjects;
pub mod time;
pub mod trace;
pub mod unit;
pub mod wire;
pub mod words;
