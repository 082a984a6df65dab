//! Sets this program's wall time by the server's, and keeps it set.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::Context;
use async_nats::jetstream::response::Response;
use rolecast_common::nats::Clock;
use rolecast_common::requests;
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_common::time::WallTime;
use serde::Deserialize;
use serde_json::json;

use crate::server_clock::ServerClock;

/// How often it is set: clocks drift by far less than a millisecond meanwhile, and one
/// that is set by hand is noticed before it does much harm.
const INTERVAL: Duration = Duration::from_secs(10);
/// After a request that failed.
const RETRY: Duration = Duration::from_secs(1);
/// What is longer would tell nothing of use, and a start waits for the first.
const LIMIT: Duration = Duration::from_secs(1);

/// The part of a stream's state that is asked for: the clock of the server that leads it,
/// which is the one that its messages are dated by.
#[derive(Debug, Deserialize)]
struct Info {
    ts: String,
}

/// Sets the clock for as long as the handle is there; the first time before it returns, if
/// the server answers.
pub(super) async fn keep(jetstream: Context, clock: Clock) -> Keeper {
    let mut server = ServerClock::default();
    set_or_tell(&mut server, &jetstream, clock).await;
    let task = tokio::spawn(async move {
        loop {
            let is_set = set_or_tell(&mut server, &jetstream, clock).await;
            tokio::time::sleep(if is_set { INTERVAL } else { RETRY }).await;
        }
    });
    Keeper(task)
}

/// Keeps the clock set until it is dropped.
#[derive(Debug)]
pub(super) struct Keeper(tokio::task::JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn set_or_tell(server: &mut ServerClock, jetstream: &Context, clock: Clock) -> bool {
    let set = set(server, jetstream, clock).await;
    if let Err(error) = &set {
        tracing::debug!(event = "server_clock_unknown", "{error:#}");
    }
    set.is_ok()
}

async fn set(server: &mut ServerClock, jetstream: &Context, clock: Clock) -> anyhow::Result<()> {
    let sent = clock.now().time;
    let subject = requests::stream_info(STREAM_JOBS);
    let nothing = json!({});
    let asked = jetstream.request(subject, &nothing);
    let answer: Response<Info> = tokio::time::timeout(LIMIT, asked).await??;
    let answered = clock.now().time;
    let info = match answer {
        Response::Ok(info) => info,
        Response::Err { error } => return Err(error.into()),
    };
    let time = WallTime::parse(&info.ts).context("the server tells no time")?;
    clock.set_origin(server.observe(sent, answered, time));
    Ok(())
}
