//! The loop's alarm clock.

use std::pin::Pin;
use std::time::Duration;

use rolecast_common::nats::Clock;
use rolecast_common::time::Time;
use tokio::time::Sleep;

/// A timer that is set anew only when the time it waits for changes.
pub(super) struct Timer {
    pub(super) sleep: Pin<Box<Sleep>>,
    at: Option<Time>,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            at: None,
        }
    }

    pub(super) fn set(&mut self, clock: &Clock, at: Time) {
        if self.at != Some(at) || self.sleep.is_elapsed() {
            self.at = Some(at);
            self.sleep.as_mut().reset(clock.instant(at).into());
        }
    }
}
