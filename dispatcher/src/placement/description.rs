//! The description of a node by its worker: roles, labels and categories.

use std::collections::BTreeMap;

use rolecast_common::id::{Category, Role};
use rolecast_common::label::{Labels, Requirement};
use rolecast_common::wire::Heartbeat;

use super::fit::{Fit, Obstacle};
use crate::category::Policy;

/// The part of a node's heartbeats that decides which jobs suit it; it seldom changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Description {
    roles: Vec<Role>,
    labels: Labels,
    /// The most jobs of each category that it runs at a time.
    offered: BTreeMap<Category, u32>,
}

impl Description {
    pub(crate) fn new(beat: &Heartbeat) -> Self {
        Self {
            roles: beat.roles.clone(),
            labels: beat.labels.clone(),
            offered: beat.categories.clone(),
        }
    }

    /// Whether the heartbeat has the same description.
    pub(crate) fn is_in(&self, beat: &Heartbeat) -> bool {
        self.roles == beat.roles && self.labels == beat.labels && self.offered == beat.categories
    }

    pub(crate) fn roles(&self) -> &[Role] {
        &self.roles
    }

    pub(crate) fn categories(&self) -> &BTreeMap<Category, u32> {
        &self.offered
    }

    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Returns its fitness for jobs of the category that require these labels.
    pub(crate) fn fit(&self, policy: &Policy, requirement: &Requirement) -> Result<Fit, Obstacle> {
        let rank = policy.role_rank(&self.roles).ok_or(Obstacle::Role)?;
        let offered = self.offered.get(&policy.category);
        let jobs_max = *offered.ok_or(Obstacle::NotOffered)?;
        if !requirement.matches(&self.labels) {
            return Err(Obstacle::Label);
        }
        let rank = u8::try_from(rank).unwrap_or(u8::MAX);
        Ok(Fit { rank, jobs_max })
    }
}
