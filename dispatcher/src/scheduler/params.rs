//! Parameters of the scheduler, fixed at its start.

use std::time::Duration;

use crate::allowance::Allowances;
use crate::category::Policy;
use crate::roles::Settings;

#[derive(Clone, Debug)]
pub struct Params {
    pub name: String,
    pub forecast: rolecast_forecast::Params,
    pub policies: Vec<Policy>,
    pub allowances: Allowances,
    pub roles: Settings,
    /// Whether nodes whose jobs take longer than predicted are avoided.
    pub has_feedback: bool,
    /// The policy of undeclared categories; `None` dead-letters their jobs.
    pub undeclared: Option<Policy>,
    /// Delay between taking the lead and fetching, so that heartbeats can first report
    /// the jobs that are already in hand.
    pub warm_up: Duration,
    /// Time without a sign of life after which the server delivers a job again.
    pub ack_wait: Duration,
    pub seed: u64,
}
