//! Recovery: immediate redelivery of jobs that were delivered to a former leader and that
//! no node has in hand.
//!
//! The server redelivers a job when it was not acknowledged or extended within
//! `ack_wait`, and has no request that does so at once. But when `ack_wait` is lowered,
//! it checks a tenth of a second later which deliveries are overdue by the new value. So
//! it is lowered for a moment. Deliveries of jobs in hand were extended just before.
//!
//! A negative acknowledgement with a delay is stored relative to `ack_wait`: delays of
//! which less than that is left end early, and the scheduler gives these jobs back again.
//! None may be sent in this moment, or it would last longer (see `outbox`). Should this
//! process die in between, its successor ensures its consumers first.

use std::time::Duration;

use async_nats::jetstream;
use rolecast_common::requests;
use rolecast_common::subjects::{STREAM_JOBS, Source};
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use super::ACK_WAIT;
use super::assets::set_consumer;
use super::listing::ask;

/// The lowered value: longer than extensions take to arrive. Later deliveries are
/// recovered the second time, which the scheduler orders.
const ACK_WAIT_LOWERED: Duration = Duration::from_millis(500);
/// Time until the server has checked: 100 ms after the change, and as much again for a
/// busy one.
const CHECK_WAIT: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Info {
    num_ack_pending: u64,
    num_pending: u64,
}

/// Recovers the jobs of one source.
pub(super) async fn recover(jetstream: &jetstream::Context, source: &Source) -> anyhow::Result<()> {
    let info = info_of(jetstream, source).await?;
    if info.num_ack_pending == 0 {
        return Ok(());
    }
    set_consumer(jetstream, source, ACK_WAIT_LOWERED).await?;
    sleep(CHECK_WAIT).await;
    set_consumer(jetstream, source, ACK_WAIT).await?;
    tracing::info!(
        event = "jobs_recovered",
        %source,
        pending = info.num_ack_pending,
        "what was delivered to a former leader is delivered again"
    );
    Ok(())
}

async fn info_of(jetstream: &jetstream::Context, source: &Source) -> anyhow::Result<Info> {
    let subject = requests::consumer_info(STREAM_JOBS, &source.consumer());
    ask(jetstream, &subject, &json!({})).await
}

/// Removes the consumer of a source that has no jobs.
pub(super) async fn remove_if_unused(
    jetstream: &jetstream::Context,
    source: &Source,
) -> anyhow::Result<()> {
    let info = info_of(jetstream, source).await?;
    if info.num_ack_pending + info.num_pending > 0 {
        return Ok(());
    }
    let consumer = source.consumer();
    let removed = jetstream.delete_consumer_from_stream(&consumer, STREAM_JOBS);
    removed.await?;
    Ok(())
}
