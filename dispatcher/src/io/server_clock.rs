//! Setting of this program's wall time by the server's, again and again.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::Context;
use async_nats::jetstream::response::Response;
use rolecast_common::requests;
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_common::time::WallTime;
use rolecast_nats::Clock;
use serde::Deserialize;
use serde_json::json;

use crate::server_clock::ServerClock;

/// Interval between two settings: clocks drift by far less than a millisecond meanwhile,
/// and a clock set by hand is noticed before it does much harm.
const INTERVAL: Duration = Duration::from_secs(10);
/// Interval after a request that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Time limit of a request: a longer one gives no useful result, and a start waits for
/// the first.
const LIMIT: Duration = Duration::from_secs(1);

/// The requested part of a stream's state: the clock of the server that leads it, which
/// dates its messages.
#[derive(Debug, Deserialize)]
struct Info {
    ts: String,
}

/// Keeps the clock set until the handle is dropped; the first time before it returns, if
/// the server answers.
pub(super) async fn keep(jetstream: Context, clock: Clock) -> Keeper {
    let mut server = ServerClock::default();
    set_or_report(&mut server, &jetstream, clock).await;
    let task = tokio::spawn(async move {
        loop {
            let is_set = set_or_report(&mut server, &jetstream, clock).await;
            tokio::time::sleep(if is_set { INTERVAL } else { RETRY }).await;
        }
    });
    Keeper(task)
}

/// Handle of the task that keeps the clock set, until it is dropped.
#[derive(Debug)]
pub(super) struct Keeper(tokio::task::JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn set_or_report(server: &mut ServerClock, jetstream: &Context, clock: Clock) -> bool {
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
    let time = WallTime::parse(&info.ts).context("the server reports no time")?;
    clock.set_origin(server.observe(sent, answered, time));
    Ok(())
}
