//! A fleet in virtual time, on which placement is compared with what others do.
//!
//! Read on in this order: [`world`] (what happens whatever the policy does),
//! [`scenario`] (how worlds are drawn), [`cluster`] (how they are made from what a
//! running system recorded), [`policy`] (what a policy hears and says), [`pressure`]
//! (what slows jobs down), [`host`] (how they progress), [`engine`] (how a run goes),
//! [`metrics`] (what came out of it), [`rolecast`]
//! (the dispatcher as a policy), [`peers`] (what it is compared with), [`report`]
//! and [`plot`] (how it is told).

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
pub(crate) mod report;
mod rolecast;
pub(crate) mod scenario;
mod slots;
pub(crate) mod world;

#[cfg(test)]
mod tests;
