//! How many jobs to ask the stream for: what can be placed, and a few to hold.

use std::time::Duration;

use rolecast_common::subjects::Source;
use rolecast_common::time::Time;

use super::{Machine, Output};

/// How long a pull stays open. The shell writes it into the request.
pub const PULL_EXPIRES: Duration = Duration::from_secs(10);
/// A pull without any answer this long after it expired was lost.
const PULL_LOST_AFTER: Duration = Duration::from_secs(12);
/// Jobs held when no node has room, so that the oldest can expire, and start
/// without a round trip when room comes.
const HELD_MIN: u32 = 16;
/// Bounds the payloads held for one category and priority.
const HELD_MAX: u32 = 2048;

impl Machine {
    pub(super) fn end_pull(&mut self, source: &Source, undelivered: u32) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.asked = room.asked.saturating_sub(undelivered);
        }
    }

    pub(super) fn void_pulls(&mut self) {
        for room in self.rooms.values_mut() {
            room.asked = 0;
        }
    }

    pub(super) fn fetch(&mut self, now: Time, out: &mut Vec<Output>) {
        if self
            .led_since
            .is_none_or(|since| now.since(since) < self.params.warm_up)
        {
            return;
        }
        // New room on the nodes is noticed by the sweep at the latest; to look
        // at every node for every message would cost more than all else.
        let is_sweep = self.swept == now;
        for (source, room) in &mut self.rooms {
            if room.len().saturating_add(room.asked) > room.enough && !is_sweep {
                continue;
            }
            let Some(service) = self.services.get(&source.category) else {
                continue;
            };
            if now.since(room.asked_at) > PULL_EXPIRES + PULL_LOST_AFTER {
                room.asked = 0;
            }
            let free = self.fleet.free_jobs(service.index);
            let target = free
                .min(self.fleet.room_for(service.index))
                .saturating_add(HELD_MIN)
                .min(HELD_MAX);
            room.enough = target / 2;
            let missing = target.saturating_sub(room.len()).saturating_sub(room.asked);
            // Few large pulls cost the server less than many small ones.
            let is_worth_it = missing > 0 && (room.asked == 0 || missing >= room.enough);
            if !is_worth_it {
                continue;
            }
            room.asked += missing;
            room.asked_at = now;
            out.push(Output::Fetch {
                source: source.clone(),
                batch: missing,
            });
        }
    }
}
