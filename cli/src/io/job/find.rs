//! Finds a job by its id, or by its sequence in ROLECAST_JOBS.

use rolecast_common::id::{JobId, Sequence};
use rolecast_common::options::{Headers, Origin};
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_common::time::WallTime;
use rolecast_common::wire::{JobState, JobView, Record};

use super::super::failure::Failure;
use super::super::session::{Session, no_dispatcher};

/// What is known of a job.
#[derive(Debug)]
pub(super) enum Found {
    Ended(Box<Record>),
    /// Not ended, as the dispatcher says; or not known to it.
    Open(Box<JobView>),
}

/// Looks for the record first: it is the truth, and there without a dispatcher.
pub(super) async fn find(session: &Session, id: &JobId) -> Result<Found, Failure> {
    let candidates = candidates(session, id).await;
    for Candidate { job, .. } in &candidates {
        if let Some(record) = session.record(job).await? {
            return Ok(Found::Ended(Box::new(record)));
        }
    }
    let mut unknown = None;
    for Candidate { job, is_queued } in &candidates {
        let view = session.view(job).await?.ok_or_else(no_dispatcher)?;
        match (view.state, view.record) {
            (_, Some(record)) => return Ok(Found::Ended(Box::new(record))),
            (JobState::Unknown, None) if *is_queued => {
                return Ok(Found::Open(Box::new(JobView {
                    state: JobState::Waiting,
                    reason: "behind others in the stream".to_owned(),
                    record: None,
                    ..view
                })));
            }
            (JobState::Unknown, None) => {
                unknown = Some(JobView {
                    record: None,
                    ..view
                });
            }
            (_, None) => {
                return Ok(Found::Open(Box::new(JobView {
                    record: None,
                    ..view
                })));
            }
        }
    }
    let unknown = unknown.ok_or_else(no_dispatcher)?;
    Ok(Found::Open(Box::new(unknown)))
}

/// Returns the one job the text stands for: that at the sequence if it is
/// queued, else the first that anything is known of, else that of this id.
pub(in super::super) async fn resolve(session: &Session, id: &JobId) -> Result<JobId, Failure> {
    for Candidate { job, is_queued } in candidates(session, id).await {
        let is_known = |view: JobView| view.state != JobState::Unknown;
        if is_queued
            || session.record(&job).await?.is_some()
            || session.view(&job).await?.is_some_and(is_known)
        {
            return Ok(job);
        }
    }
    Ok(id.clone())
}

/// A job that a text may stand for.
struct Candidate {
    job: JobId,
    /// Whether it was found in ROLECAST_JOBS.
    is_queued: bool,
}

/// Returns the jobs the text may stand for, most likely first.
///
/// A bare number is a sequence; it can also be the id a producer chose.
async fn candidates(session: &Session, id: &JobId) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    if let Ok(sequence) = id.as_str().parse() {
        candidates.extend(at(session, sequence).await);
    }
    candidates.push(Candidate {
        job: id.clone(),
        is_queued: false,
    });
    candidates
}

/// Returns the job at a sequence: by its headers while it is stored, else by
/// the id it has if its producer gave it none.
async fn at(session: &Session, sequence: u64) -> Option<Candidate> {
    let stream = session.jetstream.get_stream(STREAM_JOBS).await.ok()?;
    let created = wall(stream.cached_info().created.unix_timestamp_nanos());
    let sequence = Sequence::new(sequence);
    let Ok(message) = stream.get_raw_message(sequence.get()).await else {
        return Some(Candidate {
            job: sequence.job_id(created),
            is_queued: false,
        });
    };
    let origin = Origin {
        sequence,
        stored: wall(message.time.unix_timestamp_nanos()),
        stream_created: created,
    };
    let headers = Headers::of(Some(&message.headers));
    Some(Candidate {
        job: origin.job_id(&headers),
        is_queued: true,
    })
}

/// Converts the server's time.
pub(in super::super) fn wall(nanos: i128) -> WallTime {
    WallTime::from_millis(u64::try_from(nanos / 1_000_000).unwrap_or(0))
}
