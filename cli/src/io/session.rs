//! Connection to NATS, and the requests that all commands make over it.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_nats::client::RequestErrorKind;
use async_nats::jetstream::stream::{DirectGetErrorKind, RawMessageErrorKind};
use async_nats::{HeaderMap, Request};
use bytes::Bytes;
use rolecast_common::id::JobId;
use rolecast_common::requests;
use rolecast_common::subjects::{self, STREAM_JOBS, STREAM_RESULTS};
use rolecast_common::time::format_duration;
use rolecast_common::wire::{
    self, ERROR_MISSING, Encoding, HEADER_CONTENT_TYPE, HEADER_ERROR, HEADER_ERROR_CODE, JobView,
    Message, Record,
};
use rolecast_nats::{
    Connection, Meaning, Settings, check_jetstream, connect, connect_once, explain, meaning_of,
    nats_settings,
};

use super::failure::Failure;
use crate::args::Global;
use crate::exit::Exit;
use crate::style::one_line;

/// Time limit of an answer without `--timeout`: a healthy one takes milliseconds, an
/// election of a new stream leader a few seconds.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// State of a job in the stream of records.
#[derive(Debug)]
pub(crate) enum Stored {
    Record(Box<Record>),
    Nothing,
    /// This login may not read it.
    Denied(Failure),
}

/// A connection with its time limits.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) jetstream: async_nats::jetstream::Context,
    /// The user of the login, if it has one.
    pub(crate) user: Option<String>,
    /// The time limit of one answer.
    pub(crate) answer_max: Duration,
    /// The value of `--timeout`, for operations that take longer than an answer.
    pub(crate) limit: Option<Duration>,
}

impl Session {
    /// Connects at the first try, or within `--timeout` if that is given.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        let settings =
            nats_settings(global.nats.settings(), Settings::default()).map_err(Failure::usage)?;
        let connection = match global.timeout {
            Some(limit) => connect(&settings, "rolecast", limit).await,
            None => connect_once(&settings, "rolecast").await,
        };
        let connection = connection.map_err(Failure::unreachable)?;
        Ok(Self::new(connection, &settings, global.timeout))
    }

    pub(crate) fn new(
        connection: Connection,
        settings: &Settings,
        timeout: Option<Duration>,
    ) -> Self {
        let answer_max = timeout.unwrap_or(ANSWER_MAX);
        let mut jetstream = connection.jetstream(settings);
        jetstream.set_timeout(answer_max);
        Self {
            connection,
            jetstream,
            user: settings.user.clone(),
            answer_max,
            limit: timeout,
        }
    }

    /// Asks the dispatcher; `None` if there is none.
    pub(crate) async fn request<M: Message>(
        &self,
        subject: &'static str,
        body: Bytes,
    ) -> Result<Option<M>, Failure> {
        self.request_with(subject, HeaderMap::new(), body).await
    }

    /// As [`Session::request`], with headers that belong to the request.
    pub(crate) async fn request_with<M: Message>(
        &self,
        subject: &'static str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Option<M>, Failure> {
        self.request_within(self.answer_max, subject, headers, body)
            .await
    }

    /// As [`Session::request_with`], with this time limit for the answer.
    pub(crate) async fn request_within<M: Message>(
        &self,
        limit: Duration,
        subject: &'static str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Option<M>, Failure> {
        headers.insert(HEADER_CONTENT_TYPE, Encoding::MessagePack.content_type());
        let request = Request::new()
            .payload(body)
            .headers(headers)
            .timeout(Some(limit));
        let asked = tokio::select! {
            asked = self.connection.client.send_request(subject, request) => asked,
            () = self.connection.refused(subject) => Err(RequestErrorKind::Other.into()),
        };
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) if error.kind() == RequestErrorKind::NoResponders => return Ok(None),
            Err(error) if error.kind() == RequestErrorKind::TimedOut => {
                let limit = format_duration(limit);
                let error = anyhow!("the dispatcher did not answer on {subject} within {limit}");
                return Err(Failure::unreachable(explain(&self.connection, error)));
            }
            Err(error) => {
                let error = explain(&self.connection, error.into());
                return Err(Failure::unreachable(error));
            }
        };
        let error = answer.headers.as_ref().and_then(|h| h.get(HEADER_ERROR));
        if let Some(why) = error {
            let headers = answer.headers.as_ref();
            let code = headers.and_then(|headers| headers.get(HEADER_ERROR_CODE));
            let exit = match code.map(|code| code.as_str()) {
                Some(ERROR_MISSING) => Exit::NoSuchJob,
                Some(_) | None => Exit::Failed,
            };
            return Err(Failure::new(exit, one_line(why.as_str(), 500)));
        }
        let message = wire::decode(encoding_of(answer.headers.as_ref()), &answer.payload)
            .with_context(|| format!("cannot read the dispatcher's answer on {subject}"))?;
        Ok(Some(message))
    }

    /// Asks the dispatcher for the state of a job; `None` if there is no dispatcher.
    pub(crate) async fn view(&self, job: &JobId) -> Result<Option<JobView>, Failure> {
        let body = Bytes::copy_from_slice(job.as_str().as_bytes());
        self.request(subjects::API_JOB, body).await
    }

    /// Returns the recorded outcome of a job, if it has one.
    pub(crate) async fn record(&self, job: &JobId) -> Result<Option<Record>, Failure> {
        match self.stored(job).await? {
            Stored::Record(record) => Ok(Some(*record)),
            Stored::Nothing => Ok(None),
            Stored::Denied(failure) => Err(failure),
        }
    }

    /// Reads the recorded outcome of a job, as far as this login may.
    pub(crate) async fn stored(&self, job: &JobId) -> Result<Stored, Failure> {
        let stream = self.jetstream.get_stream_no_info(STREAM_RESULTS).await?;
        let subject = subjects::result(job);
        let request = requests::direct_get_last(STREAM_RESULTS, &subject);
        let found = tokio::select! {
            found = stream.direct_get_last_for_subject(subject) => found,
            () = self.connection.refused(&request) => Err(DirectGetErrorKind::Other.into()),
        };
        let message = match found {
            Ok(message) => message,
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                return Ok(Stored::Nothing);
            }
            Err(error) => {
                let error = error.into();
                return match self.denial(&error) {
                    Some(failure) => Ok(Stored::Denied(failure)),
                    None => Err(self.diagnose(error, STREAM_RESULTS).await),
                };
            }
        };
        let record = wire::decode(encoding_of(Some(&message.headers)), &message.payload)
            .with_context(|| format!("cannot read the record of job {job}"))?;
        Ok(Stored::Record(Box::new(record)))
    }

    /// Returns whether the job at this sequence is still in the queue, as far as the
    /// server answers; `None` if this login may not read it.
    pub(crate) async fn is_queued(&self, sequence: u64) -> Option<bool> {
        let stream = self.jetstream.get_stream_no_info(STREAM_JOBS).await.ok()?;
        match stream.get_raw_message(sequence).await {
            Ok(_) => Some(true),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Some(false),
            Err(_) if self.connection.take_violation().is_some() => None,
            Err(_) => Some(true),
        }
    }

    /// Finds out why a request to a stream failed, and returns the failure with its
    /// remedy.
    pub(crate) async fn diagnose(&self, error: anyhow::Error, stream: &str) -> Failure {
        if let Some(failure) = self.denial(&error) {
            return failure;
        }
        if let Err(reason) = check_jetstream(&self.connection).await {
            return Failure::unreachable(reason);
        }
        if self.is_missing(stream).await {
            return no_stream(stream);
        }
        error.context(format!("stream {stream}")).into()
    }

    /// Returns the failure of a request that lacked a permission, if it did.
    pub(crate) fn denial(&self, error: &anyhow::Error) -> Option<Failure> {
        let text = self.connection.take_violation()?;
        let reason = anyhow!("this login lacks a permission: {text}");
        Some(reason.context(format!("{error:#}")).into())
    }

    /// Returns whether the server reports that there is no such stream.
    pub(crate) async fn is_missing(&self, stream: &str) -> bool {
        self.missing(stream).await == Some(true)
    }

    /// Returns the same; `None` if this login may not read it, which is not the cause of
    /// the failure.
    pub(crate) async fn missing(&self, stream: &str) -> Option<bool> {
        let request = requests::stream_info(stream);
        let found = tokio::select! {
            found = self.jetstream.get_stream(stream) => found,
            () = self.connection.refused(&request) => {
                self.connection.take_violation();
                return None;
            }
        };
        Some(found.is_err_and(|error| meaning_of(&error) == Some(Meaning::StreamMissing)))
    }
}

/// Returns the failure that the dispatcher has never run here.
pub(crate) fn no_stream(stream: &str) -> Failure {
    Failure::unreachable(anyhow!(
        "this NATS server has no stream {stream}: no dispatcher has set it up yet; \
         start rolecast-dispatcher, or check which server and account you use"
    ))
}

/// Returns the failure that nothing stores jobs there, for a login that may not check
/// further.
pub(crate) fn nothing_stores(subject: &str) -> Failure {
    Failure::unreachable(anyhow!(
        "nothing stores {subject} here: no dispatcher has set the stream {STREAM_JOBS} up yet, or \
         its servers are away; start rolecast-dispatcher, check which server and account you use, \
         and submit the job again"
    ))
}

/// Returns the failure that nobody answers the API.
pub(crate) fn no_dispatcher() -> Failure {
    Failure::unreachable(anyhow!(
        "no dispatcher answers on this NATS server; start rolecast-dispatcher, \
         or check which server and account you use"
    ))
}

fn encoding_of(headers: Option<&HeaderMap>) -> Encoding {
    let value = headers.and_then(|headers| headers.get(HEADER_CONTENT_TYPE));
    Encoding::of(value.map(|value| value.as_str()))
}
