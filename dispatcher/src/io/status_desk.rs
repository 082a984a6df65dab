//! Answers to status requests: many from one snapshot of the scheduler and the streams.
//!
//! A snapshot costs the loop some microseconds a node, and the server some requests. So it is
//! taken in parts, between which the loop continues, and pages are cut from it for as
//! long as it is kept: a reader's next page does not cause another snapshot. Pages are cut on
//! another thread. However many requests there are, snapshots are few.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rolecast_common::wire::{self, DispatcherStatus, Encoding, NatsStatus, Status, StatusRequest};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::job_list::JobDesk;
use super::questions::{Asker, REST, Unanswered};
use super::request::Request;
use super::{Streams, api};
use crate::paging::page;

/// The least time between two snapshots: nobody sees the difference.
const INTERVAL: Duration = Duration::from_millis(100);
/// Time for which a reader gets pages of the last snapshot: its figures are as old as those
/// that the reader already has.
const KEPT: Duration = Duration::from_secs(1);
/// Requests that are answered by one snapshot; more are refused.
const WAITING_MAX: usize = 64;
/// Pages of a snapshot that are kept for other requests for the same.
const PAGES_MAX: usize = 32;

/// Parts of a status that the scheduler does not know.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) dispatchers: watch::Receiver<Vec<DispatcherStatus>>,
    pub(super) nats: watch::Receiver<Option<NatsStatus>>,
}

impl Surroundings {
    fn add_to(&self, status: &mut Status) {
        status.dispatchers.clone_from(&self.dispatchers.borrow());
        status.nats.clone_from(&self.nats.borrow());
    }
}

#[derive(Debug)]
pub(super) struct StatusDesk {
    requests: mpsc::Sender<Request>,
    jobs: JobDesk,
}

impl StatusDesk {
    pub(super) fn start(streams: Streams, asker: Asker, surroundings: Surroundings) -> Self {
        let (requests, requests_in) = mpsc::channel(WAITING_MAX);
        let jobs = JobDesk::start(streams.clone(), asker.clone());
        let desk = Desk {
            streams,
            surroundings,
            asker,
            snapshot: None,
            waiting: Vec::new(),
            next: Instant::now(),
        };
        tokio::spawn(desk.serve(requests_in));
        Self { requests, jobs }
    }

    /// Accepts a request; returns whether it will be answered.
    pub(super) fn take(&self, request: Request) -> bool {
        self.requests.try_send(request).is_ok()
    }

    /// Accepts a request for a list of jobs; returns whether it will be answered.
    pub(super) fn take_jobs(&self, request: Request) -> bool {
        self.jobs.take(request)
    }
}

struct Desk {
    streams: Streams,
    surroundings: Surroundings,
    asker: Asker,
    snapshot: Option<Snapshot>,
    /// Requests that the next snapshot answers.
    waiting: Vec<(Request, StatusRequest)>,
    /// The earliest time of the next snapshot.
    next: Instant,
}

/// The state at one moment.
struct Snapshot {
    status: Arc<Status>,
    /// Pages that were cut from it.
    pages: BTreeMap<(&'static str, StatusRequest), Bytes>,
    until: Instant,
}

impl Desk {
    /// Serves for as long as the lead lasts.
    async fn serve(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let has_room = self.waiting.len() < WAITING_MAX;
            let until = self.snapshot.as_ref().map(|snapshot| snapshot.until);
            tokio::select! {
                request = requests.recv(), if has_room => match request {
                    Some(request) => self.take(request).await,
                    None => return,
                },
                () = sleep_until(self.next), if !self.waiting.is_empty() => {
                    if self.answer_waiting().await.is_err() {
                        return;
                    }
                }
                () = sleep_until(until.unwrap_or(self.next)), if until.is_some() => {
                    self.snapshot = None;
                }
            }
        }
    }

    async fn take(&mut self, request: Request) {
        match api::requested_page(&request) {
            Err(why) => api::refuse(self.streams.clone(), why, request).await,
            Ok(asked) if asked.after.is_some() && self.snapshot.is_some() => {
                self.answer(request, asked).await;
            }
            Ok(asked) => self.waiting.push((request, asked)),
        }
    }

    async fn answer_waiting(&mut self) -> Result<(), Unanswered> {
        self.snapshot = Some(self.snapshot().await?);
        for (request, asked) in std::mem::take(&mut self.waiting) {
            self.answer(request, asked).await;
        }
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<Snapshot, Unanswered> {
        let begun = Instant::now();
        let (mut status, taken) = self.asker.status().await?;
        self.next = begun + INTERVAL.max(taken * REST);
        api::add_stored(&self.streams, &mut status).await;
        self.surroundings.add_to(&mut status);
        Ok(Snapshot {
            status: Arc::new(status),
            pages: BTreeMap::new(),
            until: Instant::now() + KEPT,
        })
    }

    /// Answers with a page of the last snapshot.
    async fn answer(&mut self, request: Request, asked: StatusRequest) {
        let Some(snapshot) = &mut self.snapshot else {
            return;
        };
        let client = self.streams.jetstream.client();
        let encoding = api::encoding(&request);
        let key = (encoding.content_type(), asked);
        if let Some(payload) = snapshot.pages.get(&key) {
            return api::send(&client, &request, encoding, payload.clone()).await;
        }
        let begun = Instant::now();
        let len_max = api::len_max(&client, encoding);
        let Some(payload) = cut(snapshot.status.clone(), key.1.clone(), encoding, len_max).await
        else {
            return;
        };
        if snapshot.pages.len() < PAGES_MAX {
            snapshot.pages.insert(key, payload.clone());
        }
        api::send(&client, &request, encoding, payload).await;
        // A reader that always requests other pages gets half of a processor at most.
        sleep(begun.elapsed()).await;
    }
}

/// Cuts a page beside the loop.
async fn cut(
    status: Arc<Status>,
    asked: StatusRequest,
    encoding: Encoding,
    len_max: usize,
) -> Option<Bytes> {
    let cutting = tokio::task::spawn_blocking(move || {
        let page = page(&status, &asked, encoding, len_max);
        Bytes::from(wire::encode(encoding, &page))
    });
    cutting.await.ok()
}
