//! Simulator: a fleet in virtual time, to compare placement with other policies.
//!
//! Read on in this order: [`world`] (events that do not depend on the policy),
//! [`scenario`] (worlds drawn from a file), [`cluster`] (worlds made from the records of
//! a running system), [`policy`] (inputs and outputs of a policy), [`pressure`]
//! (slow-down of jobs), [`host`] (their progress), [`engine`] (a run), [`metrics`] (its
//! results), [`rolecast`] (the dispatcher as a policy), [`peers`] (the policies that it
//! is compared with), [`report`] and [`plot`] (output).

mod agenda;
pub(crate) mod cluster;
pub(crate) mod engine;
mod fleet;
mod heartbeat;
mod host;
pub(crate) mod metrics;
mod moment;
pub(crate) mod peers;
pub(crate) mod plot;
pub(crate) mod policy;
mod pressure;
pub(crate) mod recording;
pub(crate) mod report;
mod rolecast;
pub(crate) mod scenario;
mod slots;
pub(crate) mod world;

#[cfg(test)]
mod tests;
