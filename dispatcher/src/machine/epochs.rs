//! Nodes that tell of a later epoch than any that is known here.
//!
//! A node refuses dispatchers older than the latest that it has seen. If most nodes have
//! seen a later one, the bucket that holds the epoch was rolled back: a leader has to take
//! an epoch above. A few of them prove nothing, for whoever has a node's rights can say
//! so, and what the bucket says counts.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{Epoch, NodeId};
use rolecast_common::time::{Now, Time};

use super::{Machine, Output, Trouble};

/// How long it is shown that a node follows another epoch: some heartbeats.
const SHOWN: Duration = Duration::from_secs(10);

/// Nodes that follow a later epoch, which one, and since when they say so.
#[derive(Debug, Default)]
pub(super) struct Later(BTreeMap<NodeId, (Epoch, Time)>);

impl Later {
    pub(super) fn forget(&mut self, node: &NodeId) {
        self.0.remove(node);
    }
}

impl Machine {
    pub(super) fn weigh_epoch(
        &mut self,
        now: Now,
        node: &NodeId,
        theirs: Epoch,
        out: &mut Vec<Output>,
    ) {
        let ours = self.known;
        if theirs <= ours {
            self.later.forget(node);
            return;
        }
        let entry = self.later.0.entry(node.clone());
        let (told, since) = entry.or_insert((theirs, now.time));
        *told = theirs;
        let since = *since;
        let (later, nodes) = (self.later.0.len(), self.fleet.watched());
        if later * 2 > nodes {
            let largest = self.later.0.values().map(|(epoch, _)| *epoch).max();
            self.known = largest.unwrap_or(ours);
            self.later = Later::default();
            if self.led_since.is_some() {
                let reason = format!(
                    "{later} of {nodes} nodes follow an epoch above {ours}, such as {node}"
                );
                out.push(Output::StepDown { reason });
            }
            return;
        }
        // Its word against that of the bucket, which has answered since.
        if self.led_since.is_some() && self.hearing.is_confirmed_since(since) {
            let trouble = Trouble {
                what: "the epochs of workers".to_owned(),
                why: format!(
                    "{later} of {nodes} nodes, such as {node}, follow epoch {theirs} or so, and \
                     the lease is held under {ours}"
                ),
                remedy: "they refuse jobs and roles; unless another dispatcher leads, stop each \
                         worker, run rolecast-worker forget-epoch, and start it again"
                    .to_owned(),
                lasts: Some(SHOWN),
            };
            self.note_trouble(now, trouble, out);
        }
    }
}
