//! Role assignments to a node, and the role state that it reports.

use serde::{Deserialize, Serialize};

use super::Message;
use crate::bounds;
use crate::id::{BootId, Epoch, Role};

/// The managed roles a node should have, all of them, sent on `rolecast.node.<node>.roles`
/// in answer to one of its heartbeats.
///
/// 1. A worker refuses it if it is of another boot, answers a heartbeat that it does not
///    remember, has an epoch below the largest ever seen, or an older
///    `(epoch, generation)` than the last one taken.
/// 2. It holds until `lease_ms` after the worker *sent* that heartbeat, on the worker's
///    own clock. An equal `(epoch, generation)` only extends it.
/// 3. Roles that are missing end at once. Roles that are new begin when the worker's hook
///    has succeeded; then, or when it has failed, the next heartbeat reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleAssignment {
    pub v: u8,
    /// The epoch of the dispatcher that decided it.
    pub epoch: Epoch,
    /// Rises with every step of any dispatcher.
    pub generation: u64,
    /// The start of the worker that it is for.
    pub boot: BootId,
    /// The `seq` of the heartbeat that it answers.
    pub answers: u64,
    /// The time for which the roles are held, counted from when that heartbeat was sent.
    pub lease_ms: u32,
    #[serde(deserialize_with = "bounds::roles")]
    pub roles: Vec<Role>,
}

impl Message for RoleAssignment {
    fn version(&self) -> u8 {
        self.v
    }
}

/// Names one step in the assignment of roles: greater is newer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct RoleVersion {
    pub epoch: Epoch,
    pub generation: u64,
}

impl RoleVersion {
    /// Returns whether no assignment was ever carried out.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Report that a worker carried this assignment out except for some roles, which it did
/// not take on and will not try again under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleFailure {
    pub epoch: Epoch,
    pub generation: u64,
    #[serde(deserialize_with = "bounds::roles")]
    pub roles: Vec<Role>,
    /// The reason, such as the output of the hook, in one line.
    #[serde(deserialize_with = "bounds::remark")]
    pub reason: String,
}
