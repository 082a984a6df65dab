//! Carries out the requests of the view, each in a task of its own.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use rolecast_common::id::{JobId, Sequence};
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, JobsRequest, Message, StatusCursor, StatusRequest};
use tokio::sync::mpsc::Sender;

use super::super::explain;
use super::super::failure::Failure;
use super::super::session::{Session, no_dispatcher};
use super::decisions;
use super::keys::Input;
use crate::top::picture::{Answer, JobAnswer};
use crate::top::{Event, JobsOf, Request};

/// Jobs of a page; the view asks for further pages while the reader reads on.
const JOBS_MAX: u32 = 200;

/// Starts a request; its answer is an input.
pub(super) fn ask(session: &Arc<Session>, request: Request, inputs: &Sender<Input>) {
    let (session, inputs) = (Arc::clone(session), inputs.clone());
    tokio::spawn(async move {
        let answer = match &request {
            Request::Page(after) => page(&session, after.clone()).await,
            Request::Capacity => of(&session, subjects::API_CAPACITY, Bytes::new())
                .await
                .map(Answer::Capacity),
            Request::Roles => of(&session, subjects::API_ROLES, Bytes::new())
                .await
                .map(|roles| Answer::Roles(Box::new(roles))),
            Request::Forecast(node) => {
                let body = Bytes::copy_from_slice(node.as_str().as_bytes());
                of(&session, subjects::API_FORECAST, body)
                    .await
                    .map(Answer::Forecast)
            }
            Request::Jobs(jobs_of, after) => jobs(&session, jobs_of, *after).await,
            Request::Job(job) => Ok(job_answer(&session, job).await),
            Request::Follow => Err(decisions::follow(&session, &inputs).await),
        };
        let event = match answer {
            Ok(answer) => Event::Answered(request, answer),
            Err(failure) => Event::Failed(request, failure.text()),
        };
        // Nobody waits for it when the view has ended.
        let _ = inputs.send(Input::Event(Box::new(event))).await;
    });
}

async fn of<M: Message>(
    session: &Session,
    subject: &'static str,
    body: Bytes,
) -> Result<M, Failure> {
    session
        .request(subject, body)
        .await?
        .ok_or_else(no_dispatcher)
}

/// Asks for jobs that have not ended, in the order of the queue.
pub(super) async fn jobs(
    session: &Session,
    jobs_of: &JobsOf,
    after: Option<Sequence>,
) -> Result<Answer, Failure> {
    let request = JobsRequest {
        after,
        limit: NonZeroU32::new(JOBS_MAX),
        node: jobs_of.node.clone(),
        category: jobs_of.category.clone(),
        ..JobsRequest::first()
    };
    let body = wire::encode(Encoding::MessagePack, &request).into();
    let list = of(session, subjects::API_JOBS, body).await?;
    Ok(Answer::Jobs(jobs_of.clone(), after, list))
}

async fn page(session: &Session, after: Option<StatusCursor>) -> Result<Answer, Failure> {
    let body = match after {
        // Older dispatchers answer with all at once, and ignore the body.
        None => Bytes::new(),
        Some(after) => {
            let request = StatusRequest {
                after: Some(after),
                ..StatusRequest::first()
            };
            wire::encode(Encoding::MessagePack, &request).into()
        }
    };
    let page = of(session, subjects::API_STATUS, body).await?;
    Ok(Answer::Page(Box::new(page)))
}

/// Asks for the state of a job and for the decision about it; either may be missing.
async fn job_answer(session: &Session, job: &JobId) -> Answer {
    let view = match session.view(job).await {
        Ok(Some(view)) => Ok(view),
        Ok(None) => Err(no_dispatcher().text()),
        Err(failure) => Err(failure.text()),
    };
    let decision = explain::recorded_of(session, job).await;
    Answer::Job(Box::new(JobAnswer {
        job: job.clone(),
        view,
        decision: decision.map_err(|failure| failure.text()),
    }))
}
