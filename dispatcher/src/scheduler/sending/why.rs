//! Reasons why a job waits, for events and for the view of the job.

use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::unit::Bytes;

use crate::fleet::Fleet;
use crate::placement::{CategoryIndex, Request, Shortfall};
use crate::scheduler::jobs::{Job, Jobs, Key};
use crate::scheduler::queue::Queue;

const MAX_RUNNING: &str = "as many of its category run as max_running allows";
const HELD: &str = "held back: every node would slow it down too much";

/// The reason why a job waits that is not kept for a node of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    /// No node can take it at this moment.
    NoNode(Shortfall),
    /// As many jobs of its category run as may.
    MaxRunning,
    /// Nodes could take it, and it is held back or waits its turn.
    Held,
}

impl Why {
    pub(super) fn of(fleet: &Fleet, request: &Request<'_>) -> Self {
        let shortfall = fleet.placer().shortfall(request);
        if shortfall.able == 0 {
            Self::NoNode(shortfall)
        } else if fleet.placer().room_for(request.category) == 0 {
            Self::MaxRunning
        } else {
            Self::Held
        }
    }

    /// Returns the reason for an event about its category.
    pub(super) fn event_text(self) -> String {
        match self {
            Self::NoNode(shortfall) => shortfall.to_string(),
            Self::MaxRunning => MAX_RUNNING.to_owned(),
            Self::Held => HELD.to_owned(),
        }
    }
}

/// Returns the reason why the job waits, for people who ask about it.
pub(in crate::scheduler) fn of_job(jobs: &Jobs, queue: &Queue, fleet: &Fleet, job: &Job) -> String {
    let last = job.failures().last().map(|failure| failure.reason.clone());
    let last = last.unwrap_or_default();
    let Some(state) = queue.category(&job.source().category) else {
        return last;
    };
    if let Some(why) = why_alone(jobs, fleet, job, state.index()) {
        return why;
    }
    match Why::of(fleet, &job.request(Duration::ZERO, state.index())) {
        Why::NoNode(shortfall) => format!("no node can take it: {shortfall}"),
        Why::MaxRunning => MAX_RUNNING.to_owned(),
        Why::Held if last.is_empty() => {
            "it waits its turn, or for a node that would slow it down less".to_owned()
        }
        Why::Held => last,
    }
}

/// Returns the reason why a waiting job needs a node for itself, if it does.
fn why_alone(jobs: &Jobs, fleet: &Fleet, job: &Job, category: CategoryIndex) -> Option<String> {
    if let Some(suspicion) = job.suspicion().filter(|suspicion| suspicion.is_exclusive()) {
        let node = jobs.kept_node(Key::Batch(suspicion.batch));
        let lost = job.losses().len();
        return Some(format!(
            "it may be what took its node down, {lost} times; it is tried alone on {}",
            named(node)
        ));
    }
    job.judged().filter(|(_, found)| found.is_outgrown())?;
    let needs = fleet.learner(category).needs();
    let learned = Bytes::clamped(f64::from(needs.memory_most()));
    let node = named(jobs.kept_node(Key::Job(job.sequence())));
    Some(format!(
        "what was learned of its memory, {learned}, fits on no node; it is tried alone on {node}"
    ))
}

fn named(node: Option<&NodeId>) -> &str {
    node.map_or("one as soon as that can be kept for it", NodeId::as_str)
}
