//! Nodes kept free for jobs that must run alone.

use rolecast_common::id::NodeId;

use super::Fleet;
use super::candidate::{Alone, Candidate};
use crate::placement::{MEMORY, Obstacle, Slot};

impl Fleet {
    /// Returns the node to keep for the job: for a suspect the one with the fewest jobs,
    /// for a job that outgrew its memory the largest one.
    pub fn node_to_keep(&self, job: &Candidate<'_>, alone: Alone) -> Option<Slot> {
        let mut best: Option<((u64, u32), Slot)> = None;
        self.scan(job, self.board.outlook(), |slot, estimate| {
            let suits = match (estimate, alone) {
                (Ok(_) | Err(Obstacle::Full | Obstacle::Memory), _) => true,
                (Err(Obstacle::Outgrown), Alone::Outgrown) => true,
                (Err(_), _) => false,
            };
            let size = match alone {
                Alone::Suspect => 0,
                Alone::Outgrown => whole(self.board.figures(slot).capacity[MEMORY]),
            };
            // The largest first, then the one with the fewest jobs.
            let order = (u64::MAX - size, self.board.jobs(slot));
            if suits && best.is_none_or(|(least, _)| order < least) {
                best = Some((order, slot));
            }
        });
        best.map(|(_, slot)| slot)
    }

    /// Sets whether the node is kept for jobs that must run alone.
    pub fn set_kept(&mut self, id: &NodeId, is_kept: bool) {
        if let Some(node) = self.nodes.get(id) {
            self.board.set_kept(node.slot, is_kept);
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes are whole, and the conversion saturates"
)]
fn whole(bytes: f32) -> u64 {
    bytes as u64
}
