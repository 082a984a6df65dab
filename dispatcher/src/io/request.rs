//! Requests to endpoints, and the figures about them that `$SRV.STATS` shows.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Message;
use async_nats::service::error::Error;
use tokio::time::Instant;

use super::endpoints::Endpoint;

/// Characters of an error that are kept.
const ERROR_CHARS_MAX: usize = 200;

/// A request that was accepted, and is counted when it is answered.
#[derive(Debug)]
pub(super) struct Request {
    message: Message,
    endpoint: Endpoint,
    since: Instant,
    tallies: Tallies,
}

impl Request {
    /// Counts it as answered.
    pub(super) fn count(&self) {
        self.count_with(None);
    }

    /// Counts it as answered by an error, with this code and this reason.
    pub(super) fn count_error(&self, code: &str, why: &str) {
        self.count_with(Some(Error {
            status: why.chars().take(ERROR_CHARS_MAX).collect(),
            code: code.parse().unwrap_or(0),
        }));
    }

    fn count_with(&self, error: Option<Error>) {
        let took = self.since.elapsed();
        self.tallies
            .with(self.endpoint, |tally| tally.count(took, error));
    }
}

impl Deref for Request {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

/// Figures about the requests to one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Requests that were answered, those with an error included.
    pub(super) answered: usize,
    pub(super) failed: usize,
    /// Requests that got no answer: too many, or with a reply subject that is no inbox.
    pub(super) refused: usize,
    pub(super) last_error: Option<Error>,
    pub(super) time: Duration,
    pub(super) longest: Duration,
}

impl Tally {
    fn count(&mut self, took: Duration, error: Option<Error>) {
        self.answered += 1;
        self.time += took;
        self.longest = self.longest.max(took);
        if error.is_some() {
            self.failed += 1;
            self.last_error = error;
        }
    }
}

/// The figures of all endpoints; copies share them, because answers are sent by tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies(Arc<Mutex<[Tally; Endpoint::ALL.len()]>>);

impl Tallies {
    pub(super) fn accept(&self, endpoint: Endpoint, message: Message) -> Request {
        Request {
            message,
            endpoint,
            since: Instant::now(),
            tallies: self.clone(),
        }
    }

    pub(super) fn refuse(&self, endpoint: Endpoint) {
        self.with(endpoint, |tally| tally.refused += 1);
    }

    pub(super) fn of(&self, endpoint: Endpoint) -> Tally {
        self.with(endpoint, |tally| tally.clone())
    }

    fn with<T>(&self, endpoint: Endpoint, read: impl FnOnce(&mut Tally) -> T) -> T {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(&mut tallies[endpoint as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            subject: "rolecast.api.status".into(),
            reply: None,
            payload: Vec::new().into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    #[tokio::test]
    async fn an_error_is_counted_as_an_answer_too_and_kept_in_part() {
        let tallies = Tallies::default();
        tallies.accept(Endpoint::Status, message()).count();
        let failed = tallies.accept(Endpoint::Status, message());
        failed.count_error("400", &"x".repeat(1000));
        let tally = tallies.of(Endpoint::Status);
        assert_eq!((tally.answered, tally.failed), (2, 1));
        assert!(tally.longest <= tally.time);
        let error = tally.last_error.unwrap();
        assert_eq!((error.code, error.status.len()), (400, ERROR_CHARS_MAX));
    }

    #[test]
    fn each_endpoint_has_figures_of_its_own() {
        let tallies = Tallies::default();
        for endpoint in Endpoint::ALL {
            tallies.refuse(endpoint);
            assert_eq!(tallies.of(endpoint).refused, 1);
        }
    }
}
