//! Jobs that have ended, from the records in ROLECAST_RESULTS.

use rolecast_common::id::{Category, Priority, Sequence};
use rolecast_common::subjects::STREAM_RESULTS;
use rolecast_common::time::WallTime;
use rolecast_common::wire::{self, Encoding, JobState, ListedJob, Record, RecordStatus};

use super::super::super::failure::Failure;
use super::super::super::session::Session;
use super::stream::Walk;
use super::{Found, Wanted};
use crate::exit::Exit;

/// Lists them by the place of their record, by which the list continues.
pub(super) async fn list(
    session: &Session,
    wanted: &Wanted,
    now: WallTime,
) -> Result<Found, Failure> {
    let after = wanted.after.map(Sequence::get);
    let walk = Walk::begin(session, STREAM_RESULTS, wanted.newest_first, after).await;
    let mut walk = walk.ok_or_else(|| {
        let text = "jobs that have ended are listed from ROLECAST_RESULTS, which this login may \
                    not read, or which is not there";
        Failure::new(Exit::Failed, text)
    })?;
    let mut found = Found::default();
    while found.jobs.len() < wanted.limit {
        let Some(message) = walk.read().await else {
            found.note = walk.note;
            found.next = walk.resume.map(Sequence::new);
            return Ok(found);
        };
        walk.pass(message.sequence);
        // A tombstone or a record of a later version is no job that is known here.
        let record = wire::decode::<Record>(Encoding::MessagePack, &message.payload);
        let job = record.ok().map(|record| ended(record, now));
        found.jobs.extend(job.filter(|job| wanted.is(job)));
        found.next = walk.place().map(|_| Sequence::new(message.sequence));
    }
    Ok(found)
}

fn ended(record: Record, now: WallTime) -> ListedJob {
    let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let since = now.since(record.finished_ms).as_millis();
    ListedJob {
        sequence: record.sequence,
        category: Category::new(&record.category).ok(),
        priority: Priority::Normal,
        state: match record.status {
            RecordStatus::Completed => JobState::Completed,
            RecordStatus::Dead => JobState::Dead,
            RecordStatus::Expired => JobState::Expired,
            RecordStatus::Cancelled => JobState::Cancelled,
        },
        node: record.node,
        attempt: record.attempt,
        submitted_ms: Some(record.submitted_ms),
        since_ms: u64::try_from(since).ok(),
        until_ms: None,
        progress: None,
        reason: record.reason,
        failed: count(record.failures.len()),
        lost: count(record.losses.len()),
        job: record.job,
    }
}
