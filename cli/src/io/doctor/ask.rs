//! Requests that never wait long, never use a right that this login lacks, and know the
//! time that they took.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use async_nats::Request;
use async_nats::client::RequestErrorKind;
use rolecast_common::requests::PREFIX;
use rolecast_common::rights::Place;
use rolecast_common::time::{WallTime, format_duration};
use rolecast_nats::{Clock, Meaning, ServerError, Settings};
use serde_json::Value;

use super::super::session::Session;
use crate::doctor::facts::{Lead, Part};
use crate::style::one_line;

/// The most characters of a text of the server that are shown.
const TEXT_CHARS_MAX: usize = 200;

/// The reason why a request has no answer.
#[derive(Clone, Debug)]
pub(super) enum Unanswered {
    /// This login may not publish it.
    Denied,
    /// Nobody listens.
    Nobody,
    Silent(Duration),
    /// The server's error.
    Refused(ServerError),
    Other(String),
}

impl Unanswered {
    /// Returns the meaning of an error of JetStream.
    pub(super) fn meaning(&self) -> Option<Meaning> {
        match self {
            Unanswered::Refused(error) => Some(error.meaning()),
            Unanswered::Nobody => Some(Meaning::Unavailable),
            Unanswered::Denied | Unanswered::Silent(_) | Unanswered::Other(_) => None,
        }
    }

    /// Returns a part that is not known for this reason.
    pub(super) fn part<T>(&self) -> Part<T> {
        Part::Unknown(self.to_string())
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Denied => {
                f.write_str("this login lacks the right; ask with an operator's login")
            }
            Unanswered::Nobody => f.write_str("nobody answers"),
            Unanswered::Silent(limit) => {
                write!(f, "no answer within {}", format_duration(*limit))
            }
            Unanswered::Refused(error) => {
                let text = one_line(&error.description, TEXT_CHARS_MAX);
                write!(f, "{text} (code {})", error.err_code)
            }
            Unanswered::Other(text) => f.write_str(&one_line(text, TEXT_CHARS_MAX)),
        }
    }
}

/// An answer with the times of this machine around it.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) value: Value,
    sent: WallTime,
    received: WallTime,
}

impl Answered {
    /// Returns the lead of the clock that read this time when it answered.
    pub(super) fn lead_of(&self, time: &str) -> Option<Lead> {
        WallTime::parse(time).map(|time| lead(self.sent, self.received, time))
    }
}

/// Returns the lead of a clock that was read between two times of this machine.
pub(super) fn lead(sent: WallTime, received: WallTime, time: WallTime) -> Lead {
    let half = received.since(sent).as_millis() / 2;
    let half = u64::try_from(half).unwrap_or(u64::MAX);
    let middle = sent.as_millis().saturating_add(half);
    let signed = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
    Lead {
        millis: signed(time.as_millis()).saturating_sub(signed(middle)),
        unsure_millis: half,
    }
}

/// Sends requests.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    pub(super) session: &'a Session,
    /// The prefix of JetStream's API.
    pub(super) api: String,
    /// Subjects of an operator that this login may not publish to; without the server's
    /// report none, and then its refusals count.
    pub(super) lacking: BTreeSet<String>,
    clock: Clock,
}

impl<'a> Asker<'a> {
    pub(super) fn new(session: &'a Session, settings: &Settings) -> Self {
        let api = match (&settings.jetstream_api_prefix, &settings.jetstream_domain) {
            (Some(prefix), _) => prefix.clone(),
            (None, Some(domain)) => format!("$JS.{domain}.API"),
            (None, None) => PREFIX.to_owned(),
        };
        Self {
            session,
            api,
            lacking: BTreeSet::new(),
            clock: Clock::new(),
        }
    }

    /// Returns the prefixes of the requests and the inboxes of this connection.
    pub(super) fn place(&self) -> Place {
        let inbox = self.session.connection.client.new_inbox();
        let prefix = inbox.rsplit_once('.').map(|(prefix, _)| prefix);
        Place {
            api: self.api.clone(),
            inbox: prefix.unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn now(&self) -> WallTime {
        self.clock.now().wall
    }

    /// Returns why a request may not be sent, if so.
    pub(super) fn denial(&self, subject: &str) -> Option<Unanswered> {
        let is_denied = self.lacking.contains(subject);
        is_denied.then_some(Unanswered::Denied)
    }

    /// Returns the same for a request to JetStream.
    pub(super) fn store_denial(&self, request: &str) -> Option<Unanswered> {
        self.denial(&format!("{}.{request}", self.api))
    }

    /// Sends a request to JetStream's API.
    pub(super) async fn ask_store(
        &self,
        request: &str,
        body: &Value,
    ) -> Result<Answered, Unanswered> {
        let subject = format!("{}.{request}", self.api);
        let answered = self.ask(&subject, body.to_string()).await?;
        let error = &answered.value["error"];
        if error.is_null() {
            return Ok(answered);
        }
        let error = serde_json::from_value(error.clone());
        Err(match error {
            Ok(error) => Unanswered::Refused(error),
            Err(error) => Unanswered::Other(error.to_string()),
        })
    }

    /// Sends a request to the server itself.
    pub(super) async fn ask_server(&self, subject: &str) -> Result<Answered, Unanswered> {
        self.ask(subject, String::new()).await
    }

    async fn ask(&self, subject: &str, body: String) -> Result<Answered, Unanswered> {
        if let Some(denial) = self.denial(subject) {
            return Err(denial);
        }
        let connection = &self.session.connection;
        let limit = self.session.answer_max;
        let request = Request::new().payload(body.into()).timeout(Some(limit));
        let sent = self.now();
        let answer = tokio::select! {
            answer = connection.client.send_request(subject.to_owned(), request) => answer,
            () = connection.refused(subject) => {
                return Err(Unanswered::Denied);
            }
        };
        let received = self.now();
        let answer = answer.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => Unanswered::Nobody,
            RequestErrorKind::TimedOut => Unanswered::Silent(limit),
            RequestErrorKind::InvalidSubject
            | RequestErrorKind::MaxPayloadExceeded
            | RequestErrorKind::Other => Unanswered::Other(error.to_string()),
        })?;
        let value = serde_json::from_slice(&answer.payload);
        let value = value.map_err(|error| Unanswered::Other(error.to_string()))?;
        Ok(Answered {
            value,
            sent,
            received,
        })
    }
}
