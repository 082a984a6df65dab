//! Pure part of the demonstration: its parties, its plan, and its report from the
//! records.

pub(crate) mod comparison;
pub(crate) mod configs;
pub(crate) mod corpus;
pub(crate) mod fate;
pub(crate) mod fleet;
pub(crate) mod logins;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod story;
pub(crate) mod tally;
