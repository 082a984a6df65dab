//! Cancels: requests of operators, and the bucket that keeps them until their jobs have
//! ended.

use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::kv::Store;
use foldhash::HashMap;
use futures_util::StreamExt as _;
use rolecast_common::id::{Category, JobId};
use rolecast_common::subjects::bucket_key;
use rolecast_common::time::WallTime;
use rolecast_common::wire::{CancelAnswer, CancelFate, CancelRequest};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::bucket::Bucket;
use super::request::Request;
use super::{Streams, api};
use crate::scheduler::{Cancel, CancelInput, CancelTarget, Input};

/// The most cancels that may wait to be stored.
const WAITING_MAX: usize = 1000;
/// Characters of a name and of a reason that are kept: the reason is in each record.
const BY_CHARS_MAX: usize = 64;
const REASON_CHARS_MAX: usize = 300;
/// Tries to store a cancel: whoever cancels waits a few seconds for the answer.
const TRIES: u32 = 2;
/// Reads at once, and the time for all.
const AT_ONCE_MAX: usize = 64;
const LOAD_LIMIT: Duration = Duration::from_secs(4);
const EXAMPLES: &str = r#"{"v": 1, "job": "order-7", "by": "alice"} and {"v": 1, "category": "ocr", "older_ms": 3600000}"#;

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<Category>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored_before_ms: Option<WallTime>,
    #[serde(default)]
    by: String,
    #[serde(default)]
    reason: String,
    at_ms: WallTime,
}

/// The requests that wait for an answer, by the number of the cancel.
#[derive(Debug, Default)]
pub(super) struct WaitingCancels {
    waiting: HashMap<u64, Request>,
    next: u64,
}

impl WaitingCancels {
    /// Accepts a cancel, and returns the input that it is; or refuses it.
    pub(super) fn accept(
        &mut self,
        now: WallTime,
        streams: &Streams,
        request: Request,
    ) -> Option<Input> {
        let read = match self.waiting.len() >= WAITING_MAX {
            true => Err("too many cancels wait to be stored; try again".to_owned()),
            false => read(now, &request),
        };
        match read {
            Ok((cancel, is_dry_run)) => {
                self.next += 1;
                let id = self.next;
                self.waiting.insert(id, request);
                Some(Input::Cancel(CancelInput::Order {
                    id,
                    cancel,
                    is_dry_run,
                }))
            }
            Err(why) => {
                tokio::spawn(api::refuse(streams.clone(), why, request));
                None
            }
        }
    }

    /// Returns the request with this number; once for each.
    pub(super) fn take(&mut self, id: u64) -> Option<Request> {
        self.waiting.remove(&id)
    }
}

fn read(now: WallTime, request: &Request) -> Result<(Cancel, bool), String> {
    let asked: CancelRequest =
        api::body(request).map_err(|error| format!("{error}; examples: {EXAMPLES}"))?;
    let target = match (asked.job, asked.category) {
        (Some(job), None) => CancelTarget::Job(job),
        (None, Some(category)) => {
            let before = now.as_millis().saturating_sub(asked.older_ms);
            CancelTarget::Category(category, WallTime::from_millis(before))
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(format!("name a job or a category; examples: {EXAMPLES}"));
        }
    };
    let cancel = Cancel {
        target,
        by: asked.by.trim().chars().take(BY_CHARS_MAX).collect(),
        reason: asked.reason.trim().chars().take(REASON_CHARS_MAX).collect(),
        at: now,
    };
    Ok((cancel, asked.dry_run))
}

/// Answers the cancel of a job that is not held: it may have ended. Returns the input that
/// ends the cancel if it has.
pub(super) async fn answer_pending(
    streams: Streams,
    mut answer: CancelAnswer,
    request: Request,
) -> Option<Input> {
    // It was read once.
    let job = api::body::<CancelRequest>(&request).ok()?.job?;
    let found = api::recorded(&streams.jetstream, &job).await;
    let found = found.unwrap_or_else(|error| {
        tracing::warn!(event = "record_unreadable", %job, "cannot read outcome: {error:#}");
        None
    });
    if let Some(record) = &found {
        answer.fate = Some(CancelFate::Ended);
        answer.status = Some(record.status);
    }
    api::answer(streams, answer, request).await;
    found.map(|_| Input::Cancel(CancelInput::Ended(job)))
}

/// Stores a cancel; the error is for whoever cancels.
pub(super) async fn store(bucket: &Bucket, cancel: Cancel) -> Result<(), String> {
    let (key, stored) = stored_of(cancel);
    let mut tries = 0;
    loop {
        tries += 1;
        let written = async {
            let value = serde_json::to_vec(&stored)?;
            bucket.open().await?.put(&key, value.into()).await?;
            anyhow::Ok(())
        };
        match written.await {
            Ok(()) => return Ok(()),
            Err(error) if tries >= TRIES => {
                tracing::warn!(event = "cancel_not_stored", key, "{error:#}");
                return Err(format!(
                    "the cancel may not be stored, repeat it: {error:#}"
                ));
            }
            Err(_) => {}
        }
    }
}

/// Deletes the cancel of a job that has ended.
pub(super) async fn forget(bucket: &Bucket, job: &JobId) {
    let removed = async {
        let bucket = bucket.open().await?;
        let subject = bucket_key(&bucket.name, &job_key(job));
        // Deleting the key would leave a marker for ever.
        bucket.stream.purge().filter(subject).await?;
        anyhow::Ok(())
    };
    if let Err(error) = removed.await {
        // It matches no other job, and ends with the bucket's age.
        tracing::warn!(event = "cancel_not_removed", %job, "{error:#}");
    }
}

/// Reads the stored cancels. One that cannot be read is dropped with a warning.
pub(super) async fn load(bucket: &Store) -> anyhow::Result<Vec<Cancel>> {
    let read = async {
        let keys = bucket.keys().await.context("cannot list cancels")?;
        let entries = keys.map(|key| async move {
            let key = key?;
            let value = bucket.get(&key).await?;
            anyhow::Ok((key, value))
        });
        let mut entries = pin!(entries.buffer_unordered(AT_ONCE_MAX));
        let mut cancels = Vec::new();
        while let Some(entry) = entries.next().await {
            let (key, value) = entry.context("cannot read cancels")?;
            let stored = value.and_then(|value| serde_json::from_slice(&value).ok());
            match stored.and_then(cancel_of) {
                Some(cancel) => cancels.push(cancel),
                None => tracing::warn!(event = "cancel_dropped", key, "cancel cannot be read"),
            }
        }
        anyhow::Ok(cancels)
    };
    timeout(LOAD_LIMIT, read)
        .await
        .context("the cancels cannot be read in time")?
}

fn job_key(job: &JobId) -> String {
    format!("job.{job}")
}

fn stored_of(cancel: Cancel) -> (String, Stored) {
    let (key, job, category, stored_before_ms) = match cancel.target {
        CancelTarget::Job(job) => (job_key(&job), Some(job), None, None),
        CancelTarget::Category(category, before) => (
            format!("category.{category}"),
            None,
            Some(category),
            Some(before),
        ),
    };
    let stored = Stored {
        job,
        category,
        stored_before_ms,
        by: cancel.by,
        reason: cancel.reason,
        at_ms: cancel.at,
    };
    (key, stored)
}

fn cancel_of(stored: Stored) -> Option<Cancel> {
    let target = match (stored.job, stored.category, stored.stored_before_ms) {
        (Some(job), None, None) => CancelTarget::Job(job),
        (None, Some(category), Some(before)) => CancelTarget::Category(category, before),
        (Some(_) | None, Some(_) | None, Some(_) | None) => return None,
    };
    Some(Cancel {
        target,
        by: stored.by,
        reason: stored.reason,
        at: stored.at_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_cancel_is_read_as_it_was() {
        let job = CancelTarget::Job(JobId::new("order-7").unwrap());
        let before = WallTime::from_millis(1_700_000_000_000);
        let category = CancelTarget::Category(Category::new("ocr").unwrap(), before);
        for (target, expected) in [(job, "job.order-7"), (category, "category.ocr")] {
            let cancel = Cancel {
                target,
                by: "alice".to_owned(),
                reason: "duplicate".to_owned(),
                at: before,
            };
            let (key, stored) = stored_of(cancel.clone());
            assert_eq!(key, expected);
            let json = serde_json::to_vec(&stored).unwrap();
            assert_eq!(
                cancel_of(serde_json::from_slice(&json).unwrap()),
                Some(cancel)
            );
        }
        let neither = serde_json::from_str(r#"{"at_ms": 5}"#).unwrap();
        assert_eq!(cancel_of(neither), None);
    }
}
