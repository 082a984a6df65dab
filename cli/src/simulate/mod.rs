//! A fleet in virtual time, on which placement is compared with what others do.
//!
//! Read on in this order: [`world`] (what happens whatever the policy does) and
//! [`policy`] (what a policy hears and says).

#![allow(dead_code, reason = "the parts arrive one by one")]

pub(crate) mod peers;
pub(crate) mod policy;
pub(crate) mod rolecast;
pub(crate) mod scenario;
pub(crate) mod world;
