//! Environment of the processes: time, chance, the network, and the trace of a run.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;

use super::clock::Instantaneous;
use super::message::Message;
use super::network::{Network, Place};
use super::schedule::{Event, Schedule};

const TRACE_MAX: usize = 400;

#[derive(Debug)]
pub(super) struct Environment {
    pub(super) rng: Rng,
    pub(super) schedule: Schedule,
    pub(super) network: Network,
    /// The last events, if they are recorded.
    trace: Option<VecDeque<String>>,
}

impl Environment {
    pub(super) fn new(rng: Rng, network: Network, is_traced: bool) -> Self {
        Self {
            rng,
            schedule: Schedule::default(),
            network,
            trace: is_traced.then(VecDeque::new),
        }
    }

    pub(super) fn now(&self) -> Instantaneous {
        self.schedule.now()
    }

    /// Sends a message when its sender is ready: it may be stopped or killed before.
    pub(super) fn post(&mut self, from: Place, life: u32, to: Place, message: Message) {
        let delay = Duration::from_micros(self.rng.u64(..500));
        let leave = Event::Leave {
            from,
            life,
            to,
            message,
        };
        self.schedule.after(delay, leave);
    }

    pub(super) fn send(&mut self, from: Place, to: Place, message: Message) {
        let mut delays = self.network.delays(&mut self.rng, from, to);
        let Some(last) = delays.pop() else {
            return;
        };
        for delay in delays {
            let message = message.clone();
            self.schedule.after(delay, Event::Arrive { to, message });
        }
        self.schedule.after(last, Event::Arrive { to, message });
    }

    /// Wakes a process at a time, or a little later.
    pub(super) fn wake_at(&mut self, place: Place, life: u32, at: Instantaneous) {
        let late = self.rng.u64(..2_000_000);
        self.schedule.wake(place, life, at.max(self.now()) + late);
    }

    pub(super) fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    pub(super) fn record(&mut self, text: impl FnOnce() -> String) {
        let at = Duration::from_nanos(self.now());
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACE_MAX {
                trace.pop_front();
            }
            trace.push_back(format!("{:9.3} {}", at.as_secs_f64(), text()));
        }
    }

    pub(super) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default().into()
    }
}
