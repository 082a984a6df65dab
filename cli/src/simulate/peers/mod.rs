//! Policies that placement is compared with.

pub(crate) mod retries;
pub(crate) mod simple;
