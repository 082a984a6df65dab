//! Answers to requests for lists of jobs.
//!
//! A page costs the loop a look at each job that is held. So pages are made one after the
//! other, and after each the desk rests for ten times as long as it took the loop: it
//! takes a tenth of the loop's time at most. Pages are encoded on another thread.

use rolecast_common::wire::JobsRequest;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::questions::{Asker, Question, REST};
use super::request::Request;
use super::{Streams, api};
use crate::shortening::shorten_jobs;

/// Requests that wait; more are refused.
const WAITING_MAX: usize = 64;
const PAGE_EXAMPLE: &str = r#"{"v": 1, "states": ["waiting"], "limit": 100}"#;

#[derive(Debug)]
pub(super) struct JobDesk(mpsc::Sender<Request>);

impl JobDesk {
    pub(super) fn start(streams: Streams, asker: Asker) -> Self {
        let (requests, requests_in) = mpsc::channel(WAITING_MAX);
        tokio::spawn(serve(streams, asker, requests_in));
        Self(requests)
    }

    /// Accepts a request; returns whether it will be answered.
    pub(super) fn take(&self, request: Request) -> bool {
        self.0.try_send(request).is_ok()
    }
}

/// Serves for as long as the lead lasts.
async fn serve(streams: Streams, asker: Asker, mut requests: mpsc::Receiver<Request>) {
    while let Some(request) = requests.recv().await {
        let asked = match requested(&request) {
            Ok(asked) => asked,
            Err(why) => {
                api::refuse(streams.clone(), why, request).await;
                continue;
            }
        };
        let answer = asker.ask(|answer| Question::Jobs(asked, answer)).await;
        let Ok((list, took)) = answer else {
            return;
        };
        api::answer_large(streams.clone(), list, shorten_jobs, request).await;
        sleep(took * REST).await;
    }
}

fn requested(request: &Request) -> Result<JobsRequest, String> {
    if request.payload.is_empty() {
        return Ok(JobsRequest::first());
    }
    api::body(request).map_err(|error| {
        format!("{error}; request jobs without a body, or with one such as {PAGE_EXAMPLE}")
    })
}
