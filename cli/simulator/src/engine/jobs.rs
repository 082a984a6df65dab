//! States of the jobs of a run, and all of their transitions.

use crate::moment::Moment;
use crate::policy::{EndStatus, HostIndex, JobIndex, KILLS_MAX};
use crate::world::{Arrival, World};

/// The jobs of a run.
pub(super) struct Jobs<'a> {
    arrivals: &'a [Arrival],
    /// Whether a kind may run on a host.
    may_run: Vec<Vec<bool>>,
    states: Vec<State>,
    /// The number of jobs that have arrived.
    arrived: usize,
    /// Arrivals that have neither completed nor failed.
    open: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    place: Place,
    kills: u8,
}

/// The place of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Policy,
    Host,
    Done,
}

impl State {
    fn is_failed(self) -> bool {
        self.kills >= KILLS_MAX
    }
}

impl<'a> Jobs<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        let may_run = |kind| {
            let hosts = 0..world.hosts.len();
            hosts.map(|host| world.may_run(kind, host)).collect()
        };
        Self {
            arrivals: &world.arrivals,
            may_run: (0..world.kinds.len()).map(may_run).collect(),
            states: vec![State::default(); world.arrivals.len()],
            arrived: 0,
            open: world.arrivals.len(),
        }
    }

    /// Returns the time of the next arrival.
    pub(super) fn next_arrival(&self) -> Option<Moment> {
        let next = self.arrivals.get(self.arrived);
        next.map(|arrival| Moment::at(arrival.at_s))
    }

    /// Takes the next job that arrives by now.
    pub(super) fn arrive(&mut self, now: Moment) -> Option<(JobIndex, &'a Arrival)> {
        let job = self.arrived;
        if self.next_arrival()? > now {
            return None;
        }
        self.arrived += 1;
        Some((job, &self.arrivals[job]))
    }

    /// Records that the policy sends a job.
    ///
    /// # Panics
    /// If the policy does not have it, or the host may not run it.
    pub(super) fn send(&mut self, job: JobIndex, host: HostIndex) {
        let place = self.states[job].place;
        let is_waiting = job < self.arrived && place == Place::Policy;
        assert!(
            is_waiting,
            "job {job} is sent to host {host} from {place:?}"
        );
        let kind = self.arrivals[job].kind;
        let may_run = self.may_run[kind][host];
        assert!(
            may_run,
            "job {job} of kind {kind} may not run on host {host}"
        );
        self.states[job].place = Place::Host;
    }

    /// Records that the policy is notified of the end of an execution.
    pub(super) fn end(&mut self, job: JobIndex, status: EndStatus) {
        let state = &mut self.states[job];
        match status {
            EndStatus::Completed => {
                state.place = Place::Done;
                // A job that was sent after it had failed is not open any more.
                self.open -= usize::from(!state.is_failed());
            }
            EndStatus::Killed => {
                let was_failed = state.is_failed();
                state.place = Place::Policy;
                state.kills = state.kills.saturating_add(1);
                self.open -= usize::from(!was_failed && state.is_failed());
            }
        }
    }

    pub(super) fn are_over(&self) -> bool {
        self.open == 0
    }

    /// Counts the jobs that the policy holds back.
    pub(super) fn queued_count(&self) -> usize {
        let arrived = self.states[..self.arrived].iter();
        let queued = arrived.filter(|state| state.place == Place::Policy && !state.is_failed());
        queued.count()
    }

    /// Returns the jobs that did not complete, and whether each has failed.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&'a Arrival, bool)> {
        let jobs = self.states.iter().zip(self.arrivals);
        let missing = jobs.filter(|(state, _)| state.place != Place::Done);
        missing.map(|(state, arrival)| (arrival, state.is_failed()))
    }
}
