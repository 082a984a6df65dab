//! Finds jobs in categories that have no consumer, by looking at what the
//! stream holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use rolecast_common::id::{Category, Sequence};
use rolecast_common::options::Origin;
use rolecast_common::subjects::{STREAM_JOBS, Source};
use rolecast_common::time::WallTime;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::{Streams, assets};
use crate::machine::{Input, Stray};

/// How often the stream is looked at: how long an undeclared category's first
/// job waits at most.
const INTERVAL: Duration = Duration::from_secs(2);
/// Strays looked at per subject and round, so that a flood of them stays cheap.
const STRAYS_MAX: usize = 100;

#[derive(Deserialize)]
struct Info {
    state: State,
}

#[derive(Deserialize)]
struct State {
    subjects: Option<BTreeMap<String, u64>>,
}

/// What to do with the jobs of undeclared categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undeclared {
    Serve,
    Bury,
}

/// Looks for ever, and reports what it finds.
pub(super) async fn run(
    streams: Streams,
    mut served: BTreeSet<Category>,
    undeclared: Undeclared,
    inputs: mpsc::Sender<Input>,
) {
    loop {
        let found = match look(&streams, &mut served, undeclared).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(
                    event = "discovery_failed",
                    "cannot look at the jobs: {error:#}"
                );
                Vec::new()
            }
        };
        for input in found {
            if inputs.send(input).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Returns how many messages the jobs stream holds on each subject.
pub(super) async fn backlogs(
    jetstream: &jetstream::Context,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let subject = format!("STREAM.INFO.{STREAM_JOBS}");
    let request = json!({"subjects_filter": ">"});
    let answer: jetstream::response::Response<Info> = jetstream.request(subject, &request).await?;
    match answer {
        jetstream::response::Response::Ok(info) => Ok(info.state.subjects.unwrap_or_default()),
        jetstream::response::Response::Err { error } => Err(error.into()),
    }
}

async fn look(
    streams: &Streams,
    served: &mut BTreeSet<Category>,
    undeclared: Undeclared,
) -> anyhow::Result<Vec<Input>> {
    let held = backlogs(&streams.jetstream).await?;
    let mut inputs = vec![Input::Backlogs(by_category(&held))];
    for subject in held.into_keys() {
        let reason = match (Source::parse(&subject), undeclared) {
            (Ok(source), _) if served.contains(&source.category) => continue,
            (Ok(source), Undeclared::Serve) => {
                assets::ensure_consumers(&streams.jetstream, &source.category).await?;
                served.insert(source.category.clone());
                inputs.push(Input::Found(source.category));
                continue;
            }
            (Ok(source), Undeclared::Bury) => {
                format!("category {} is not declared", source.category)
            }
            (Err(error), _) => error.to_string(),
        };
        inputs.extend(strays(streams, &subject, &reason).await?);
    }
    Ok(inputs)
}

/// Returns how many jobs of each category there are.
fn by_category(held: &BTreeMap<String, u64>) -> BTreeMap<Category, u64> {
    let mut categories = BTreeMap::new();
    for (subject, count) in held {
        if let Ok(source) = Source::parse(subject) {
            *categories.entry(source.category).or_default() += count;
        }
    }
    categories
}

async fn strays(streams: &Streams, subject: &str, reason: &str) -> anyhow::Result<Vec<Input>> {
    let stream = streams.jetstream.get_stream_no_info(STREAM_JOBS).await?;
    let mut strays = Vec::new();
    let mut from = 1;
    while strays.len() < STRAYS_MAX {
        let next = stream
            .direct_get_next_for_subject(subject, Some(from))
            .await;
        let message = match next {
            Ok(message) => message,
            Err(error) if error.kind() == jetstream::stream::DirectGetErrorKind::NotFound => break,
            Err(error) => return Err(error).context("cannot read a job"),
        };
        from = message.sequence + 1;
        let seconds = u64::try_from(message.time.unix_timestamp()).unwrap_or(0);
        let origin = Origin {
            sequence: Sequence::new(message.sequence),
            stored: WallTime::from_millis(seconds * 1000),
            stream_created: streams.jobs_created,
        };
        let job = origin.job_id(|name| message.headers.get(name).map(|value| value.as_str()));
        strays.push(Input::Stray(Stray {
            sequence: origin.sequence,
            job,
            category: subject.split('.').nth(2).unwrap_or_default().to_owned(),
            submitted: origin.stored,
            reason: reason.to_owned(),
        }));
    }
    Ok(strays)
}
