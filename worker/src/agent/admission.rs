//! Admission of a worker to the name of its node.
//!
//! 1. A worker that starts reports that in its heartbeats, and takes no jobs.
//! 2. Admitted, it listens for jobs and reports which ones it takes.
//! 3. Refused, it gives back what it has and ends, whether it serves already or not:
//!    another worker has its name, and continues. Either answer may also report that the
//!    bucket knows no dispatcher of the epoch that the worker follows. The worker
//!    continues to follow that epoch, because a former dispatcher can send this too. But
//!    it logs how an operator corrects it.
//! 4. Without any answer for [`JOIN_PATIENCE`] it serves: there is no dispatcher, or an
//!    older one.

use std::time::Duration;

use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{Admission, AdmissionVerdict};

use super::output::{Event, Output};
use super::{Agent, Phase};

/// Three heartbeats of another start that may exist, with the time between them: the most
/// it takes to distinguish it from one that has just ended (derived).
pub(super) const JOIN_PATIENCE: Duration = Duration::from_secs(3);
/// Interval between the heartbeats of a worker that starts: short, because it waits for
/// an answer.
pub(super) const JOIN_INTERVAL: Duration = Duration::from_millis(250);

impl Agent {
    pub(super) fn admit(&mut self, now: Now, admission: &Admission, out: &mut Vec<Output>) {
        if admission.boot != self.params.boot {
            return;
        }
        if let Some(refuted) = admission.refuted
            && self
                .roles
                .epochs_mut()
                .record_refuted(admission.epoch, refuted)
        {
            out.push(Output::Event(Event::EpochRefuted {
                kept: refuted,
                led: admission.epoch,
            }));
        }
        match (admission.verdict, self.phase) {
            (AdmissionVerdict::Admitted, Phase::Joining { .. }) => self.serve(now.time, out),
            (AdmissionVerdict::Wait, Phase::Joining { .. }) => {
                self.phase = Phase::Joining {
                    until: now.time + JOIN_PATIENCE,
                };
            }
            (AdmissionVerdict::Refused, _) => self.turn_away(now, admission, out),
            (
                AdmissionVerdict::Admitted | AdmissionVerdict::Wait,
                Phase::Serving | Phase::Draining { .. } | Phase::Leaving { .. } | Phase::Gone,
            ) => {}
        }
    }

    /// Begins to take jobs.
    pub(super) fn serve(&mut self, now: Time, out: &mut Vec<Output>) {
        self.phase = Phase::Serving;
        out.push(Output::Listen);
        self.heartbeats.hasten(now);
    }

    fn turn_away(&mut self, now: Now, admission: &Admission, out: &mut Vec<Output>) {
        if self.turned_away.is_some() || self.phase == Phase::Gone {
            return;
        }
        let node = &self.params.node;
        let boot = &self.params.boot;
        let reason = format!(
            "the name of node {node} is in use: {}; set another one with node = \"...\" \
             (this is boot {boot})",
            admission.reason
        );
        out.push(Output::Event(Event::TurnedAway {
            reason: reason.clone(),
        }));
        self.turned_away = Some(reason);
        self.drain(now, out);
        // Without a grace time: its jobs are the other one's to run.
        if matches!(self.phase, Phase::Draining { .. }) {
            self.phase = Phase::Draining { until: now.time };
        }
    }
}
