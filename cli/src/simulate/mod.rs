//! A fleet in virtual time, on which placement is compared with what others do.
//!
//! Read on in this order: [`world`] (what happens whatever the policy does),
//! [`policy`] (what a policy hears and says), [`host`] (how fast jobs progress),
//! [`engine`] (how a run goes), [`metrics`] (what came out of it), [`rolecast`]
//! (the dispatcher as a policy) and [`peers`] (what it is compared with).

#![allow(dead_code, reason = "the parts arrive one by one")]

mod agenda;
pub(crate) mod engine;
mod fleet;
mod heartbeat;
mod host;
pub(crate) mod metrics;
mod moment;
pub(crate) mod peers;
pub(crate) mod policy;
mod rolecast;
mod slots;
pub(crate) mod world;

#[cfg(test)]
mod tests;
