//! HTTP of the worker: probes and metrics.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use rolecast_common::id::NodeId;
use rolecast_http::metrics::connection::Connection;
use rolecast_http::metrics::process::Process;
use rolecast_nats::Link;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::agent::AgentFigures;
use crate::metrics::{Figures, Tally, expose};

/// Time in which the loop must answer: many of its turns.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A question to the loop for its figures.
pub(super) type Question = oneshot::Sender<(AgentFigures, Tally)>;

/// The worker for readers on the thread of HTTP.
#[derive(Clone, Debug)]
pub(super) struct Observer {
    node: NodeId,
    questions: mpsc::Sender<Question>,
    /// The connection; `None` before the first one.
    link: watch::Receiver<Option<watch::Receiver<Link>>>,
}

/// The ends of the loop.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) questions: mpsc::Receiver<Question>,
    link: watch::Sender<Option<watch::Receiver<Link>>>,
}

impl Observed {
    /// Shows the connection, from which on the loop answers.
    pub(super) fn connect(&self, link: watch::Receiver<Link>) {
        self.link.send_replace(Some(link));
    }
}

/// Returns the ends of the readers and of the loop.
pub(super) fn observe(node: &NodeId) -> (Observer, Observed) {
    let (questions, questions_in) = mpsc::channel(1);
    let (connected, link) = watch::channel(None);
    let observer = Observer {
        node: node.clone(),
        questions,
        link,
    };
    let observed = Observed {
        questions: questions_in,
        link: connected,
    };
    (observer, observed)
}

/// Returns all pages.
pub(super) fn routes(observer: Observer) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(observer)
}

async fn healthz(State(observer): State<Observer>) -> Response {
    match observer.figures().await {
        Ok(_) => "ok\n".into_response(),
        Err(Unanswered) => (StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER).into_response(),
    }
}

async fn readyz(State(observer): State<Observer>) -> Response {
    let why = match observer.figures().await {
        Ok(figures) if figures.is_ready => return "ready: takes jobs\n".into_response(),
        Ok(figures) if figures.connection.made == 0 => "no connection to NATS yet; see its log\n",
        Ok(figures) if !figures.connection.is_up => {
            "it lost the connection to NATS and tries again\n"
        }
        Ok(_) => "it takes no jobs: no dispatcher has admitted it yet, or it drains\n",
        Err(Unanswered) => NO_ANSWER,
    };
    let text = format!("not ready: {why}");
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(observer): State<Observer>, headers: HeaderMap) -> Response {
    match observer.figures().await {
        Ok(figures) => expose(figures, Process::read()).answer(&headers),
        Err(Unanswered) => (StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER).into_response(),
    }
}

const NO_ANSWER: &str = "its loop does not answer within 5s; its log shows the last thing that it \
    did\n";

/// The loop does not answer.
struct Unanswered;

impl Observer {
    async fn figures(&self) -> Result<Figures, Unanswered> {
        let link = self.link.borrow().clone();
        let link = link.map(|link| *link.borrow()).unwrap_or_default();
        let served = match link.number {
            0 => None,
            _ => Some(self.ask().await?),
        };
        let serves = served.as_ref().is_some_and(|(agent, _)| agent.serves);
        Ok(Figures {
            node: self.node.clone(),
            connection: Connection {
                is_up: link.is_up,
                made: link.number,
            },
            is_ready: link.is_up && serves,
            served,
        })
    }

    async fn ask(&self) -> Result<(AgentFigures, Tally), Unanswered> {
        let asked = async {
            let (question, answer) = oneshot::channel();
            self.questions.send(question).await.ok()?;
            answer.await.ok()
        };
        let answered = timeout(ANSWER_LIMIT, asked).await;
        answered.ok().flatten().ok_or(Unanswered)
    }
}
