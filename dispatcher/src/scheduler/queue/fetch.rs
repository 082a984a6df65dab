//! Number of jobs to fetch from the stream: those that can be placed, and a few to hold.

use super::Queue;
use crate::fleet::Fleet;
use crate::scheduler::context::Context;
use crate::scheduler::output::Output;

/// Jobs held when no node has room, so that the oldest can expire, and start without a
/// round trip when there is room.
const HELD_MIN: u32 = 16;
/// The most jobs held for one category and priority: bounds their payloads.
const HELD_MAX: u32 = 2048;

impl Queue {
    /// Requests jobs from the stream. New room on the nodes is noticed in a sweep at the
    /// latest; checking every node for every message would cost more than all else.
    pub(in crate::scheduler) fn fetch(
        &mut self,
        cx: &mut Context<'_>,
        fleet: &Fleet,
        is_sweep: bool,
    ) {
        for (source, room) in &mut self.rooms {
            let returning = u32::try_from(room.returning.len()).unwrap_or(u32::MAX);
            let held = room.len().saturating_add(room.pulls.asked());
            if held > room.enough && returning == 0 && !is_sweep {
                continue;
            }
            let Some(state) = self.categories.get(&source.category) else {
                continue;
            };
            room.pulls.expire(cx.now.time);
            if room.pulls.is_paused(cx.now.time) {
                continue;
            }
            let free = fleet.placer().free_jobs(state.index());
            let target = free
                .min(fleet.placer().room_for(state.index()))
                .saturating_add(HELD_MIN)
                .min(HELD_MAX);
            room.enough = target / 2;
            let asked = room.pulls.asked();
            let missing = target.saturating_sub(room.len()).saturating_sub(asked);
            // The stream delivers first what was given back: a full room must not keep it
            // there, behind later jobs.
            let missing = missing.max(returning.min(HELD_MAX).saturating_sub(asked));
            // Few large pulls cost the server less than many small ones.
            let is_worth_it = missing > 0 && (asked == 0 || missing >= room.enough);
            if !is_worth_it {
                continue;
            }
            room.pulls.ask(cx.now.time, missing);
            cx.push(Output::Fetch {
                source: source.clone(),
                batch: missing,
            });
        }
    }
}
