//! How a node is told its roles.

use serde::{Deserialize, Serialize};

use super::Message;
use crate::id::{Epoch, Role};

/// The roles a node holds from now on, sent on `rolecast.node.<node>.roles`.
///
/// A worker takes it if `(epoch, generation)` is above the last it took, and
/// confirms by the roles and epoch in its next heartbeat; else it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleAssignment {
    pub v: u8,
    /// The epoch of the dispatcher that decided it.
    pub epoch: Epoch,
    /// Rises with every change that dispatcher decides.
    pub generation: u64,
    pub roles: Vec<Role>,
}

impl Message for RoleAssignment {
    fn version(&self) -> u8 {
        self.v
    }
}
