//! `rolecast explain`: reasons for the node of a job that was placed, or would be.

use anyhow::Context as _;
use async_nats::HeaderMap;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bytes::Bytes;
use rolecast_common::id::{Category, JobId, JobName};
use rolecast_common::options::{self, HEADER_KEY, HEADER_REQUIRE};
use rolecast_common::requests;
use rolecast_common::subjects::{self, STREAM_DECISIONS};
use rolecast_common::wire::{self, Decision, Encoding, JobState};
use rolecast_nats::job_headers;

use super::failure::Failure;
use super::job::{queued, resolve};
use super::session::{Session, no_dispatcher};
use super::status;
use super::terminal::Terminal;
use crate::args::explain::Explain;
use crate::exit::Exit;
use crate::style::{Tone, one_line};
use crate::view::explain::{other_requirements, page};

pub(crate) async fn run(
    session: &Session,
    explain: &Explain,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let decision = match (&explain.job, &explain.dry_run) {
        (Some(job), _) => recorded(session, job).await?,
        (None, Some(category)) => decided_now(session, category, explain).await?,
        (None, None) => return Err(Failure::new(Exit::Usage, "give a job, or use --dry-run")),
    };
    if terminal.json {
        terminal.print_document(&decision)?;
    } else {
        terminal.print(&page(&decision, terminal.palette))?;
    }
    // The decision is valid without it, and older dispatchers do not send it.
    if explain.dry_run.is_some()
        && let Ok(Some(status)) = status::request_categories(session).await
        && let Some(note) = other_requirements(&decision, &status)
    {
        terminal.note(&terminal.notes.paint(Tone::Warning, &note));
    }
    Ok(Exit::Fine)
}

/// Reads the record of the decision when the job was sent, or had to wait.
async fn recorded(session: &Session, name: &JobName) -> Result<Decision, Failure> {
    let job = resolve(session, name).await?;
    recorded_of(session, &job).await
}

/// As [`recorded`], of a job with a known id.
pub(super) async fn recorded_of(session: &Session, job: &JobId) -> Result<Decision, Failure> {
    match find(session, job).await? {
        Some(decision) => Ok(decision),
        None => Err(not_recorded(session, job).await?),
    }
}

/// Returns why there is no record, as far as is known.
async fn not_recorded(session: &Session, job: &JobId) -> Result<Failure, Failure> {
    let view = session.view(job).await?.ok_or_else(no_dispatcher)?;
    let text = match view.state {
        JobState::Unknown => match queued(session, job).await {
            Some(place) => format!("no decision about job {job} is recorded yet: {place}"),
            None => {
                let text = format!("job {job} is not known, and no decision about it is recorded");
                return Ok(Failure::new(Exit::NoSuchJob, text));
            }
        },
        JobState::Waiting | JobState::Delayed => format!(
            "no decision about job {job} is recorded yet; it is {}: {}",
            view.state.as_str(),
            one_line(&view.reason, 300),
        ),
        JobState::Running
        | JobState::Completed
        | JobState::Dead
        | JobState::Expired
        | JobState::Cancelled => format!(
            "no decision about job {job} is recorded: there were too many in that second, it is \
             older than a day, or the job was never sent; rolecast explain --dry-run CATEGORY \
             shows where one would be placed now"
        ),
    };
    Ok(Failure::new(Exit::Failed, text))
}

async fn find(session: &Session, job: &JobId) -> Result<Option<Decision>, Failure> {
    let stream = session
        .jetstream
        .get_stream_no_info(STREAM_DECISIONS)
        .await?;
    let subject = subjects::decision_any(job);
    let request = requests::message_get(STREAM_DECISIONS);
    let found = tokio::select! {
        found = stream.get_last_raw_message_by_subject(&subject) => found,
        () = session.connection.refused(&request) => {
            session.connection.take_violation();
            return request_from_dispatcher(session, job).await;
        }
    };
    let message = match found {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(None),
        Err(error) => return Err(session.diagnose(error.into(), STREAM_DECISIONS).await),
    };
    let decision = wire::decode(Encoding::MessagePack, &message.payload)
        .with_context(|| format!("cannot read the decision about job {job}"))?;
    Ok(Some(decision))
}

/// Asks the dispatcher, as a login without access to the stream must.
async fn request_from_dispatcher(
    session: &Session,
    job: &JobId,
) -> Result<Option<Decision>, Failure> {
    let body = Bytes::copy_from_slice(job.as_str().as_bytes());
    let decision: Result<Option<Decision>, Failure> =
        session.request(subjects::API_DECISION, body).await;
    match decision {
        Ok(Some(decision)) => Ok(Some(decision)),
        Ok(None) => Err(no_dispatcher()),
        Err(failure) if failure.exit == Exit::NoSuchJob => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn decided_now(
    session: &Session,
    category: &Category,
    explain: &Explain,
) -> Result<Decision, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (HEADER_REQUIRE, &explain.require),
        (HEADER_KEY, &explain.key),
    ] {
        if let Some(value) = value {
            headers.insert(name, value.as_str());
        }
    }
    // A mistake is reported at once, as a fault of the command line.
    options::parse_wishes(&job_headers(Some(&headers)))
        .map_err(|error| Failure::usage(error.into()))?;
    let body = Bytes::copy_from_slice(category.as_str().as_bytes());
    let decision = session.request_with(subjects::API_EXPLAIN, headers, body);
    decision.await?.ok_or_else(no_dispatcher)
}
