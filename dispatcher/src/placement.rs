//! The choice of a node for a job: a pure function of the fleet at one moment.
//!
//! First who may take it (alive, not draining, offers the category, has a role
//! for it, a slot, and the memory: a hard limit, for over-commit kills). Then,
//! among those, nodes whose use leaves room before those it would overload,
//! better roles before lesser ones, the least loaded first, and chance between
//! equals. Use is what others use plus the ledger of what was sent; looking
//! ahead, it is what others will use at most while the job runs. So a job goes
//! elsewhere before a node is overloaded. A forecast never makes a node
//! ineligible, lest jobs wait for room that is there.

use rolecast_common::id::NodeId;

use crate::category::Policy;
use crate::fleet::{Fleet, Node};
use crate::forecast::Ahead;

/// Why a node cannot take a job at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// Its heartbeats stopped or nobody listens on its subject.
    Gone,
    Draining,
    /// It has no role the category may run on.
    Role,
    /// It does not run the category.
    NotOffered,
    /// It refused the category since its last heartbeat.
    Refused,
    /// It has no free slot, in total or for the category.
    Full,
    /// The job's memory would not fit.
    Memory,
}

/// Why no node can take a job: how many were kept back by what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    pub gone: u32,
    pub draining: u32,
    pub role: u32,
    pub not_offered: u32,
    pub refused: u32,
    pub full: u32,
    pub memory: u32,
}

impl Shortfall {
    fn count(&mut self, obstacle: Obstacle) {
        *match obstacle {
            Obstacle::Gone => &mut self.gone,
            Obstacle::Draining => &mut self.draining,
            Obstacle::Role => &mut self.role,
            Obstacle::NotOffered => &mut self.not_offered,
            Obstacle::Refused => &mut self.refused,
            Obstacle::Full => &mut self.full,
            Obstacle::Memory => &mut self.memory,
        } += 1;
    }

    /// Returns whether it passes by itself as jobs end, rather than needing
    /// another node or another config.
    pub fn is_passing(&self) -> bool {
        self.full + self.memory + self.refused > 0
    }
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.gone, "gone"),
            (self.draining, "draining"),
            (self.role, "without a role for it"),
            (self.not_offered, "not running it"),
            (self.refused, "refusing it"),
            (self.full, "full"),
            (self.memory, "without the memory"),
        ];
        let mut is_first = true;
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            let separator = if is_first { "" } else { ", " };
            write!(f, "{separator}{count} {what}")?;
            is_first = false;
        }
        if is_first {
            f.write_str("no node known")?;
        }
        Ok(())
    }
}

/// Which use of the nodes counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// As the last heartbeats tell.
    Present,
    /// As it will be at most while the job runs.
    Ahead,
}

impl Outlook {
    /// Returns how far to look for a job of this category.
    fn ahead(self, policy: &Policy) -> Option<Ahead> {
        match self {
            Outlook::Present => None,
            Outlook::Ahead => Some(Ahead::covering(policy.duration)),
        }
    }
}

/// How good a node is for a job: the smallest is best, field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_overloaded: bool,
    role: usize,
    load_permille: u32,
    chance: u32,
}

/// Returns the best node for one more job of this category.
pub fn place(
    fleet: &Fleet,
    policy: &Policy,
    outlook: Outlook,
    rng: &mut fastrand::Rng,
) -> Result<NodeId, Shortfall> {
    let ahead = outlook.ahead(policy);
    let mut shortfall = Shortfall::default();
    let mut best: Option<(Rank, &Node)> = None;
    for node in fleet.nodes() {
        let role = match eligibility(node, policy) {
            Ok(role) => role,
            Err(obstacle) => {
                shortfall.count(obstacle);
                continue;
            }
        };
        let rank = rank(node, policy, ahead, role, rng.u32(..));
        if best.is_none_or(|(best, _)| rank < best) {
            best = Some((rank, node));
        }
    }
    best.map(|(_, node)| node.id().clone()).ok_or(shortfall)
}

/// Returns the rank of the node's role for the category, or what keeps it back.
pub fn eligibility(node: &Node, policy: &Policy) -> Result<usize, Obstacle> {
    if node.is_gone() {
        return Err(Obstacle::Gone);
    }
    if node.is_draining() {
        return Err(Obstacle::Draining);
    }
    let role = policy.role_rank(node.roles()).ok_or(Obstacle::Role)?;
    let Some(free) = node.free_slots(&policy.category) else {
        return Err(Obstacle::NotOffered);
    };
    if node.has_refused(&policy.category) {
        return Err(Obstacle::Refused);
    }
    if free == 0 {
        return Err(Obstacle::Full);
    }
    let memory = node.present_use().memory + policy.profile.memory;
    if memory > node.capacity().memory {
        return Err(Obstacle::Memory);
    }
    Ok(role)
}

fn rank(node: &Node, policy: &Policy, ahead: Option<Ahead>, role: usize, chance: u32) -> Rank {
    let used = ahead.map_or_else(|| node.present_use(), |ahead| node.predicted_use(ahead));
    let used = used + policy.profile;
    let capacity = node.capacity();
    let shares = [
        share(used.cpu.get(), capacity.cpu.get()),
        share(used.network.get(), capacity.network.get()),
        share(used.disk.get(), capacity.disk.get()),
    ];
    let busiest = shares.into_iter().fold(0.0, f64::max);
    // Slots spread the categories whose profile says almost nothing.
    let slots = share(f64::from(node.jobs() + 1), f64::from(node.jobs_max()));
    Rank {
        is_overloaded: busiest > 1.0 || used.memory > capacity.memory,
        role,
        load_permille: permille(busiest.max(slots)),
        chance,
    }
}

/// Returns the used share of a resource; one of unknown capacity counts as free.
fn share(used: f64, capacity: f64) -> f64 {
    if capacity <= 0.0 {
        return 0.0;
    }
    used / capacity
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range first"
)]
fn permille(share: f64) -> u32 {
    (share * 1000.0).clamp(0.0, 1e9) as u32
}

#[cfg(test)]
mod tests;
