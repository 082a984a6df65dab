//! Requests to the dispatcher, `rolecast.api.*`, and their dispatch to answers.

use async_nats::Message;
use rolecast_common::id::JobName;
use rolecast_common::label::ShardKey;
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::{Decision, JobView, NodeView};

use super::budget::Budget;
use super::cancels::WaitingCancels;
use super::endpoints::Endpoint;
use super::questions::Asker;
use super::request::Request;
use super::roles::WaitingOrders;
use super::service::{Service, is_discovery};
use super::status_desk::{StatusDesk, Surroundings};
use super::{Streams, api, event_pages, logs};
use crate::config;
use crate::roles::Answer;
use crate::scheduler::{Input, Malformed, Scheduler};
use crate::shortening::{shorten_capacity, shorten_roles};

/// The most requests handled in a second, and at once after a pause: people and their
/// tools send far fewer. Guessed.
const PER_SECOND: f64 = 1_000.0;
const BURST: f64 = 500.0;

/// The desk that answers requests, and holds those that are answered later.
pub(super) struct RequestDesk {
    api: config::Api,
    service: Service,
    budget: Budget,
    status: StatusDesk,
    orders: WaitingOrders,
    cancels: WaitingCancels,
}

impl RequestDesk {
    pub(super) fn start(
        (api, service): (config::Api, Service),
        streams: &Streams,
        now: Time,
        (asker, surroundings): (Asker, Surroundings),
    ) -> Self {
        Self {
            api,
            service,
            budget: Budget::new(PER_SECOND, BURST, now),
            status: StatusDesk::start(streams.clone(), asker, surroundings),
            orders: WaitingOrders::default(),
            cancels: WaitingCancels::default(),
        }
    }

    /// Answers an order of an operator.
    pub(super) fn answer_order(&mut self, streams: &Streams, id: u64, result: Answer) {
        self.orders.answer(streams, id, result);
    }

    /// Returns the request of a cancel that is to be answered.
    pub(super) fn take_cancel(&mut self, id: u64) -> Option<Request> {
        self.cancels.take(id)
    }

    /// Has a request answered; returns the input that it causes, if any.
    pub(super) fn handle(
        &mut self,
        now: Now,
        machine: &mut Scheduler,
        streams: &Streams,
        request: Message,
    ) -> Option<Input> {
        if is_discovery(&request.subject) {
            return self.service.handle(now, machine, request);
        }
        let endpoint = Endpoint::of(&request.subject);
        if let Some(why) = self.objection(now, &request) {
            if let Some(endpoint) = endpoint {
                self.service.tallies().refuse(endpoint);
            }
            return Some(refused(&request.subject, why));
        }
        let Some(endpoint) = endpoint else {
            tokio::spawn(api::refuse_unknown(streams.clone(), request));
            return None;
        };
        let request = self.service.tallies().accept(endpoint, request);
        self.answer(now, machine, streams.clone(), (endpoint, request))
    }

    /// Returns the reason why a request gets no answer.
    fn objection(&mut self, now: Now, request: &Message) -> Option<String> {
        if !self.budget.take(now.time) {
            return Some(format!("more than {PER_SECOND} in a second"));
        }
        let reply = request.reply.as_deref();
        let reply = reply.filter(|reply| !self.api.may_answer(reply))?;
        Some(format!("its reply subject {reply:?} is not an inbox"))
    }

    fn answer(
        &mut self,
        now: Now,
        machine: &mut Scheduler,
        streams: Streams,
        (endpoint, request): (Endpoint, Request),
    ) -> Option<Input> {
        let is_taken = match endpoint {
            Endpoint::Status => self.status.take(request),
            Endpoint::Jobs => self.status.take_jobs(request),
            Endpoint::Cancel => return self.cancels.accept(now.wall, &streams, request),
            Endpoint::RoleOrder => return self.orders.accept(&streams, request),
            Endpoint::Node
            | Endpoint::Logs
            | Endpoint::Job
            | Endpoint::Capacity
            | Endpoint::Forecast
            | Endpoint::Roles
            | Endpoint::Explain
            | Endpoint::Events
            | Endpoint::Decision => {
                answer(now, machine, streams, (endpoint, request));
                true
            }
        };
        if is_taken {
            return None;
        }
        self.service.tallies().refuse(endpoint);
        let why = "too many requests at once".to_owned();
        Some(refused(endpoint.subject(), why))
    }
}

/// Answers a request for which the scheduler and the streams have everything.
fn answer(
    now: Now,
    machine: &mut Scheduler,
    streams: Streams,
    (endpoint, request): (Endpoint, Request),
) {
    match endpoint {
        Endpoint::Node => match node(now, machine, &request) {
            Ok(view) => {
                tokio::spawn(api::answer(streams, view, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        Endpoint::Logs => match logs::requested(&request) {
            Ok(asked) => {
                tokio::spawn(logs::answer(streams, asked, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        Endpoint::Job => match api::requested_job(&request) {
            Ok(name) => {
                let known = known(now, machine, &name);
                tokio::spawn(api::answer_job(streams, name, known, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        Endpoint::Capacity => {
            let map = machine.capacity(now);
            tokio::spawn(api::answer_large(streams, map, shorten_capacity, request));
        }
        Endpoint::Forecast => match api::requested_node(&request) {
            Ok(node) => {
                let view = machine.forecast(now, &node);
                tokio::spawn(api::answer(streams, view, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        Endpoint::Roles => match machine.roles_view() {
            Some(view) => {
                tokio::spawn(api::answer_large(streams, view, shorten_roles, request));
            }
            None => {
                let why = "the holders of roles are not known yet; try again".to_owned();
                refuse(streams, why, request);
            }
        },
        Endpoint::Explain => match explain(now, machine, &request) {
            Ok(decision) => {
                tokio::spawn(api::answer(streams, decision, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        Endpoint::Events => match event_pages::requested(&request) {
            Ok(asked) => {
                tokio::spawn(event_pages::answer(streams, asked, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        Endpoint::Decision => match api::requested_id(&request) {
            Ok(job) => {
                tokio::spawn(api::answer_decision(streams, job, request));
            }
            Err(why) => refuse(streams, why, request),
        },
        // These have desks.
        Endpoint::Status | Endpoint::Jobs | Endpoint::Cancel | Endpoint::RoleOrder => {}
    }
}

fn refuse(streams: Streams, why: String, request: Request) {
    tokio::spawn(api::refuse(streams, why, request));
}

fn known(now: Now, machine: &Scheduler, name: &JobName) -> Option<JobView> {
    let job = match name {
        JobName::Id(job) => job,
        JobName::Sequence(sequence) => machine.job_at(*sequence)?,
    };
    machine.job(now, job)
}

fn node(now: Now, machine: &Scheduler, request: &Message) -> Result<NodeView, String> {
    let id = api::requested_node(request)?;
    machine
        .node(now, &id)
        .ok_or_else(|| format!("no node {id} is known here; rolecast node ls lists the known ones"))
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
