//! Invariants that are checked after every step.

use std::collections::BTreeMap;

use rolecast_common::id::{Epoch, Role};
use rolecast_common::wire::RoleDocument;

use super::clock::Instantaneous;
use super::host::Host;
use super::message::Sender;

/// A dispatcher receives the result of its claim within this time, or never.
const CLAIM_MAX: Instantaneous = 2_000_000_000;

/// Observations so far.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// The sender of the commands that were taken under each epoch: dispatcher, and its
    /// start.
    senders: BTreeMap<Epoch, Sender>,
    /// The largest epoch of which each node took a command.
    taken: BTreeMap<usize, Epoch>,
    generation: u64,
    /// The leader under each epoch.
    leaders: BTreeMap<Epoch, Sender>,
    /// The time of the last damage to the key: then a dispatcher that restarts cannot know
    /// of epochs that no worker has seen.
    harmed: Option<Instantaneous>,
}

impl Checks {
    /// Checks the nodes that act in a role, and the services that may believe that they
    /// do.
    pub(super) fn holders(
        &self,
        at: Instantaneous,
        hosts: &[Host],
        roles: &[(Role, usize)],
    ) -> Result<(), String> {
        for (role, holders_max) in roles {
            let acting = hosts.iter().filter(|host| host.acts_in(at, role));
            let acting: Vec<&str> = acting.map(|host| host.node.as_str()).collect();
            if acting.len() > *holders_max {
                return Err(format!("{acting:?} act as {role}"));
            }
            let believing = hosts.iter().filter(|host| host.believes(role));
            let believing: Vec<&str> = believing.map(|host| host.node.as_str()).collect();
            if believing.len() > *holders_max {
                return Err(format!("services of {believing:?} believe to be {role}"));
            }
        }
        Ok(())
    }

    /// Checks an epoch that a heartbeat reports.
    pub(super) fn heartbeat(host: &Host, epoch: Epoch) -> Result<(), String> {
        if epoch < host.epoch_reported {
            let (node, former) = (&host.node, host.epoch_reported);
            return Err(format!("{node} fell from epoch {former} to {epoch}"));
        }
        Ok(())
    }

    /// Checks a command that a node has taken.
    pub(super) fn command(
        &mut self,
        node: usize,
        epoch: Epoch,
        sender: Sender,
    ) -> Result<(), String> {
        let first = *self.senders.entry(epoch).or_insert(sender);
        if first != sender {
            return Err(format!(
                "commands of {first:?} and {sender:?} under epoch {epoch}"
            ));
        }
        let taken = self.taken.entry(node).or_default();
        if epoch < *taken {
            return Err(format!(
                "node {node} took a command of epoch {epoch} after {taken}"
            ));
        }
        *taken = epoch;
        Ok(())
    }

    pub(super) fn harm(&mut self, now: Instantaneous) {
        self.harmed = Some(now);
    }

    /// Checks that a dispatcher leads under an epoch.
    pub(super) fn leader(
        &mut self,
        now: Instantaneous,
        epoch: Epoch,
        leader: Sender,
        may_change: bool,
    ) -> Result<(), String> {
        if let Some(former) = self.leaders.get(&epoch) {
            return Err(format!("{leader:?} and {former:?} lead under {epoch}"));
        }
        if let Some((last, former)) = self.leaders.last_key_value() {
            if epoch < *last && self.harmed.is_none() {
                return Err(format!("{leader:?} leads under {epoch} after {last}"));
            }
            if !may_change {
                return Err(format!("{leader:?} leads, and {former:?} was not dead"));
            }
        }
        // A claim that was stored just before counts as lost, too.
        self.harmed = self.harmed.filter(|at| now - at < CLAIM_MAX);
        self.leaders.insert(epoch, leader);
        Ok(())
    }

    /// Checks a document that was stored.
    pub(super) fn document(&mut self, document: &RoleDocument) -> Result<(), String> {
        let (was, is) = (self.generation, document.generation);
        if is != was + 1 {
            return Err(format!("generation {is} follows {was}"));
        }
        self.generation = is;
        Ok(())
    }
}
