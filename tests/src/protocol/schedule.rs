//! Events of a run in the order of their times.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use rolecast_dispatcher::scheduler;
use rolecast_worker::agent;

use super::clock::{Instantaneous, nanos};
use super::faults::Fault;
use super::message::{Message, Requester};
use super::network::Place;

/// An event at a process, or in the world.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A message leaves its sender; `life` is the sender's.
    Leave {
        from: Place,
        life: u32,
        to: Place,
        message: Message,
    },
    Arrive {
        to: Place,
        message: Message,
    },
    /// A deadline of a process; the one that is planned, and no earlier one.
    Wake {
        at: Place,
        life: u32,
        planned: Instantaneous,
    },
    /// Something at a node: a hook, a job, a confirmation.
    Node {
        node: usize,
        life: u32,
        input: agent::Input,
    },
    Fault(Fault),
    Resume(Place),
    Start(Place),
    Reconnect(Place, Place),
    /// An active dispatcher sends a job past its scheduler.
    Jobs,
    /// A producer publishes a job.
    Publish,
    /// The queue checks whether something must be delivered.
    Deliver,
    /// The shell of a dispatcher received a result.
    Report {
        to: Requester,
        input: Box<scheduler::Input>,
    },
    /// The faults end.
    Heal,
}

impl Event {
    /// Returns the process of the event, and its start: the event waits while that one is
    /// stopped, and is dropped with it.
    pub(super) fn process(&self) -> Option<(Place, u32)> {
        match self {
            Self::Leave { from, life, .. } => Some((*from, *life)),
            Self::Wake { at, life, .. } => Some((*at, *life)),
            Self::Node { node, life, .. } => Some((Place::Node(*node), *life)),
            Self::Report { to, .. } => Some((Place::Dispatcher(to.dispatcher), to.life)),
            Self::Arrive { .. }
            | Self::Fault(_)
            | Self::Resume(_)
            | Self::Start(_)
            | Self::Reconnect(..)
            | Self::Jobs
            | Self::Publish
            | Self::Deliver
            | Self::Heal => None,
        }
    }
}

/// The time, and the events to come.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    now: Instantaneous,
    due: BinaryHeap<Reverse<(Instantaneous, u64)>>,
    events: BTreeMap<u64, Event>,
    number: u64,
    /// Events that wait for a stopped process.
    stopped: BTreeMap<Place, VecDeque<Event>>,
    /// The time of the next wake of a process.
    wakes: BTreeMap<Place, Instantaneous>,
}

impl Schedule {
    pub(super) fn now(&self) -> Instantaneous {
        self.now
    }

    /// Returns the next event, and advances the time to it; not beyond the end.
    pub(super) fn next(&mut self, end: Instantaneous) -> Option<Event> {
        let next = self.due.pop().filter(|Reverse((at, _))| *at <= end);
        let Some(Reverse((at, number))) = next else {
            self.now = end;
            return None;
        };
        self.now = at;
        let event = self.events.remove(&number);
        Some(event.expect("an event is kept until it is due"))
    }

    pub(super) fn at(&mut self, at: Duration, event: Event) {
        self.push(nanos(at), event);
    }

    pub(super) fn after(&mut self, delay: Duration, event: Event) {
        self.push(self.now + nanos(delay), event);
    }

    pub(super) fn push(&mut self, at: Instantaneous, event: Event) {
        self.number += 1;
        self.due.push(Reverse((at, self.number)));
        self.events.insert(self.number, event);
    }

    /// Stops a process: its events wait.
    pub(super) fn stop(&mut self, at: Place) {
        self.stopped.entry(at).or_default();
    }

    pub(super) fn is_stopped(&self, at: Place) -> bool {
        self.stopped.contains_key(&at)
    }

    /// Keeps an event of a stopped process; returns that of another one.
    pub(super) fn hold(&mut self, at: Place, event: Event) -> Option<Event> {
        let Some(waiting) = self.stopped.get_mut(&at) else {
            return Some(event);
        };
        waiting.push_back(event);
        None
    }

    pub(super) fn resume(&mut self, at: Place) {
        for event in self.stopped.remove(&at).unwrap_or_default() {
            self.push(self.now, event);
        }
    }

    /// Drops what waits for a stopped process.
    pub(super) fn drop_held(&mut self, at: Place) {
        self.stopped.remove(&at);
    }

    /// Plans the next wake of a process, unless an earlier one is planned.
    pub(super) fn wake(&mut self, place: Place, life: u32, planned: Instantaneous) {
        if self.wakes.get(&place).is_none_or(|next| planned < *next) {
            self.wakes.insert(place, planned);
            let at = place;
            self.push(planned, Event::Wake { at, life, planned });
        }
    }

    /// Returns whether this is the planned wake of a process, which is then over.
    pub(super) fn is_wake(&mut self, at: Place, planned: Instantaneous) -> bool {
        let is_planned = self.wakes.get(&at) == Some(&planned);
        if is_planned {
            self.wakes.remove(&at);
        }
        is_planned
    }

    pub(super) fn forget_wake(&mut self, at: Place) {
        self.wakes.remove(&at);
    }
}
