//! Who holds which role, and how a role moves without two nodes ever holding it.

mod input;
mod output;
mod settings;

use std::time::Duration;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::{Now, Time};

pub use input::{Heard, Input, Move, Order};
pub use output::{Answer, Event, Output, Refusal};
pub use settings::{RoleSettings, Settings};

/// How long a node holds its managed roles after it sent the heartbeat that was
/// answered: a hook to promote and one to demote, each of at most 4 s, and a
/// heartbeat's interval fit.
pub const ROLE_LEASE: Duration = Duration::from_secs(10);
/// What is waited beyond it: a twentieth is far more than clocks differ in their rates.
pub const ROLE_LEASE_MARGIN: Duration = Duration::from_millis(500);

/// The state machine that gives roles to nodes.
#[derive(Debug)]
pub struct Manager {
    settings: Settings,
}

impl Manager {
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Takes an input and says what is to be done.
    pub fn handle(&mut self, _now: Now, _input: Input, _out: &mut Vec<Output>) {}

    /// Returns when [`Input::Tick`] is wanted at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// Returns the roles whose jobs this node may get, of those that it reports:
    /// managed ones only if they were given to it.
    pub fn effective_roles(&self, _node: &NodeId, reported: &[Role]) -> Vec<Role> {
        let is_free = |role: &&Role| !self.settings.managed.contains_key(role);
        reported.iter().filter(is_free).cloned().collect()
    }

    /// Returns whether the node was drained: nothing is to be placed there.
    pub fn is_drained(&self, _node: &NodeId) -> bool {
        false
    }
}
