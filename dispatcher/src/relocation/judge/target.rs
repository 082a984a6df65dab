//! Targets: the best node to move a role to.

use std::cmp::Reverse;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

use super::Judge;
use super::harm::missed;
use super::node::Node;

/// The largest load of a target with the whole role on top: a fiftieth of the role's
/// operations miss there.
pub(super) const ROOM: f64 = 0.7;
/// Difference of harm below which targets are equals. Guessed.
const SAME: f64 = 0.05;

/// A node that can take the role.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) node: NodeId,
    /// The load with the whole role.
    pub(super) load: f64,
    pub(super) missed: f64,
    /// Harm of the role to the node's own work, as a share of the role's.
    pub(super) harm: f64,
}

/// The rank of a target; the least is the best.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    missed: u32,
    is_elsewhere: bool,
    /// Thousandths of the CPU that will be free, by forecast.
    headroom: Reverse<u32>,
    place: usize,
}

impl Judge {
    /// Returns the best of the candidates with room for the whole role.
    pub(super) fn target(
        &self,
        now: Time,
        holder: &NodeId,
        candidates: &[NodeId],
    ) -> Option<Target> {
        // The holder's trouble may be that of all nodes: only a node with a heartbeat
        // since can be known to be well.
        let since = self.nodes.get(holder)?.bad?.since;
        let others = candidates
            .iter()
            .enumerate()
            .filter(|(_, id)| *id != holder);
        let ranked = others.filter_map(|(place, id)| {
            let node = self.nodes.get(id)?;
            if !node.is_fresh(now) || node.at <= since {
                return None;
            }
            let load = node.sustained(now)? + node.role;
            (load <= ROOM).then(|| (self.rank(place, id, node, load), id, node, load))
        });
        let (_, id, node, load) = ranked.min_by(|a, b| a.0.cmp(&b.0))?;
        let role = self.settings.role_load.get().max(super::MOVED_MIN);
        let own = node.alone * node.capacity;
        Some(Target {
            node: id.clone(),
            load,
            missed: missed(load),
            harm: (missed(load) - missed(load - node.role)).max(0.0) * own / role,
        })
    }

    fn rank(&self, place: usize, id: &NodeId, node: &Node, load: f64) -> Rank {
        let failback = self.failback.as_ref();
        let is_former = failback.is_some_and(|former| former.node == *id);
        let ahead = (node.ahead + node.role).max(load);
        Rank {
            missed: whole(missed(load) / SAME),
            is_elsewhere: !is_former,
            headroom: Reverse(whole((1.0 - ahead) * 1000.0)),
            place,
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float beyond the integers becomes the nearest of them"
)]
fn whole(value: f64) -> u32 {
    value as u32
}
