//! Timer for the deadlines of an event loop.

use std::pin::Pin;
use std::time::Duration;

use rolecast_common::time::Time;
use tokio::time::Sleep;

use super::Clock;

/// A timer that is reset only when its time changes.
#[derive(Debug)]
pub struct Timer {
    sleep: Pin<Box<Sleep>>,
    at: Option<Time>,
}

impl Timer {
    /// Returns a timer that has elapsed, until it is set. It needs a tokio runtime with time.
    #[allow(clippy::new_without_default, reason = "making one reads the clock")]
    pub fn new() -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            at: None,
        }
    }

    /// Makes [`Timer::ring`] end at this time of the clock.
    pub fn set(&mut self, clock: &Clock, at: Time) {
        if self.at != Some(at) || self.sleep.is_elapsed() {
            self.at = Some(at);
            self.sleep.as_mut().reset(clock.instant(at).into());
        }
    }

    /// Waits until the time of the timer; after that it returns at once.
    pub async fn ring(&mut self) {
        self.sleep.as_mut().await;
    }
}
