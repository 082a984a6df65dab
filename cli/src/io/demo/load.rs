//! Submits the jobs of the plan at their times.

use std::time::Instant;

use anyhow::{Context as _, anyhow};
use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rolecast_common::id::Priority;
use rolecast_common::options::{HEADER_MSG_ID, HEADER_REQUIRE};
use rolecast_common::subjects::Source;
use rolecast_nats::publish_with_retry;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep_until;

use crate::demo::corpus::Corpus;
use crate::demo::fleet::LABEL_NAME;
use crate::demo::plan::Planned;

/// Concurrent publishes: 16 of the largest are 12 MiB.
const IN_FLIGHT_MAX: usize = 16;

/// Submits all jobs and reports each, with its category, once it is stored.
pub(super) async fn submit_all(
    jetstream: Context,
    plan: Vec<Planned>,
    corpus: Corpus,
    stored: UnboundedSender<&'static str>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let (jetstream, corpus, stored) = (&jetstream, &corpus, &stored);
    stream::iter(plan)
        .then(|planned| async move {
            sleep_until((start + planned.at).into()).await;
            planned
        })
        .map(|planned| async move {
            let category = planned.tool.category;
            submit(jetstream, corpus, &planned).await?;
            // Nobody receives this when the demonstration is being ended.
            let _ = stored.send(category);
            anyhow::Ok(())
        })
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_collect()
        .await
}

async fn submit(jetstream: &Context, corpus: &Corpus, planned: &Planned) -> anyhow::Result<()> {
    let source = Source {
        category: planned.tool.category.parse()?,
        priority: Priority::Normal,
    };
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_MSG_ID, planned.job.as_str());
    if let Some(node) = planned.node {
        headers.insert(HEADER_REQUIRE, format!("{LABEL_NAME}={node}"));
    }
    let payload = corpus.piece(planned.piece, planned.tool.payload_len);
    let ack = publish_with_retry(jetstream, &source.subject(), &headers, &payload)
        .await
        .with_context(|| format!("cannot submit {}", planned.job))?;
    if ack.duplicate {
        return Err(anyhow!("job {} was submitted before", planned.job));
    }
    Ok(())
}
