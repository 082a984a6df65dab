//! Reads every job's record back.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rolecast_common::id::JobId;
use rolecast_common::wire::Record;
use tokio::time::sleep;

use super::super::failure::Failure;
use super::super::session::Session;
use crate::demo::plan::Planned;

/// Concurrent requests.
const IN_FLIGHT_MAX: usize = 32;
/// A record may be announced just before it is stored.
const TRIES_MAX: u32 = 10;
const TRY_EVERY: Duration = Duration::from_millis(100);

/// Returns the stored record of each job that has one.
pub(super) async fn read_back(
    session: &Session,
    plan: &[Planned],
) -> Result<BTreeMap<JobId, Record>, Failure> {
    stream::iter(plan)
        .map(|planned| async {
            let record = read(session, &planned.job).await?;
            Ok(record.map(|record| (planned.job.clone(), record)))
        })
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

async fn read(session: &Session, job: &JobId) -> Result<Option<Record>, Failure> {
    for _ in 0..TRIES_MAX {
        if let Some(record) = session.record(job).await? {
            return Ok(Some(record));
        }
        sleep(TRY_EVERY).await;
    }
    Ok(None)
}
