//! The demonstration's pure part: who takes part, what is run on what, and
//! what the records say afterwards.

pub(crate) mod comparison;
pub(crate) mod corpus;
pub(crate) mod fate;
pub(crate) mod fleet;
pub(crate) mod logins;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod story;
pub(crate) mod tally;
