//! Requests to the dispatcher, `rolecast.api.*`: which of them is answered with what.

use async_nats::Message;
use rolecast_common::id::JobName;
use rolecast_common::label::ShardKey;
use rolecast_common::subjects;
use rolecast_common::wire::{Decision, JobView};

use super::api;
use super::service::Service;
use crate::machine::{Input, Malformed};

impl Service {
    pub(super) fn on_request(&mut self, request: Message) {
        let streams = self.streams.clone();
        let reply = request.reply.as_deref();
        if let Some(reply) = reply.filter(|reply| !self.api.may_answer(reply)) {
            return self.tell(Input::Malformed {
                what: Malformed::Request,
                from: request.subject.to_string(),
                why: format!("it is to be answered to {reply:?}, which is not an inbox"),
            });
        }
        match request.subject.as_str() {
            subjects::API_STATUS => {
                let mut status = self.machine.status(self.now);
                status.is_lapsed = !self.leads();
                tokio::spawn(api::answer_status(streams, status, request));
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
                tokio::spawn(api::answer(streams, map, request));
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
                    tokio::spawn(api::answer(streams, view, request));
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
            _ => {}
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
