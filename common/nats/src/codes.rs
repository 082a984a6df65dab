//! Meaning of the server's error codes: one table for all programs.
//!
//! JetStream answers with a status like HTTP's and a code of its own. The same event has
//! several codes: a guarded publish that loses gets 10071, and on a stream with replicas
//! 10164 while the first publish is still in progress.

use std::error::Error;

use async_nats::client::RequestErrorKind;
use async_nats::jetstream;
use async_nats::jetstream::context::{
    CreateStreamErrorKind, GetStreamErrorKind, PublishError, PublishErrorKind, RequestError,
};
use async_nats::jetstream::stream::{ConsumerErrorKind, LastRawMessageErrorKind, PurgeErrorKind};
use serde::Deserialize;

/// Meaning of an error of JetStream for the program that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The guard of a write does not hold: another one is stored, for certain.
    Conflict,
    /// Another write to the same subject or of the same id is in progress and may still
    /// be dropped: ask again soon to learn which one is stored.
    InFlight,
    /// The stream has reached its own limit.
    StreamFull,
    /// The account or the server has no storage or memory for it.
    NoResources,
    /// The account may have no more streams or consumers.
    LimitReached,
    /// No leader, no quorum, or too busy at the moment: it passes by itself.
    Unavailable,
    /// There is no such stream or bucket.
    StreamMissing,
    /// There is no such consumer.
    ConsumerMissing,
    /// There is no such message or key.
    MessageMissing,
    /// Something with this name exists and is different.
    NameTaken,
    /// JetStream is off for the server or the account.
    NotEnabled,
    /// The message is above a limit of size.
    TooLarge,
    /// Any other error: asking again gets the same answer.
    Refused,
}

/// An error as JetStream writes it into its answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerError {
    /// A status like HTTP's, such as 400.
    #[serde(default)]
    pub code: u64,
    /// The server's own code, such as 10071.
    #[serde(default)]
    pub err_code: u64,
    /// The server's text.
    #[serde(default)]
    pub description: String,
}

impl ServerError {
    /// Returns its meaning.
    pub fn meaning(&self) -> Meaning {
        meaning(self.code, self.err_code, &self.description)
    }
}

impl From<&jetstream::Error> for ServerError {
    fn from(error: &jetstream::Error) -> Self {
        // The library does not expose the description; it prints it first.
        Self {
            code: u64::try_from(error.code()).unwrap_or(u64::MAX),
            err_code: error.error_code().0,
            description: error.to_string(),
        }
    }
}

impl Meaning {
    /// Returns whether the same request can succeed a little later by itself.
    pub fn is_passing(self) -> bool {
        match self {
            Meaning::InFlight | Meaning::Unavailable => true,
            Meaning::Conflict
            | Meaning::StreamFull
            | Meaning::NoResources
            | Meaning::LimitReached
            | Meaning::StreamMissing
            | Meaning::ConsumerMissing
            | Meaning::MessageMissing
            | Meaning::NameTaken
            | Meaning::NotEnabled
            | Meaning::TooLarge
            | Meaning::Refused => false,
        }
    }

    /// Returns whether there was no room to store a message.
    pub fn is_out_of_room(self) -> bool {
        match self {
            Meaning::StreamFull | Meaning::NoResources => true,
            Meaning::Conflict
            | Meaning::InFlight
            | Meaning::LimitReached
            | Meaning::Unavailable
            | Meaning::StreamMissing
            | Meaning::ConsumerMissing
            | Meaning::MessageMissing
            | Meaning::NameTaken
            | Meaning::NotEnabled
            | Meaning::TooLarge
            | Meaning::Refused => false,
        }
    }
}

/// Reads a code of nats-server 2.12 to 2.15; `status` decides on an unknown one.
fn meaning(status: u64, code: u64, description: &str) -> Meaning {
    match code {
        // Wrong last message id, wrong last sequence.
        10_070 | 10_071 => Meaning::Conflict,
        // A message id in flight, an expected sequence that cannot be checked yet,
        // another guarded write of the subject in flight.
        10_158 | 10_163 | 10_164 => Meaning::InFlight,
        10_077 => store_failed(description),
        // Of the account, of the server, memory, storage, the account's largest stream.
        10_002 | 10_023 | 10_028 | 10_047 | 10_122 => Meaning::NoResources,
        // Consumers, streams.
        10_026 | 10_027 => Meaning::LimitReached,
        // No servers for a new stream: too small, or too few are up.
        10_005 if description.contains("insufficient") => Meaning::NoResources,
        // Incomplete, no peers, not clustered yet, not assigned, no leader of the
        // cluster, not the leader, raft, peers being moved, stream or consumer
        // offline, too many requests, members changing.
        10_004 | 10_005 | 10_006 | 10_007 | 10_008 | 10_009 | 10_041 | 10_075 | 10_118 | 10_119
        | 10_167 | 10_194 | 10_195 | 10_202 => Meaning::Unavailable,
        10_059 => Meaning::StreamMissing,
        10_014 | 10_149 => Meaning::ConsumerMissing,
        10_037 | 10_043 => Meaning::MessageMissing,
        10_013 | 10_058 | 10_105 | 10_148 => Meaning::NameTaken,
        10_035 | 10_039 | 10_076 => Meaning::NotEnabled,
        10_054 | 10_097 => Meaning::TooLarge,
        _ if status == 503 => Meaning::Unavailable,
        _ => Meaning::Refused,
    }
}

/// Returns the objection of the store, which only the text shows.
fn store_failed(description: &str) -> Meaning {
    let text = description.to_ascii_lowercase();
    if text.contains("message to large") || text.contains("message too large") {
        return Meaning::TooLarge;
    }
    // Bytes, messages, or messages of one subject.
    if text.contains("maximum") && text.contains("exceeded") {
        return Meaning::StreamFull;
    }
    if text.contains("no space left") || text.contains("insufficient") {
        return Meaning::NoResources;
    }
    // The store is being closed or moved, or the disk failed.
    Meaning::Unavailable
}

/// Returns the meaning of an error of async-nats, searching its causes; `None` if nothing
/// in it is from JetStream.
pub fn meaning_of(error: &(dyn Error + 'static)) -> Option<Meaning> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = server_error(error) {
            return Some(ServerError::from(&error).meaning());
        }
        if let Some(error) = error.downcast_ref::<PublishError>()
            && let Some(meaning) = publish_kind(error.kind())
        {
            return Some(meaning);
        }
        if let Some(error) = error.downcast_ref::<RequestError>()
            && error.kind() == jetstream::context::RequestErrorKind::NoResponders
        {
            return Some(Meaning::Unavailable);
        }
        if let Some(error) = error.downcast_ref::<async_nats::client::RequestError>()
            && error.kind() == RequestErrorKind::NoResponders
        {
            return Some(Meaning::Unavailable);
        }
        cause = error.source();
    }
    None
}

/// Returns the server's error. Most of the library's errors hold it in their kind, not
/// as their cause.
fn server_error(error: &(dyn Error + 'static)) -> Option<jetstream::Error> {
    if let Some(error) = error.downcast_ref::<jetstream::Error>() {
        return Some(error.clone());
    }
    macro_rules! of_kinds {
        ($($kind:ident),+) => {$(
            if let Some(error) = error.downcast_ref::<async_nats::error::Error<$kind>>()
                && let $kind::JetStream(error) = error.kind()
            {
                return Some(error);
            }
        )+};
    }
    of_kinds!(
        GetStreamErrorKind,
        CreateStreamErrorKind,
        ConsumerErrorKind,
        LastRawMessageErrorKind,
        PurgeErrorKind
    );
    None
}

/// Returns the meaning of an error that the library found without an answer of JetStream.
fn publish_kind(kind: PublishErrorKind) -> Option<Meaning> {
    match kind {
        PublishErrorKind::WrongLastMessageId | PublishErrorKind::WrongLastSequence => {
            Some(Meaning::Conflict)
        }
        PublishErrorKind::MaxPayloadExceeded => Some(Meaning::TooLarge),
        // Nobody listens: without a leader the server does not, whether the stream
        // exists or not.
        PublishErrorKind::StreamNotFound
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending => Some(Meaning::Unavailable),
        PublishErrorKind::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::context::{CreateStreamError, GetStreamError};
    use async_nats::jetstream::stream::{ConsumerError, LastRawMessageError};
    use serde_json::json;

    use super::*;

    fn read(code: u64, err_code: u64, description: &str) -> jetstream::Error {
        let error = json!({"code": code, "err_code": err_code, "description": description});
        serde_json::from_value(error).unwrap()
    }

    #[test]
    fn a_record_that_comes_second_is_known_by_any_of_its_codes() {
        let cases = [
            (400, 10_071, "wrong last sequence: 3", Meaning::Conflict),
            (400, 10_164, "wrong last sequence", Meaning::InFlight),
            (
                409,
                10_158,
                "duplicate message id is in process",
                Meaning::InFlight,
            ),
        ];
        for (code, err_code, text, meaning) in cases {
            let error = read(code, err_code, text);
            assert_eq!(ServerError::from(&error).meaning(), meaning, "{error}");
            assert_eq!(meaning_of(&error), Some(meaning), "{error}");
            let error = anyhow::Error::new(error).context("cannot record the outcome");
            assert_eq!(meaning_of(error.as_ref()), Some(meaning), "{error:#}");
        }
        assert!(Meaning::InFlight.is_passing());
        assert!(!Meaning::Conflict.is_passing());
    }

    #[test]
    fn what_the_store_objects_to_is_in_the_text() {
        for (text, meaning) in [
            ("maximum bytes exceeded", Meaning::StreamFull),
            ("maximum messages exceeded", Meaning::StreamFull),
            ("maximum messages per subject exceeded", Meaning::StreamFull),
            ("message to large", Meaning::TooLarge),
            (
                "write msgs/1.blk: no space left on device",
                Meaning::NoResources,
            ),
            ("store is closed", Meaning::Unavailable),
        ] {
            let error = read(503, 10_077, text);
            assert_eq!(meaning_of(&error), Some(meaning), "{text}");
        }
        for meaning in [Meaning::StreamFull, Meaning::NoResources] {
            assert!(meaning.is_out_of_room() && !meaning.is_passing());
        }
    }

    #[test]
    fn what_is_wrong_for_a_moment_is_distinguished_from_what_is_wrong() {
        for (code, err_code, meaning) in [
            (503, 10_008, Meaning::Unavailable),
            (500, 10_009, Meaning::Unavailable),
            (500, 10_047, Meaning::NoResources),
            (503, 10_023, Meaning::NoResources),
            (400, 10_002, Meaning::NoResources),
            (400, 10_026, Meaning::LimitReached),
            (404, 10_059, Meaning::StreamMissing),
            (404, 10_014, Meaning::ConsumerMissing),
            (400, 10_058, Meaning::NameTaken),
            (503, 10_039, Meaning::NotEnabled),
            (400, 10_054, Meaning::TooLarge),
            (500, 10_052, Meaning::Refused),
            // Codes of future servers.
            (503, 19_999, Meaning::Unavailable),
            (400, 19_999, Meaning::Refused),
        ] {
            let error = read(code, err_code, "");
            assert_eq!(meaning_of(&error), Some(meaning), "{error}");
        }
    }

    #[test]
    fn the_code_is_found_where_the_library_keeps_it() {
        let missing = || read(404, 10_059, "stream not found");
        let error = GetStreamError::new(GetStreamErrorKind::JetStream(missing()));
        assert_eq!(meaning_of(&error), Some(Meaning::StreamMissing));
        let error = CreateStreamError::new(CreateStreamErrorKind::JetStream(missing()));
        let error = anyhow::Error::new(error).context("cannot create");
        assert_eq!(meaning_of(error.as_ref()), Some(Meaning::StreamMissing));
        let error = ConsumerError::new(ConsumerErrorKind::JetStream(missing()));
        assert_eq!(meaning_of(&error), Some(Meaning::StreamMissing));
        let error = LastRawMessageError::new(LastRawMessageErrorKind::JetStream(missing()));
        assert_eq!(meaning_of(&error), Some(Meaning::StreamMissing));
    }

    #[test]
    fn a_cluster_without_room_is_distinguished_from_one_that_is_not_whole() {
        let text = "no suitable peers for placement, insufficient storage";
        assert_eq!(
            meaning_of(&read(400, 10_005, text)),
            Some(Meaning::NoResources)
        );
        let text = "no suitable peers for placement, peer offline";
        assert_eq!(
            meaning_of(&read(400, 10_005, text)),
            Some(Meaning::Unavailable)
        );
    }

    #[test]
    fn an_error_that_is_not_of_the_server_means_nothing() {
        let error = std::io::Error::other("disk");
        assert_eq!(meaning_of(&error), None);
        let error = PublishError::new(PublishErrorKind::MaxPayloadExceeded);
        assert_eq!(meaning_of(&error), Some(Meaning::TooLarge));
        let error = PublishError::new(PublishErrorKind::StreamNotFound);
        assert_eq!(meaning_of(&error), Some(Meaning::Unavailable));
    }
}
