//! Figures of the agent, for metrics.

use rolecast_common::id::Role;

/// The agent at one moment.
#[derive(Clone, Debug)]
pub(crate) struct AgentFigures {
    pub(crate) running: usize,
    pub(crate) jobs_max: u32,
    /// Outcomes that no dispatcher has confirmed.
    pub(crate) unconfirmed: usize,
    /// Whether a dispatcher admitted it and it takes jobs.
    pub(crate) serves: bool,
    /// The managed roles that it acts in.
    pub(crate) roles: Vec<Role>,
}
