//! Requests to the dispatcher, `rolecast.api.*`, and their dispatch to answers.

use async_nats::Message;
use rolecast_common::id::JobName;
use rolecast_common::label::ShardKey;
use rolecast_common::subjects;
use rolecast_common::time::Time;
use rolecast_common::wire::{Decision, JobView};
use tokio::time::Instant;

use super::api;
use super::leader::Leader;
use super::status_desk::{NODES_MAX, Question};
use crate::scheduler::{Input, Malformed};
use crate::shortening::{shorten_capacity, shorten_roles};

/// The most requests handled in a second, and at once after a pause: people and their
/// tools send far fewer. Guessed.
const PER_SECOND: f64 = 1_000.0;
const BURST: f64 = 500.0;

/// Limit of the number of handled requests.
#[derive(Debug)]
pub(super) struct Budget {
    left: f64,
    at: Time,
}

impl Budget {
    pub(super) fn new(now: Time) -> Self {
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

impl Leader {
    pub(super) fn on_request(&mut self, request: Message) {
        let streams = self.streams.clone();
        if !self.budget.take(self.now.time) {
            return self.refuse_request(&request, format!("more than {PER_SECOND} in a second"));
        }
        let reply = request.reply.as_deref();
        if let Some(reply) = reply.filter(|reply| !self.api.may_answer(reply)) {
            let why = format!("it is to be answered to {reply:?}, which is not an inbox");
            return self.refuse_request(&request, why);
        }
        match request.subject.as_str() {
            subjects::API_STATUS => {
                let subject = request.subject.clone();
                if !self.desk.take(request) {
                    self.tell(refused(&subject, "too many ask at once".to_owned()));
                }
            }
            subjects::API_JOB => match api::requested_job(&request) {
                Ok(name) => {
                    let known = self.known(&name);
                    tokio::spawn(api::answer_job(streams, name, known, request));
                }
                Err(why) => {
                    tokio::spawn(api::refuse(streams, why, request));
                }
            },
            subjects::API_CAPACITY => {
                let map = self.machine.capacity(self.now);
                tokio::spawn(api::answer_large(streams, map, shorten_capacity, request));
            }
            subjects::API_FORECAST => {
                let Some(node) = api::requested_node(&request) else {
                    return;
                };
                let view = self.machine.forecast(self.now, &node);
                tokio::spawn(api::answer(streams, view, request));
            }
            subjects::API_ROLES => match self.machine.roles_view() {
                Some(view) => {
                    tokio::spawn(api::answer_large(streams, view, shorten_roles, request));
                }
                None => {
                    let why = "who holds which role is not known yet; ask again".to_owned();
                    tokio::spawn(api::refuse(streams, why, request));
                }
            },
            subjects::API_ROLE_ORDER => self.order(request),
            subjects::API_EXPLAIN => match self.explain(&request) {
                Ok(decision) => {
                    tokio::spawn(api::answer(streams, decision, request));
                }
                Err(why) => {
                    tokio::spawn(api::refuse(streams, why, request));
                }
            },
            subjects::API_DECISION => match api::requested_id(&request) {
                Ok(job) => {
                    tokio::spawn(api::answer_decision(streams, job, request));
                }
                Err(why) => {
                    tokio::spawn(api::refuse(streams, why, request));
                }
            },
            _ => {}
        }
    }

    fn refuse_request(&mut self, request: &Message, why: String) {
        self.tell(refused(&request.subject, why));
    }

    /// Sends the desk the machine's state. The desk may have ended with its lead.
    pub(super) fn answer_desk(&self, question: Question) {
        let begun = Instant::now();
        match question {
            Question::Overview(answer) => {
                let mut status = self.machine.overview(self.now);
                status.is_lapsed = !self.leads();
                let _ = answer.send((status, begun.elapsed()));
            }
            Question::Nodes(after, answer) => {
                let nodes = self
                    .machine
                    .node_statuses(self.now, after.as_ref(), NODES_MAX);
                let _ = answer.send((nodes, begun.elapsed()));
            }
        }
    }

    fn known(&self, name: &JobName) -> Option<JobView> {
        let job = match name {
            JobName::Id(job) => job,
            JobName::Sequence(sequence) => self.machine.job_at(*sequence)?,
        };
        self.machine.job(self.now, job)
    }

    fn explain(&mut self, request: &Message) -> Result<Decision, String> {
        let job = api::imagined(request)?;
        let key = job.key.as_ref().map(ShardKey::hash);
        self.machine
            .explain(self.now, &job.category, &job.requirement, key)
            .ok_or_else(|| api::not_served(&job.category, self.machine.serves_undeclared()))
    }
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
    fn a_flood_of_requests_is_looked_at_up_to_a_bound() {
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
