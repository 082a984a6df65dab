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
use rolecast_common::id::NodeId;
use rolecast_common::wire::{self, Encoding, NodeStatus, Status, StatusRequest};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::request::Request;
use super::{Streams, api};
use crate::paging::page;

/// The least time between two snapshots: nobody sees the difference.
const INTERVAL: Duration = Duration::from_millis(100);
/// Factor of the rest after a snapshot that takes the loop longer than a hundredth of the
/// interval: snapshots take a tenth of the loop's time at most.
const REST: u32 = 10;
/// Time for which a reader gets pages of the last snapshot: its figures are as old as those
/// that the reader already has.
const KEPT: Duration = Duration::from_secs(1);
/// Requests that are answered by one snapshot; more are refused.
const WAITING_MAX: usize = 64;
/// Nodes that the loop reports at once: some hundred microseconds.
pub(super) const NODES_MAX: usize = 250;
/// Pages of a snapshot that are kept for other requests for the same.
const PAGES_MAX: usize = 32;

/// A question of the desk about the scheduler's state at this moment. The answer includes
/// the time that it took.
pub(super) enum Question {
    Overview(oneshot::Sender<(Status, Duration)>),
    /// The nodes after this one, [`NODES_MAX`] at most.
    Nodes(Option<NodeId>, oneshot::Sender<(Vec<NodeStatus>, Duration)>),
}

#[derive(Debug)]
pub(super) struct StatusDesk {
    requests: mpsc::Sender<Request>,
    questions: mpsc::Receiver<Question>,
}

impl StatusDesk {
    pub(super) fn start(streams: Streams) -> Self {
        let (requests, requests_in) = mpsc::channel(WAITING_MAX);
        let (questions_out, questions) = mpsc::channel(1);
        let desk = Desk {
            streams,
            questions: questions_out,
            snapshot: None,
            waiting: Vec::new(),
            next: Instant::now(),
        };
        tokio::spawn(desk.serve(requests_in));
        Self {
            requests,
            questions,
        }
    }

    /// Accepts a request; returns whether it will be answered.
    pub(super) fn take(&self, request: Request) -> bool {
        self.requests.try_send(request).is_ok()
    }

    /// Waits for the next question of the desk.
    pub(super) async fn question(&mut self) -> Option<Question> {
        self.questions.recv().await
    }
}

struct Desk {
    streams: Streams,
    questions: mpsc::Sender<Question>,
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

/// The lead has ended.
struct Closed;

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

    async fn answer_waiting(&mut self) -> Result<(), Closed> {
        self.snapshot = Some(self.snapshot().await?);
        for (request, asked) in std::mem::take(&mut self.waiting) {
            self.answer(request, asked).await;
        }
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<Snapshot, Closed> {
        let begun = Instant::now();
        let (mut status, mut taken) = self.ask(Question::Overview).await?;
        loop {
            let after = status.nodes.last().map(|node| node.node.clone());
            let (nodes, took) = self.ask(|answer| Question::Nodes(after, answer)).await?;
            taken += took;
            let is_last = nodes.len() < NODES_MAX;
            status.nodes.extend(nodes);
            if is_last {
                break;
            }
        }
        self.next = begun + INTERVAL.max(taken * REST);
        api::add_stored(&self.streams, &mut status).await;
        Ok(Snapshot {
            status: Arc::new(status),
            pages: BTreeMap::new(),
            until: Instant::now() + KEPT,
        })
    }

    async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Result<T, Closed> {
        let (sender, answer) = oneshot::channel();
        let asked = self.questions.send(question(sender)).await;
        asked.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
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
