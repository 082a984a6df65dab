//! Answers of all dispatchers, the leader's and those of the ones that stand by.

use std::time::Duration;

use futures_util::StreamExt as _;
use rolecast_common::id::Epoch;
use rolecast_common::subjects::SERVICE_REQUESTS;
use rolecast_common::time::WallTime;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::ask::{Asker, Unanswered, lead};
use crate::doctor::facts::{Instance, Part};
use crate::style::one_line;

/// Time after an answer within which the next one has to arrive.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// There are two or three; more than these are not counted.
const INSTANCES_MAX: usize = 32;
/// The characters of a name or a version that are kept.
const TEXT_CHARS_MAX: usize = 100;

/// The parts of an instance's figures that are read.
#[derive(Deserialize)]
struct Figures {
    version: String,
    metadata: Metadata,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Metadata {
    dispatcher: String,
    state: String,
    #[serde(default)]
    epoch: Option<String>,
}

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    #[serde(default)]
    data: Value,
}

/// Asks all of them for their figures, until no further answer arrives.
pub(super) async fn gather(asker: &Asker<'_>) -> Part<Vec<Instance>> {
    let [_, of_name, _] = SERVICE_REQUESTS;
    if let Some(denial) = asker.denial(of_name) {
        return denial.part();
    }
    match answers(asker, of_name.replace('*', "STATS")).await {
        Ok(instances) => Part::Known(instances),
        Err(error) => error.part(),
    }
}

async fn answers(asker: &Asker<'_>, subject: String) -> Result<Vec<Instance>, Unanswered> {
    let other = |error: &dyn std::fmt::Display| Unanswered::Other(error.to_string());
    let client = &asker.session.connection.client;
    let inbox = client.new_inbox();
    let subscribed = client.subscribe(inbox.clone()).await;
    let mut replies = subscribed.map_err(|error| other(&error))?;
    let sent = asker.now();
    let request = client.publish_with_reply(subject, inbox, "".into());
    request.await.map_err(|error| other(&error))?;
    let end = Instant::now() + asker.session.answer_max;
    let mut next = end;
    let mut found = Vec::new();
    while let Ok(Some(reply)) = timeout_at(next, replies.next()).await {
        // The server reports that nobody listens.
        if reply.status.is_some() || found.len() == INSTANCES_MAX {
            break;
        }
        found.extend(instance(&reply.payload, sent, asker.now()));
        next = end.min(Instant::now() + PAUSE_MAX);
    }
    Ok(found)
}

fn instance(payload: &[u8], sent: WallTime, received: WallTime) -> Option<Instance> {
    let figures: Figures = serde_json::from_slice(payload).ok()?;
    let Metadata {
        dispatcher,
        state,
        epoch,
    } = figures.metadata;
    let mut endpoints = figures.endpoints.into_iter();
    // Older dispatchers do not report their time.
    let data = endpoints
        .find(|endpoint| endpoint.name == "status")
        .map_or(Value::Null, |endpoint| endpoint.data);
    let at = data["at_ms"].as_u64().map(WallTime::from_millis);
    Some(Instance {
        name: one_line(&dispatcher, TEXT_CHARS_MAX),
        version: one_line(&figures.version, TEXT_CHARS_MAX),
        is_leader: state == "leader",
        epoch: epoch.and_then(|epoch| epoch.parse().ok()).map(Epoch::new),
        lead: at.map(|at| lead(sent, received, at)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_instance_is_read_with_its_time_and_one_of_an_earlier_version_without() {
        let at = WallTime::from_millis;
        let mut answer = json!({
            "name": "rolecast", "id": "i1", "version": "0.1.0", "type": "t",
            "metadata": {"dispatcher": "d1", "state": "leader", "epoch": "7"},
            "endpoints": [
                {"name": "job", "data": {"refused": 0}},
                {"name": "status", "data": {"at_ms": 5000}}
            ]
        });
        let read = |answer: &Value| instance(answer.to_string().as_bytes(), at(2000), at(2010));
        let found = read(&answer).unwrap();
        assert_eq!((found.name.as_str(), found.is_leader), ("d1", true));
        assert_eq!(found.epoch, Some(Epoch::new(7)));
        assert_eq!(found.lead.unwrap().millis, 2995);
        answer["metadata"] = json!({"dispatcher": "d2", "state": "standby"});
        answer["endpoints"] = json!([{"name": "status"}]);
        let found = read(&answer).unwrap();
        assert!(!found.is_leader && found.lead.is_none());
        assert!(instance(b"nonsense", at(0), at(0)).is_none());
    }
}
