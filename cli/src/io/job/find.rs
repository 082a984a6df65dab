//! Finds a job by its id, or by its sequence in ROLECAST_JOBS.

use rolecast_common::id::{JobId, JobName, Sequence};
use rolecast_common::options::Origin;
use rolecast_common::requests;
use rolecast_common::subjects::{self, STREAM_JOBS};
use rolecast_common::wire::{JobState, JobView, Record};
use rolecast_nats::job_headers;

use super::super::failure::Failure;
use super::super::session::{Session, Stored, no_dispatcher};
use super::queue::{Searched, search, wall};

/// The result of a search for a job.
#[derive(Debug)]
pub(super) enum Found {
    Ended(Box<Record>),
    /// Not ended, according to the dispatcher or the stream.
    Open(Box<JobView>),
    /// Unknown, as far as was searched.
    Unknown(Searched),
}

/// Searches the record first: it is authoritative, and exists without a dispatcher.
pub(super) async fn find(session: &Session, name: &JobName) -> Result<Found, Failure> {
    let Place { job, is_queued } = place(session, name).await?;
    // A login without access to records asks the dispatcher, which reads them too.
    let is_denied = match session.stored(&job).await? {
        Stored::Record(record) => return Ok(Found::Ended(record)),
        Stored::Nothing => false,
        Stored::Denied(_) => true,
    };
    let view = session.view(&job).await?.ok_or_else(no_dispatcher)?;
    match (view.state, view.record) {
        (_, Some(record)) => return Ok(Found::Ended(Box::new(record))),
        (JobState::Unknown, None) if is_denied => {
            return Ok(Found::Unknown(Searched::Unfinished { seen: 0 }));
        }
        (JobState::Unknown, None) => {}
        (_, None) => {
            return Ok(Found::Open(Box::new(JobView {
                record: None,
                ..view
            })));
        }
    }
    let reason = match (is_queued, search(session, &job).await) {
        (_, Searched::Found { ahead }) => behind(ahead),
        (true, Searched::Absent | Searched::Unfinished { .. }) => {
            "it waits in the stream, behind others".to_owned()
        }
        (false, searched) => return Ok(Found::Unknown(searched)),
    };
    Ok(Found::Open(Box::new(JobView {
        state: JobState::Waiting,
        reason,
        record: None,
        ..view
    })))
}

/// Returns the position in the stream of a job that the dispatcher does not hold yet.
pub(super) fn behind(ahead: u64) -> String {
    match ahead {
        0 => "it waits in the stream, the first of all".to_owned(),
        1 => "it waits in the stream, behind 1 other".to_owned(),
        _ => format!("it waits in the stream, behind {ahead} others"),
    }
}

/// Returns where a job waits that only the stream holds; `None` if it was not found there.
pub(in super::super) async fn queued(session: &Session, job: &JobId) -> Option<String> {
    match search(session, job).await {
        Searched::Found { ahead } => Some(behind(ahead)),
        Searched::Absent | Searched::Unfinished { .. } => None,
    }
}

/// Returns the id of the job with this name.
pub(in super::super) async fn resolve(session: &Session, name: &JobName) -> Result<JobId, Failure> {
    Ok(place(session, name).await?.job)
}

/// A job, and whether it was found in ROLECAST_JOBS.
struct Place {
    job: JobId,
    is_queued: bool,
}

async fn place(session: &Session, name: &JobName) -> Result<Place, Failure> {
    match name {
        JobName::Id(job) => Ok(Place {
            job: job.clone(),
            is_queued: false,
        }),
        JobName::Sequence(sequence) => at(session, *sequence).await,
    }
}

/// Asks the dispatcher, as a login without access to the stream must.
async fn request_from_dispatcher(session: &Session, sequence: Sequence) -> Result<Place, Failure> {
    let name = JobName::Sequence(sequence).to_string();
    let view: Option<JobView> = session.request(subjects::API_JOB, name.into()).await?;
    let view = view.ok_or_else(no_dispatcher)?;
    Ok(Place {
        job: view.job,
        is_queued: false,
    })
}

/// Returns the job at a sequence: by its headers while it is stored, otherwise by the id
/// it has if its producer gave it none.
async fn at(session: &Session, sequence: Sequence) -> Result<Place, Failure> {
    let request = requests::stream_info(STREAM_JOBS);
    let stream = tokio::select! {
        stream = session.jetstream.get_stream(STREAM_JOBS) => stream,
        () = session.connection.refused(&request) => {
            session.connection.take_violation();
            return request_from_dispatcher(session, sequence).await;
        }
    };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => return Err(session.diagnose(error.into(), STREAM_JOBS).await),
    };
    let created = wall(stream.cached_info().created.unix_timestamp_nanos());
    let Ok(message) = stream.get_raw_message(sequence.get()).await else {
        return Ok(Place {
            job: sequence.job_id(created),
            is_queued: false,
        });
    };
    let origin = Origin {
        sequence,
        stored: wall(message.time.unix_timestamp_nanos()),
        stream_created: created,
    };
    Ok(Place {
        job: origin.job_id(&job_headers(Some(&message.headers))),
        is_queued: true,
    })
}
