//! Number of jobs to fetch from the stream: those that can be placed, and a few to hold.

use rolecast_common::subjects::Source;
use rolecast_common::time::Time;

use super::{Context, Output, Scheduler};

/// Jobs held when no node has room, so that the oldest can expire, and start without a
/// round trip when there is room.
const HELD_MIN: u32 = 16;
/// The most jobs held for one category and priority: bounds their payloads.
const HELD_MAX: u32 = 2048;

impl Scheduler {
    pub(super) fn end_pull(&mut self, now: Time, source: &Source, undelivered: u32) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.pulls.end(now, undelivered);
        }
    }

    pub(super) fn fail_pulls(&mut self, now: Time, source: &Source) {
        let jitter = self.rng.f64();
        if let Some(room) = self.rooms.get_mut(source) {
            room.pulls.fail(now, jitter);
        }
    }

    pub(super) fn keep_pulls(&mut self, now: Time, source: &Source) {
        if let Some(room) = self.rooms.get_mut(source) {
            room.pulls.show_life(now);
        }
    }

    pub(super) fn void_pulls(&mut self) {
        for room in self.rooms.values_mut() {
            room.pulls.void();
        }
    }

    pub(super) fn fetch(&mut self, cx: &mut Context<'_>) {
        if !self.leadership.may_fetch(cx.now.time) || self.waits_for_workers(cx.now.time) {
            return;
        }
        // New room on the nodes is noticed by the sweep at the latest; looking at every
        // node for every message would cost more than all else.
        let is_sweep = self.watch.has_swept(cx.now.time);
        for (source, room) in &mut self.rooms {
            let returning = u32::try_from(room.returning.len()).unwrap_or(u32::MAX);
            let held = room.len().saturating_add(room.pulls.asked());
            if held > room.enough && returning == 0 && !is_sweep {
                continue;
            }
            let Some(service) = self.services.get(&source.category) else {
                continue;
            };
            room.pulls.expire(cx.now.time);
            if room.pulls.is_paused(cx.now.time) {
                continue;
            }
            let free = self.fleet.free_jobs(service.index);
            let target = free
                .min(self.fleet.room_for(service.index))
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
