//! Wire format shared by every Rolecast program: subjects, headers and messages.
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

pub mod assignment;
pub mod fnv;
pub mod id;
pub mod label;
pub mod lines;
pub mod options;
pub mod requests;
pub mod rights;
pub mod settings;
pub mod subjects;
pub mod time;
pub mod unit;
pub mod wire;
