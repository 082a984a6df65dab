//! Requests to the dispatcher, `rolecast.api.*`, and their dispatch to answers.

use async_nats::Message;
use rolecast_common::id::JobName;
use rolecast_common::label::ShardKey;
use rolecast_common::subjects;
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{Decision, JobView};
use tokio::time::Instant;

use super::roles::WaitingOrders;
use super::status_desk::{NODES_MAX, Question, StatusDesk};
use super::{Streams, api};
use crate::config;
use crate::roles::Answer;
use crate::scheduler::{Input, Malformed, Scheduler};
use crate::shortening::{shorten_capacity, shorten_roles};

/// The most requests handled in a second, and at once after a pause: people and their
/// tools send far fewer. Guessed.
const PER_SECOND: f64 = 1_000.0;
const BURST: f64 = 500.0;

/// Limit of the number of handled requests.
#[derive(Debug)]
struct Budget {
    left: f64,
    at: Time,
}

impl Budget {
    fn new(now: Time) -> Self {
        Self {
            left: BURST,
            at: now,
        }
    }

    fn take(&mut self, now: Time) -> bool {
        let earned = now.since(self.at).as_secs_f64() * PER_SECOND;
        self.left = (self.left + earned).min(BURST);
        self.at = now;
        let is_there = self.left >= 1.0;
        if is_there {
            self.left -= 1.0;
        }
        is_there
    }
}

/// The desk that answers requests, and holds those that are answered later.
pub(super) struct RequestDesk {
    api: config::Api,
    budget: Budget,
    status: StatusDesk,
    orders: WaitingOrders,
}

impl RequestDesk {
    pub(super) fn start(api: config::Api, streams: &Streams, now: Time) -> Self {
        Self {
            api,
            budget: Budget::new(now),
            status: StatusDesk::start(streams.clone()),
            orders: WaitingOrders::default(),
        }
    }

    /// Waits for the next question about the status.
    pub(super) async fn question(&mut self) -> Option<Question> {
        self.status.question().await
    }

    /// Answers an order of an operator.
    pub(super) fn answer_order(&mut self, streams: &Streams, id: u64, result: Answer) {
        self.orders.answer(streams, id, result);
    }

    /// Has a request answered; returns the input that it causes, if any.
    pub(super) fn handle(
        &mut self,
        now: Now,
        machine: &mut Scheduler,
        streams: &Streams,
        request: Message,
    ) -> Option<Input> {
        if !self.budget.take(now.time) {
            let why = format!("more than {PER_SECOND} in a second");
            return Some(refused(&request.subject, why));
        }
        let reply = request.reply.as_deref();
        if let Some(reply) = reply.filter(|reply| !self.api.may_answer(reply)) {
            let why = format!("its reply subject {reply:?} is not an inbox");
            return Some(refused(&request.subject, why));
        }
        match request.subject.as_str() {
            subjects::API_STATUS => {
                let subject = request.subject.clone();
                if !self.status.take(request) {
                    return Some(refused(&subject, "too many requests at once".to_owned()));
                }
            }
            subjects::API_ROLE_ORDER => return self.orders.accept(streams, request),
            _ => answer(now, machine, streams.clone(), request),
        }
        None
    }
}

/// Answers a request for which the scheduler and the streams have everything.
fn answer(now: Now, machine: &mut Scheduler, streams: Streams, request: Message) {
    let refuse = |streams, why, request| {
        tokio::spawn(api::refuse(streams, why, request));
    };
    match request.subject.as_str() {
        subjects::API_JOB => match api::requested_job(&request) {
            Ok(name) => {
                let known = known(now, machine, &name);
                tokio::spawn(api::answer_job(streams, name, known, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        subjects::API_CAPACITY => {
            let map = machine.capacity(now);
            tokio::spawn(api::answer_large(streams, map, shorten_capacity, request));
        }
        subjects::API_FORECAST => {
            let Some(node) = api::requested_node(&request) else {
                return;
            };
            let view = machine.forecast(now, &node);
            tokio::spawn(api::answer(streams, view, request));
        }
        subjects::API_ROLES => match machine.roles_view() {
            Some(view) => {
                tokio::spawn(api::answer_large(streams, view, shorten_roles, request));
            }
            None => {
                let why = "the holders of roles are not known yet; try again".to_owned();
                refuse(streams, why, request);
            }
        },
        subjects::API_EXPLAIN => match explain(now, machine, &request) {
            Ok(decision) => {
                tokio::spawn(api::answer(streams, decision, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        subjects::API_DECISION => match api::requested_id(&request) {
            Ok(job) => {
                tokio::spawn(api::answer_decision(streams, job, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        _ => {}
    }
}

/// Answers a question about the status. The desk may have ended with its lead.
pub(super) fn answer_question(now: Now, machine: &Scheduler, leads: bool, question: Question) {
    let begun = Instant::now();
    match question {
        Question::Overview(answer) => {
            let mut status = machine.overview(now);
            status.is_lapsed = !leads;
            let _ = answer.send((status, begun.elapsed()));
        }
        Question::Nodes(after, answer) => {
            let nodes = machine.node_statuses(now, after.as_ref(), NODES_MAX);
            let _ = answer.send((nodes, begun.elapsed()));
        }
    }
}

fn known(now: Now, machine: &Scheduler, name: &JobName) -> Option<JobView> {
    let job = match name {
        JobName::Id(job) => job,
        JobName::Sequence(sequence) => machine.job_at(*sequence)?,
    };
    machine.job(now, job)
}

fn explain(now: Now, machine: &mut Scheduler, request: &Message) -> Result<Decision, String> {
    let job = api::imagined(request)?;
    let key = job.key.as_ref().map(ShardKey::hash);
    machine
        .explain(now, &job.category, &job.requirement, key)
        .ok_or_else(|| api::not_served(&job.category, machine.serves_undeclared()))
}

fn refused(subject: &str, why: String) -> Input {
    Input::Malformed {
        what: Malformed::Request,
        from: subject.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_of_requests_is_handled_up_to_a_limit() {
        let at = |millis| Time::from_start(Duration::from_millis(millis));
        let mut budget = Budget::new(at(0));
        let taken = |budget: &mut Budget, from: u64, to: u64| {
            let times = (from..to).flat_map(|millis| [millis; 5]);
            times.filter(|millis| budget.take(at(*millis))).count()
        };
        // Five in each millisecond for ten seconds.
        let count = taken(&mut budget, 0, 10_000);
        assert!((10_400..=10_500).contains(&count), "{count}");
        assert!(budget.take(at(20_000)));
    }
}
