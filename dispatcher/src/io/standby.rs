//! Standby: before a dispatcher leads it observes every heartbeat, so that its forecasts
//! are as good as the leader's, and does nothing else.

use std::pin::pin;

use async_nats::Subscriber;
use futures_util::StreamExt as _;
use rolecast_common::id::Epoch;
use rolecast_nats::{Clock, Timer};
use tokio::time::sleep;

use super::lease::{HeldLease, Keeper, STANDBY_REPORT_DELAY};
use super::links::Links;
use super::{events, intake};
use crate::scheduler::{Input, Output, Scheduler};

/// The client has given the connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// A dispatcher that waits for the lease.
pub(super) struct Standby {
    pub(super) clock: Clock,
    pub(super) links: Links,
    pub(super) machine: Scheduler,
    pub(super) heartbeats: Subscriber,
    pub(super) lease: Keeper,
    /// Whether there is a stack from before the start.
    pub(super) has_stack: bool,
    pub(super) log: events::Log,
}

impl Standby {
    /// Waits until the lease is held.
    pub(super) async fn wait(&mut self) -> Result<HeldLease, Closed> {
        let mut timer = Timer::new();
        let mut report = pin!(sleep(STANDBY_REPORT_DELAY));
        let mut is_reported = false;
        let mut observed = Epoch::default();
        loop {
            timer.set(&self.clock, self.machine.next_deadline());
            tokio::select! {
                held = self.lease.taken() => return held.map_err(|_| Closed),
                message = self.heartbeats.next() => {
                    let message = message.ok_or(Closed)?;
                    self.pass(intake::heartbeat(&message));
                }
                input = self.links.changed() => self.pass(input),
                () = timer.ring() => self.pass(Input::Turn),
                () = report.as_mut(), if !is_reported => {
                    is_reported = true;
                    tracing::info!(event = "standing_by", "another dispatcher leads; standing by");
                }
            }
            let known = self.machine.known_epoch();
            if known > observed {
                self.lease.observe(known);
                observed = known;
            }
        }
    }

    /// Continues to observe during other work.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Closed> {
        let mut timer = Timer::new();
        let mut work = pin!(work);
        loop {
            timer.set(&self.clock, self.machine.next_deadline());
            tokio::select! {
                done = work.as_mut() => return Ok(done),
                message = self.heartbeats.next() => {
                    let message = message.ok_or(Closed)?;
                    self.pass(intake::heartbeat(&message));
                }
                input = self.links.changed() => self.pass(input),
                () = timer.ring() => self.pass(Input::Turn),
            }
        }
    }

    fn pass(&mut self, input: Input) {
        let mut outputs = Vec::new();
        let now = self.clock.now();
        self.machine.handle(now, input, &mut outputs);
        for output in outputs {
            // Commands are for the leader to carry out.
            if let Output::Event(event) = output {
                self.log.event(now.time, &event);
            }
        }
    }
}
