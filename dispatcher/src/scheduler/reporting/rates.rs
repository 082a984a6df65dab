//! Limits of the rates of events, so that hostile or broken senders cannot flood the log.

use std::time::Duration;

use rolecast_common::time::Time;

#[derive(Debug, Default)]
pub(super) struct Rates {
    pub(super) heartbeats: Bound,
    pub(super) outcomes: Bound,
    pub(super) requests: Bound,
    pub(super) advice: Bound,
    pub(super) diversions: Bound,
    pub(super) suspicions: Bound,
}

#[derive(Debug, Default)]
pub(super) struct Bound {
    last: Option<Time>,
    count: u64,
}

impl Bound {
    /// Returns their number since the last report, at most once a second.
    pub(super) fn count(&mut self, now: Time) -> Option<u64> {
        self.count += 1;
        let is_quiet = self
            .last
            .is_none_or(|last| now.since(last) >= Duration::from_secs(1));
        if !is_quiet {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}
