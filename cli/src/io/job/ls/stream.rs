//! Messages of a stream one after the other, in both directions.

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{DirectGetErrorKind, Stream};
use rolecast_common::requests;

use super::super::super::session::Session;
use super::{BYTES_MAX, READS_MAX};

/// A position in a stream.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    session: &'a Session,
    stream: Stream,
    request: String,
    newest_first: bool,
    /// The ends of the stream when the walk began.
    first: u64,
    last: u64,
    /// The next place to read.
    at: u64,
    reads: u32,
    bytes: usize,
    pub(super) messages: u64,
    /// The reason why it ended early, and the place after which it may continue.
    pub(super) note: Option<String>,
    pub(super) resume: Option<u64>,
}

impl<'a> Walk<'a> {
    /// Begins after a place, or at an end; `None` if this login may not read the stream.
    pub(super) async fn begin(
        session: &'a Session,
        name: &str,
        newest_first: bool,
        after: Option<u64>,
    ) -> Option<Self> {
        let request = requests::stream_info(name);
        let stream = tokio::select! {
            stream = session.jetstream.get_stream(name) => stream.ok()?,
            () = session.connection.refused(&request) => {
                session.connection.take_violation();
                return None;
            }
        };
        let state = &stream.cached_info().state;
        let (first, last, messages) = (state.first_sequence, state.last_sequence, state.messages);
        let at = match (newest_first, after) {
            (true, Some(after)) => after.saturating_sub(1).min(last),
            (true, None) => last,
            (false, Some(after)) => after.saturating_add(1).max(first),
            (false, None) => first,
        };
        Some(Self {
            session,
            request: requests::direct_get(name),
            stream,
            newest_first,
            first,
            last,
            at,
            reads: 0,
            bytes: 0,
            messages,
            note: None,
            resume: None,
        })
    }

    pub(super) fn is_newest_first(&self) -> bool {
        self.newest_first
    }

    /// Returns the creation time of the stream, in nanoseconds.
    pub(super) fn created_nanos(&self) -> i128 {
        self.stream.cached_info().created.unix_timestamp_nanos()
    }

    /// Returns the next place, if there is one.
    pub(super) fn place(&self) -> Option<u64> {
        let is_inside = self.at >= self.first.max(1) && self.at <= self.last;
        (is_inside && self.note.is_none()).then_some(self.at)
    }

    /// Passes a place whose content is known.
    pub(super) fn pass(&mut self, place: u64) {
        self.at = match self.newest_first {
            true => place.saturating_sub(1),
            false => place.saturating_add(1),
        };
    }

    /// Reads the message at the next place, or at the first one behind it that has one.
    /// Its place stays the next one.
    pub(super) async fn read(&mut self) -> Option<StreamMessage> {
        while let Some(at) = self.place() {
            if self.reads >= READS_MAX || self.bytes >= BYTES_MAX {
                let read = self.reads;
                self.note = Some(format!(
                    "{read} places of the stream were read, which is the most for one list"
                ));
                self.resume = Some(match self.newest_first {
                    true => at.saturating_add(1),
                    false => at.saturating_sub(1),
                });
                return None;
            }
            self.reads += 1;
            let message = async {
                match self.newest_first {
                    true => self
                        .stream
                        .direct_get(at)
                        .await
                        .map_err(|error| error.kind()),
                    false => {
                        let next = self.stream.direct_get_next_for_subject(">", Some(at)).await;
                        next.map_err(|error| error.kind())
                    }
                }
            };
            let message = tokio::select! {
                message = message => message,
                () = self.session.connection.refused(&self.request) => {
                    self.session.connection.take_violation();
                    self.note = Some("this login may not read the stream".to_owned());
                    return None;
                }
            };
            match message {
                Ok(message) => {
                    self.at = message.sequence;
                    self.bytes += message.payload.len();
                    return Some(message);
                }
                Err(DirectGetErrorKind::NotFound) if self.newest_first => self.pass(at),
                Err(DirectGetErrorKind::NotFound) => {
                    self.at = self.last.saturating_add(1);
                    return None;
                }
                Err(error) => {
                    self.note = Some(format!("the stream cannot be read on: {error}"));
                    return None;
                }
            }
        }
        None
    }
}
