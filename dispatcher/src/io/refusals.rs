//! Troubles of streams or buckets that refuse to store messages, and the room that can be
//! made for outcomes.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use rolecast_common::subjects::{STREAM_DECISIONS, STREAM_LOGS};
use rolecast_nats::{Meaning, ServerError, meaning_of};

use crate::scheduler::Trouble;

/// Time after which such a trouble is over: failed writes are repeated every few seconds,
/// and have succeeded for as long.
const LASTS: Duration = Duration::from_secs(15);
/// The least interval between two attempts to make room.
pub(super) const RECLAIM_INTERVAL: Duration = Duration::from_secs(60);

/// Returns the trouble in the server's answer.
pub(super) fn trouble(what: &str, error: &ServerError) -> Option<Trouble> {
    let why = format!("{} (code {})", error.description, error.err_code);
    of_meaning(what, why, error.meaning())
}

/// Returns the trouble behind an error, if it is from the server.
pub(super) fn trouble_of(what: &str, error: &anyhow::Error) -> Option<Trouble> {
    of_meaning(what, format!("{error:#}"), meaning_of(error.as_ref())?)
}

fn of_meaning(what: &str, why: String, meaning: Meaning) -> Option<Trouble> {
    let remedy = match meaning {
        // Another dispatcher has stored it, or is about to.
        Meaning::Conflict | Meaning::InFlight => return None,
        Meaning::StreamFull => {
            "the stream is full: delete what is not needed (rolecast dead purge), or raise its \
             max_bytes"
        }
        Meaning::NoResources => {
            "the server or the account is full: raise max_file_store of nats-server or the \
             account's limit, or delete streams and messages that are not needed"
        }
        Meaning::TooLarge => "raise max_payload of nats-server",
        Meaning::Unavailable => {
            "it is tried again; if this lasts, see nats server report jetstream"
        }
        Meaning::StreamMissing
        | Meaning::ConsumerMissing
        | Meaning::MessageMissing
        | Meaning::LimitReached
        | Meaning::NameTaken
        | Meaning::NotEnabled
        | Meaning::Refused => "it is tried again; see the log of nats-server",
    };
    Some(Trouble {
        what: format!("storing in {what}"),
        why,
        remedy: remedy.to_owned(),
        lasts: Some(LASTS),
    })
}

/// Deletes the least valuable content, the decisions and the logs, so that outcomes can be
/// stored.
pub(super) async fn reclaim(jetstream: &jetstream::Context) {
    for (name, content) in [(STREAM_DECISIONS, "decisions"), (STREAM_LOGS, "logs")] {
        match empty(jetstream, name).await {
            Ok(count) => tracing::error!(
                event = format!("{content}_dropped"),
                count,
                "the server is full: stream {name} was emptied to store outcomes"
            ),
            Err(error) => tracing::warn!(event = format!("{content}_kept"), "{error:#}"),
        }
    }
}

async fn empty(jetstream: &jetstream::Context, name: &str) -> anyhow::Result<u64> {
    let stream = jetstream.get_stream_no_info(name).await?;
    let purged = stream.purge().await.context("cannot make room")?;
    Ok(purged.purged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u64, err_code: u64, description: &str) -> Option<Trouble> {
        let error = ServerError {
            code,
            err_code,
            description: description.to_owned(),
        };
        trouble("ROLECAST_RESULTS", &error)
    }

    #[test]
    fn a_store_that_is_full_is_a_trouble_with_its_remedy() {
        let trouble = refused(503, 10_023, "insufficient resources").unwrap();
        assert_eq!(trouble.what, "storing in ROLECAST_RESULTS");
        assert_eq!(trouble.why, "insufficient resources (code 10023)");
        assert!(trouble.remedy.contains("max_file_store"));
        let trouble = refused(503, 10_077, "maximum bytes exceeded").unwrap();
        assert!(trouble.remedy.contains("max_bytes"));
    }

    #[test]
    fn a_record_that_is_there_already_is_no_trouble() {
        assert_eq!(refused(400, 10_071, "wrong last sequence: 1"), None);
        assert_eq!(refused(400, 10_164, "wrong last sequence"), None);
        let error = anyhow::anyhow!("the disk of this process");
        assert_eq!(trouble_of("ROLECAST_DEAD", &error), None);
    }
}
