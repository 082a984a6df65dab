//! The dispatchers as a service of NATS: answers to `$SRV.PING`, `$SRV.INFO` and
//! `$SRV.STATS`, which `nats service ls`, `info` and `stats` send.
//!
//! The messages are those of the client library. Its own service is not used, because it
//! sends these answers to any subject that a request names, also to a stream or a node;
//! because it subscribes to endpoints in a queue group only, in which a frozen leader would
//! still get its share; and because it leaves unknown endpoints without an answer.
//!
//! Every dispatcher answers, each as an instance: its metadata, which may never change, show
//! whether it leads. So a dispatcher that takes the lead becomes another instance.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::datetime::{self, DateTime};
use async_nats::service::{Info, PingResponse, Stats, endpoint};
use async_nats::{Client, Message, SubscribeError, Subscriber};
use bytes::Bytes;
use futures_util::stream::{SelectAll, select_all};
use rolecast_common::id::Epoch;
use rolecast_common::subjects::{SERVICE, SERVICE_REQUESTS};
use rolecast_common::time::{Now, Time};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::budget::Budget;
use super::endpoints::Endpoint;
use super::request::{Tallies, Tally};
use crate::config;
use crate::scheduler::{Input, Malformed, Scheduler};

const DESCRIPTION: &str = "Rolecast: predictive, role-aware work dispatch";
const PREFIX: &str = "$SRV.";
/// The most requests in a second, and at once after a pause: people and their tools send
/// a few. Guessed.
const PER_SECOND: f64 = 100.0;
const BURST: f64 = 100.0;

/// Subscribes to the requests that all services of this name get.
pub(super) async fn subscribe(client: &Client) -> Result<SelectAll<Subscriber>, SubscribeError> {
    let mut subscribed = Vec::new();
    for subject in SERVICE_REQUESTS {
        subscribed.push(client.subscribe(subject).await?);
    }
    Ok(select_all(subscribed))
}

/// Returns whether a request is for a service rather than for an endpoint.
pub(super) fn is_discovery(subject: &str) -> bool {
    subject.starts_with(PREFIX)
}

/// A kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Ping,
    Info,
    Stats,
}

/// A dispatcher as an instance of the service.
#[derive(Debug)]
pub(super) struct Service {
    client: Client,
    api: config::Api,
    budget: Budget,
    id: String,
    started: DateTime,
    metadata: HashMap<String, String>,
    tallies: Tallies,
}

impl Service {
    /// Returns a dispatcher that stands by, or that leads under an epoch.
    pub(super) fn new(
        client: Client,
        config: &config::Config,
        leads: Option<Epoch>,
        now: Time,
    ) -> Self {
        let state = leads.map_or("standby", |_| "leader").to_owned();
        let mut metadata = HashMap::from([
            ("dispatcher".to_owned(), config.name.clone()),
            ("state".to_owned(), state),
        ]);
        if let Some(epoch) = leads {
            metadata.insert("epoch".to_owned(), epoch.to_string());
        }
        Self {
            client,
            api: config.api.clone(),
            budget: Budget::new(PER_SECOND, BURST, now),
            id: Uuid::now_v7().simple().to_string(),
            started: datetime::now(),
            metadata,
            tallies: Tallies::default(),
        }
    }

    /// Returns the figures of its endpoints, to be counted up.
    pub(super) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// Answers a request, or returns an input that reports its refusal.
    pub(super) fn handle(
        &mut self,
        now: Now,
        machine: &Scheduler,
        request: Message,
    ) -> Option<Input> {
        let verb = verb(&request.subject, &self.id)?;
        let reply = request.reply?;
        let refused = |why| Input::Malformed {
            what: Malformed::Request,
            from: request.subject.to_string(),
            why,
        };
        if !self.budget.take(now.time) {
            return Some(refused(format!("more than {PER_SECOND} in a second")));
        }
        if !self.api.may_answer(&reply) {
            let why = format!("its reply subject {:?} is not an inbox", reply.as_str());
            return Some(refused(why));
        }
        let answer = match verb {
            Verb::Ping => serde_json::to_vec(&self.ping()),
            Verb::Info => serde_json::to_vec(&self.info()),
            Verb::Stats => serde_json::to_vec(&self.stats(now, machine)),
        };
        let answer = Bytes::from(answer.expect("texts and numbers are always JSON"));
        let client = self.client.clone();
        tokio::spawn(async move {
            if let Err(error) = client.publish(reply, answer).await {
                tracing::warn!(event = "answer_not_sent", "answer not sent: {error}");
            }
        });
        None
    }

    fn ping(&self) -> PingResponse {
        PingResponse {
            kind: "io.nats.micro.v1.ping_response".to_owned(),
            name: SERVICE.to_owned(),
            id: self.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            metadata: self.metadata.clone(),
        }
    }

    fn info(&self) -> Info {
        let endpoints = Endpoint::ALL.map(|endpoint| endpoint::Info {
            name: endpoint.name(),
            subject: endpoint.subject().to_owned(),
            queue_group: String::new(),
            metadata: HashMap::from([
                ("answer".to_owned(), endpoint.description().to_owned()),
                ("request".to_owned(), endpoint.request().to_owned()),
            ]),
        });
        Info {
            kind: "io.nats.micro.v1.info_response".to_owned(),
            name: SERVICE.to_owned(),
            id: self.id.clone(),
            description: DESCRIPTION.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            metadata: self.metadata.clone(),
            endpoints: endpoints.to_vec(),
        }
    }

    fn stats(&self, now: Now, machine: &Scheduler) -> StatsResponse<'_> {
        let endpoints = Endpoint::ALL.map(|endpoint| self.endpoint_stats(endpoint, now, machine));
        StatsResponse {
            stats: Stats {
                kind: "io.nats.micro.v1.stats_response".to_owned(),
                name: SERVICE.to_owned(),
                id: self.id.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started: self.started,
                endpoints: endpoints.to_vec(),
            },
            metadata: &self.metadata,
        }
    }

    fn endpoint_stats(&self, endpoint: Endpoint, now: Now, machine: &Scheduler) -> endpoint::Stats {
        let Tally {
            answered,
            failed,
            refused,
            last_error,
            time,
            longest,
        } = self.tallies.of(endpoint);
        let mut data = json!({ "refused": refused, "longest_ms": longest.as_millis() });
        if endpoint == Endpoint::Status {
            let totals = machine.totals(0);
            data["nodes"] = totals.nodes.into();
            data["nodes_ready"] = totals.ready.into();
            data["jobs_in_hand"] = totals.jobs.into();
            data["at_ms"] = now.wall.as_millis().into();
        }
        let parts = u32::try_from(answered).unwrap_or(u32::MAX);
        endpoint::Stats {
            name: endpoint.name(),
            subject: endpoint.subject().to_owned(),
            requests: answered,
            errors: failed,
            processing_time: time,
            average_processing_time: time.checked_div(parts).unwrap_or(Duration::ZERO),
            last_error,
            data: Some(data),
            queue_group: String::new(),
        }
    }
}

/// The library's answer, without the metadata that it lacks.
#[derive(Serialize)]
struct StatsResponse<'a> {
    #[serde(flatten)]
    stats: Stats,
    metadata: &'a HashMap<String, String>,
}

/// Returns the kind of answer to a request that is for this instance.
fn verb(subject: &str, id: &str) -> Option<Verb> {
    let mut tokens = subject.strip_prefix(PREFIX)?.split('.');
    let verb = match tokens.next()? {
        "PING" => Verb::Ping,
        "INFO" => Verb::Info,
        "STATS" => Verb::Stats,
        // Other kinds may be added, and none of them must be answered.
        _ => return None,
    };
    let is_for_it = match (tokens.next(), tokens.next(), tokens.next()) {
        (None, _, _) => true,
        (Some(name), None, _) => name == SERVICE,
        (Some(name), Some(of), None) => name == SERVICE && of == id,
        (Some(_), Some(_), Some(_)) => false,
    };
    is_for_it.then_some(verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_all_services_for_this_one_or_for_one_instance() {
        assert_eq!(verb("$SRV.PING", "a"), Some(Verb::Ping));
        assert_eq!(verb("$SRV.INFO.rolecast", "a"), Some(Verb::Info));
        assert_eq!(verb("$SRV.STATS.rolecast.a", "a"), Some(Verb::Stats));
        for other in [
            "$SRV.SCHEMA",
            "$SRV.PING.other",
            "$SRV.PING.rolecast.b",
            "$SRV.PING.other.a",
            "$SRV.PING.rolecast.a.b",
            "rolecast.api.status",
        ] {
            assert_eq!(verb(other, "a"), None, "{other}");
        }
    }
}
