//! Jobs that have not ended: those that the dispatcher holds, and between and behind them
//! those that only ROLECAST_JOBS holds, in the order of the stream.

use async_nats::jetstream::message::StreamMessage;
use rolecast_common::id::Sequence;
use rolecast_common::options::Origin;
use rolecast_common::subjects::{STREAM_JOBS, Source};
use rolecast_common::wire::{JobState, ListedJob};
use rolecast_nats::job_headers;

use super::super::super::failure::Failure;
use super::super::super::session::Session;
use super::super::queue::wall;
use super::held::Held;
use super::stream::Walk;
use super::{Found, Wanted};

const BEHIND: &str = "it waits in the stream, behind others";

pub(super) async fn list(session: &Session, wanted: &Wanted) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut held = Held::new(wanted, false);
    held.peek(session).await?;
    let mut walk = None;
    if wanted.states.contains(&JobState::Waiting) && wanted.node.is_none() {
        let after = wanted.after.map(Sequence::get);
        walk = Walk::begin(session, STREAM_JOBS, wanted.newest_first, after).await;
        if walk.is_none() {
            found.note = Some(
                "jobs that the dispatcher has not fetched yet are missing: this login may not \
                 read ROLECAST_JOBS"
                    .to_owned(),
            );
        }
        // Without any, the stream need not be read.
        walk = walk.filter(|walk| walk.messages > held.total);
        if walk.is_some() {
            held = Held::new(wanted, true);
        }
    }
    while found.jobs.len() < wanted.limit {
        let Some(mut job) = next(session, &mut held, walk.as_mut()).await? else {
            if let Some(walk) = walk.filter(|walk| walk.note.is_some()) {
                found.next = walk.resume.map(Sequence::new);
                found.note = walk.note;
            }
            return Ok(found);
        };
        if job.category.is_none() || job.submitted_ms.is_none() {
            complete(session, &mut job).await;
        }
        let place = job.sequence;
        if wanted.is(&job) {
            found.jobs.push(job);
        }
        found.next = Some(place).filter(|_| found.jobs.len() == wanted.limit);
    }
    if next(session, &mut held, walk.as_mut()).await?.is_none() {
        found.next = None;
    }
    Ok(found)
}

/// Returns the next job of both, by its place.
async fn next(
    session: &Session,
    held: &mut Held,
    walk: Option<&mut Walk<'_>>,
) -> Result<Option<ListedJob>, Failure> {
    let next_held = held.peek(session).await?;
    let Some(walk) = walk else {
        return Ok(held.take());
    };
    // A place that is held need not be read.
    if let Some(place) = next_held
        && walk.place() == Some(place.get())
    {
        walk.pass(place.get());
        return Ok(held.take());
    }
    loop {
        let Some(message) = walk.read().await else {
            return Ok(held.take());
        };
        let is_first = next_held.is_none_or(|place| match walk.is_newest_first() {
            true => message.sequence > place.get(),
            false => message.sequence < place.get(),
        });
        if !is_first {
            if next_held == Some(Sequence::new(message.sequence)) {
                walk.pass(message.sequence);
            }
            return Ok(held.take());
        }
        walk.pass(message.sequence);
        if let Some(job) = waiting(&message, walk.created_nanos()) {
            return Ok(Some(job));
        }
    }
}

/// Returns a job that only the stream holds; `None` if its subject belongs to no category.
fn waiting(message: &StreamMessage, created: i128) -> Option<ListedJob> {
    let source = Source::parse(&message.subject).ok()?;
    let submitted = wall(message.time.unix_timestamp_nanos());
    let sequence = Sequence::new(message.sequence);
    let origin = Origin {
        sequence,
        stored: submitted,
        stream_created: wall(created),
    };
    Some(ListedJob {
        job: origin.job_id(&job_headers(Some(&message.headers))),
        sequence,
        category: Some(source.category),
        priority: source.priority,
        state: JobState::Waiting,
        node: None,
        attempt: None,
        submitted_ms: Some(submitted),
        since_ms: None,
        until_ms: None,
        progress: None,
        reason: BEHIND.to_owned(),
        failed: 0,
        lost: 0,
    })
}

/// Adds the category and the time of a job that a former dispatcher gave back, as far as
/// this login may read them.
async fn complete(session: &Session, job: &mut ListedJob) {
    let Ok(stream) = session.jetstream.get_stream_no_info(STREAM_JOBS).await else {
        return;
    };
    let Ok(message) = stream.direct_get(job.sequence.get()).await else {
        return;
    };
    if let Ok(source) = Source::parse(&message.subject) {
        job.category = Some(source.category);
        job.priority = source.priority;
    }
    job.submitted_ms = Some(wall(message.time.unix_timestamp_nanos()));
}
