//! Questions to the loop about the scheduler's state at this moment, and their answers.
//!
//! Whoever asks runs beside the loop. Each answer is one bounded piece of work of the loop;
//! what is large is asked for in pieces.

use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::{Now, Time};
use rolecast_common::unit::Resources;
use rolecast_common::wire::{
    CapacityMap, ForecastView, JobList, JobsRequest, NodeStatus, RolesView, Status,
};
use rolecast_forecast::Ahead;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::metrics::{Figures, Loop};
use crate::scheduler::{Scheduler, Warmth};

/// Factor of the rest after answers that take the loop long: a tenth of its time at most goes
/// to those who ask on and on.
pub(super) const REST: u32 = 10;
/// Nodes that the loop reports at once: some hundred microseconds.
const NODES_MAX: usize = 250;

/// A question. The answers that are pieces of a status include the time that they took.
#[derive(Debug)]
pub(super) enum Question {
    Overview(oneshot::Sender<(Status, Duration)>),
    /// The nodes after this one, [`NODES_MAX`] at most.
    Nodes(Option<NodeId>, oneshot::Sender<(Vec<NodeStatus>, Duration)>),
    Jobs(JobsRequest, oneshot::Sender<(JobList, Duration)>),
    Capacity(oneshot::Sender<CapacityMap>),
    /// `None` before the holders are known.
    Roles(oneshot::Sender<Option<RolesView>>),
    /// Of a few nodes: each takes some hundred microseconds.
    Forecasts(Vec<NodeId>, oneshot::Sender<Vec<ForecastView>>),
    /// The room until a time ahead of the nodes after this one, [`NODES_MAX`] at most.
    Rooms(
        Option<NodeId>,
        Ahead,
        oneshot::Sender<Vec<(NodeId, Resources)>>,
    ),
    Pulse(oneshot::Sender<Pulse>),
    Figures(oneshot::Sender<Figures>),
}

/// Signs that the loop runs and does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pulse {
    pub(super) lead: Lead,
    pub(super) warmth: Warmth,
}

/// The part of a dispatcher among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// Another one may lead.
    Standby,
    /// It leads, and its lease holds until then.
    Held(Time),
    /// It leads, but its lease could not be renewed.
    Lapsed,
}

/// The loop that answered has ended, or does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unanswered;

/// The loop's end.
#[derive(Debug)]
pub(super) struct Inbox {
    asker: Asker,
    questions: mpsc::Receiver<Question>,
}

impl Inbox {
    pub(super) fn open() -> Self {
        let (asker, questions) = mpsc::channel(1);
        Self {
            asker: Asker(asker),
            questions,
        }
    }

    /// Returns an end for those who ask.
    pub(super) fn asker(&self) -> Asker {
        self.asker.clone()
    }

    /// Waits for the next question.
    pub(super) async fn next(&mut self) -> Question {
        let question = self.questions.recv().await;
        question.expect("the inbox itself has an end for those who ask")
    }
}

/// The end of those who ask; it works on any thread.
#[derive(Clone, Debug)]
pub(super) struct Asker(mpsc::Sender<Question>);

impl Asker {
    /// Asks and waits for the answer.
    pub(super) async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Result<T, Unanswered> {
        let (sender, answer) = oneshot::channel();
        let asked = self.0.send(question(sender)).await;
        asked.map_err(|_| Unanswered)?;
        answer.await.map_err(|_| Unanswered)
    }

    /// Returns all of the status but what the streams hold, and the time that it took the
    /// loop. It is taken in pieces, between which the loop continues.
    pub(super) async fn status(&self) -> Result<(Status, Duration), Unanswered> {
        let (mut status, mut taken) = self.ask(Question::Overview).await?;
        loop {
            let after = status.nodes.last().map(|node| node.node.clone());
            let (nodes, took) = self.ask(|answer| Question::Nodes(after, answer)).await?;
            taken += took;
            let is_last = nodes.len() < NODES_MAX;
            status.nodes.extend(nodes);
            if is_last {
                return Ok((status, taken));
            }
        }
    }
}

/// Answers a question; `work` is the loop's own. Whoever asked may have gone.
pub(super) fn answer(now: Now, machine: &Scheduler, lead: Lead, work: &Loop, question: Question) {
    let begun = Instant::now();
    match question {
        Question::Overview(answer) => {
            let mut status = machine.overview(now);
            status.is_lapsed = lead == Lead::Lapsed;
            let _ = answer.send((status, begun.elapsed()));
        }
        Question::Nodes(after, answer) => {
            let nodes = machine.node_statuses(now, after.as_ref(), NODES_MAX);
            let _ = answer.send((nodes, begun.elapsed()));
        }
        Question::Jobs(asked, answer) => {
            let list = machine.jobs(now, &asked);
            let _ = answer.send((list, begun.elapsed()));
        }
        Question::Capacity(answer) => {
            let _ = answer.send(machine.capacity(now));
        }
        Question::Roles(answer) => {
            let _ = answer.send(machine.roles_view());
        }
        Question::Forecasts(nodes, answer) => {
            let views = nodes.iter().map(|node| machine.forecast(now, node));
            let _ = answer.send(views.collect());
        }
        Question::Rooms(after, ahead, answer) => {
            let _ = answer.send(machine.rooms(after.as_ref(), NODES_MAX, ahead));
        }
        Question::Pulse(answer) => {
            let warmth = machine.warmth(now);
            let _ = answer.send(Pulse { lead, warmth });
        }
        Question::Figures(answer) => {
            let mut figures = machine.figures(now);
            figures.work = work.clone();
            let _ = answer.send(figures);
        }
    }
}
