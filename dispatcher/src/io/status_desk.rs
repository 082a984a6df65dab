//! Answers who asks for the status: many with one look at the machine and the streams.
//!
//! A look costs the loop some microseconds a node, and the server some requests. However
//! many ask, there are few looks.

use std::time::Duration;

use async_nats::Message;
use rolecast_common::wire::Status;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::{Streams, api};

/// From one look to the next: nobody sees the difference.
const INTERVAL: Duration = Duration::from_millis(100);
/// Requests that are answered by one look; more are refused.
const WAITING_MAX: usize = 64;

/// A question of the desk: what the machine knows at this moment.
pub(super) type Question = oneshot::Sender<Status>;

#[derive(Debug)]
pub(super) struct StatusDesk {
    requests: mpsc::Sender<Message>,
    questions: mpsc::Receiver<Question>,
}

impl StatusDesk {
    pub(super) fn start(streams: Streams) -> Self {
        let (requests, requests_in) = mpsc::channel(WAITING_MAX);
        let (questions_out, questions) = mpsc::channel(1);
        tokio::spawn(serve(streams, requests_in, questions_out));
        Self {
            requests,
            questions,
        }
    }

    /// Takes a request; returns whether it will be answered.
    pub(super) fn take(&self, request: Message) -> bool {
        self.requests.try_send(request).is_ok()
    }

    /// Waits until the desk wants to know.
    pub(super) async fn question(&mut self) -> Option<Question> {
        self.questions.recv().await
    }
}

async fn serve(
    streams: Streams,
    mut requests: mpsc::Receiver<Message>,
    questions: mpsc::Sender<Question>,
) {
    let mut next = Instant::now();
    loop {
        let mut waiting = Vec::new();
        // The other end is there for as long as the service is.
        let Some(first) = requests.recv().await else {
            return;
        };
        waiting.push(first);
        sleep_until(next).await;
        next = Instant::now() + INTERVAL;
        while let Ok(request) = requests.try_recv() {
            waiting.push(request);
        }
        let (question, answer) = oneshot::channel();
        if questions.send(question).await.is_err() {
            return;
        }
        let Ok(status) = answer.await else {
            return;
        };
        api::answer_status(&streams, status, waiting).await;
    }
}
