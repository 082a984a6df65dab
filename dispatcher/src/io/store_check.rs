//! Periodic check of JetStream for the status: the time of an answer, and for each stream
//! its leader, its copies and its size.

use std::time::Duration;

use anyhow::anyhow;
use async_nats::jetstream;
use futures_util::stream::{self, StreamExt as _};
use rolecast_common::requests;
use rolecast_common::subjects::{
    BUCKET_ATTEMPTS, BUCKET_CANCELS, BUCKET_CAPACITY, BUCKET_CONTROL, BUCKET_FORECASTS,
    BUCKET_ROLES, STREAM_ADVISORIES, STREAM_DEAD, STREAM_DECISIONS, STREAM_JOBS, STREAM_RESULTS,
    bucket_stream,
};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{NatsStatus, StreamStatus};
use rolecast_nats::Clock;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::listing::ask;

/// Interval of the checks, with a request for each stream: a lost leader is shown well
/// before its election may be over.
const INTERVAL: Duration = Duration::from_secs(3);
/// Age of the first bucket until which a system counts as new: streams that are still
/// created, or elect their first leader, are no news. Guessed.
const SETTLING_MAX: Duration = Duration::from_secs(20);
const SETTLING_INTERVAL: Duration = Duration::from_millis(250);
/// Time limit of one answer; a stream without a leader gives none.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Requests at once.
const AT_ONCE_MAX: usize = 4;
/// Characters of a reason that are kept: it is on each page of a status.
const WHY_CHARS_MAX: usize = 200;

const STREAMS: [&str; 5] = [
    STREAM_JOBS,
    STREAM_RESULTS,
    STREAM_DEAD,
    STREAM_DECISIONS,
    STREAM_ADVISORIES,
];
const BUCKETS: [&str; 6] = [
    BUCKET_CONTROL,
    BUCKET_ATTEMPTS,
    BUCKET_CANCELS,
    BUCKET_ROLES,
    BUCKET_CAPACITY,
    BUCKET_FORECASTS,
];

/// Starts the checks; they end when the returned receiver and its clones are gone.
pub(super) fn start(
    jetstream: &jetstream::Context,
    clock: Clock,
) -> watch::Receiver<Option<NatsStatus>> {
    let (checked, receiver) = watch::channel(None);
    let jetstream = jetstream.clone();
    tokio::spawn(async move {
        while !checked.is_closed() {
            let (status, is_new) = check(&jetstream, clock).await;
            let is_settling = is_new && !status.streams.iter().all(is_whole);
            let pause = match is_settling {
                true => SETTLING_INTERVAL,
                false => INTERVAL,
            };
            if !is_settling {
                checked.send_replace(Some(status));
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = checked.closed() => {}
            }
        }
    });
    receiver
}

/// Returns the result, and whether the system was set up a moment ago.
async fn check(jetstream: &jetstream::Context, clock: Clock) -> (NatsStatus, bool) {
    let asked = timed(jetstream, requests::INFO).await;
    let buckets = BUCKETS.map(bucket_stream);
    let names = STREAMS.into_iter().map(str::to_owned).chain(buckets);
    let streams = stream::iter(names.map(|name| check_stream(jetstream, name)));
    let streams: Vec<(StreamStatus, Option<Duration>)> =
        streams.buffered(AT_ONCE_MAX).collect().await;
    let control = bucket_stream(BUCKET_CONTROL);
    let mut ages = streams
        .iter()
        .filter(|(stream, _)| stream.stream == control);
    let age = ages.next().and_then(|(_, age)| *age);
    let info = jetstream.client().server_info();
    let status = NatsStatus {
        version: info.version,
        server: info.server_name,
        checked_ms: clock.now().wall,
        round_trip_us: asked.ok().map(|(_, took)| micros(took)),
        streams: streams.into_iter().map(|(stream, _)| stream).collect(),
    };
    (status, age.is_some_and(|age| age < SETTLING_MAX))
}

/// Returns the state of a stream, and its age.
async fn check_stream(
    jetstream: &jetstream::Context,
    stream: String,
) -> (StreamStatus, Option<Duration>) {
    let asked = timed(jetstream, &requests::stream_info(&stream)).await;
    let read = asked.and_then(|(answer, took)| Ok((serde_json::from_value(answer)?, took)));
    match read {
        Ok((info, took)) => (status_of(stream, &info, took), info.age()),
        Err(error) => {
            let status = StreamStatus {
                why: format!("{error:#}").chars().take(WHY_CHARS_MAX).collect(),
                stream,
                ..nothing()
            };
            (status, None)
        }
    }
}

async fn timed(jetstream: &jetstream::Context, subject: &str) -> anyhow::Result<(Value, Duration)> {
    let begun = Instant::now();
    let asked = timeout(ANSWER_MAX, ask(jetstream, subject, &json!({}))).await;
    let answer = asked.map_err(|_| anyhow!("no answer within {} s", ANSWER_MAX.as_secs()))??;
    Ok((answer, begun.elapsed()))
}

#[derive(Deserialize)]
struct Info {
    config: Config,
    state: State,
    cluster: Option<Cluster>,
    #[serde(default)]
    created: String,
    /// The server's time of the answer.
    #[serde(default)]
    ts: String,
}

impl Info {
    fn age(&self) -> Option<Duration> {
        let created = WallTime::parse(&self.created)?;
        WallTime::parse(&self.ts).map(|at| at.since(created))
    }
}

/// Returns whether a stream and all its copies are at work.
fn is_whole(stream: &StreamStatus) -> bool {
    let is_led = stream.replicas <= 1 || stream.leader.is_some();
    stream.why.is_empty() && is_led && stream.behind.is_empty()
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    max_bytes: i64,
    #[serde(default)]
    num_replicas: u32,
}

#[derive(Deserialize)]
struct State {
    messages: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Cluster {
    leader: Option<String>,
    #[serde(default)]
    replicas: Vec<Replica>,
}

#[derive(Deserialize)]
struct Replica {
    name: String,
    #[serde(default)]
    current: bool,
    #[serde(default)]
    offline: bool,
}

fn status_of(stream: String, info: &Info, took: Duration) -> StreamStatus {
    let replicas = info.cluster.iter().flat_map(|cluster| &cluster.replicas);
    let behind = replicas.filter(|replica| replica.offline || !replica.current);
    let leader = info
        .cluster
        .as_ref()
        .and_then(|cluster| cluster.leader.clone());
    StreamStatus {
        leader: leader.filter(|name| !name.is_empty()),
        messages: info.state.messages,
        bytes: info.state.bytes,
        bytes_max: u64::try_from(info.config.max_bytes).unwrap_or(0),
        replicas: info.config.num_replicas,
        behind: behind.map(|replica| replica.name.clone()).collect(),
        answer_us: Some(micros(took)),
        why: String::new(),
        stream,
    }
}

fn nothing() -> StreamStatus {
    StreamStatus {
        stream: String::new(),
        leader: None,
        messages: 0,
        bytes: 0,
        bytes_max: 0,
        replicas: 0,
        behind: Vec::new(),
        answer_us: None,
        why: String::new(),
    }
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_are_offline_or_behind_are_named() {
        let info = json!({
            "config": {"max_bytes": 1000, "num_replicas": 3},
            "state": {"messages": 7, "bytes": 900},
            "cluster": {"name": "c", "leader": "n1", "replicas": [
                {"name": "n2", "current": true, "active": 1},
                {"name": "n3", "current": false, "offline": true, "active": 1},
                {"name": "n4", "current": false, "lag": 9, "active": 1}]},
        });
        let info: Info = serde_json::from_value(info).unwrap();
        let status = status_of("S".to_owned(), &info, Duration::from_millis(3));
        assert_eq!(status.behind, ["n3", "n4"]);
        assert_eq!(status.leader.as_deref(), Some("n1"));
        assert_eq!((status.bytes, status.bytes_max), (900, 1000));
        assert_eq!(status.answer_us, Some(3000));
    }

    #[test]
    fn a_stream_without_a_limit_on_a_single_server_has_neither_limit_nor_leader() {
        let info = json!({
            "config": {"max_bytes": -1, "num_replicas": 1},
            "state": {"messages": 0, "bytes": 0},
        });
        let info: Info = serde_json::from_value(info).unwrap();
        let status = status_of("S".to_owned(), &info, Duration::ZERO);
        assert_eq!((status.bytes_max, status.leader), (0, None));
    }
}
