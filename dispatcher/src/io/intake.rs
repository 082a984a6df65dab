//! Intake: messages are decoded into inputs. An unreadable message becomes an input too.

use async_nats::{HeaderMap, Message, StatusCode};
use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::options::{self, Origin};
use rolecast_common::subjects::{self, Done, STREAM_JOBS, Source, is_of_node};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{
    self, Encoding, HEADER_CONTENT_TYPE, Heartbeat, Outcome, OutcomeBatch,
};
use rolecast_nats::{Meaning, ServerError, job_headers};
use serde::Deserialize;

use crate::claim::Claimed;
use crate::scheduler::{Delivery, Input, Malformed, Recorded};

const HEADER_PENDING: &str = "Nats-Pending-Messages";

fn header<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Option<&'a str> {
    headers?.get(name).map(|value| value.as_str())
}

fn message_encoding(message: &Message) -> Encoding {
    Encoding::of(header(message.headers.as_ref(), HEADER_CONTENT_TYPE))
}

/// Decodes a job as the stream delivered it; `None` if it is not from there.
pub(super) fn delivery(message: &Message, stream_created: WallTime) -> Option<Delivery> {
    let source = Source::parse(&message.subject).ok()?;
    let ack = Ack::parse(message.reply.as_deref()?)?;
    if !is_of_jobs(&ack, &source) {
        return None;
    }
    let origin = Origin {
        sequence: ack.sequence(),
        stored: ack.stored(),
        stream_created,
    };
    let headers = job_headers(message.headers.as_ref());
    Some(Delivery {
        source,
        job: origin.job_id(&headers),
        options: options::parse(origin, &headers),
        ack,
    })
}

/// Whether it acknowledges a delivery of this source's consumer.
fn is_of_jobs(ack: &Ack, source: &Source) -> bool {
    ack.stream() == STREAM_JOBS && source.is_consumer(ack.consumer())
}

/// The status of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PullStatus {
    /// The server works on it, and has nothing to deliver.
    Alive,
    /// It expired, with this many requested jobs undelivered.
    Ended { undelivered: u32 },
    /// A fault: the consumer is missing, or its leader died or moved.
    Failed,
}

/// Reads the status of a pull.
pub(super) fn pull_status(message: &Message, status: StatusCode) -> PullStatus {
    const IDLE_HEARTBEAT: u16 = 100;
    const NO_MESSAGES: u16 = 404;
    const EXPIRED: u16 = 408;
    match status.as_u16() {
        IDLE_HEARTBEAT => PullStatus::Alive,
        NO_MESSAGES | EXPIRED => {
            let pending = header(message.headers.as_ref(), HEADER_PENDING);
            let undelivered = pending.and_then(|count| count.parse().ok());
            PullStatus::Ended {
                undelivered: undelivered.unwrap_or(u32::MAX),
            }
        }
        _ => PullStatus::Failed,
    }
}

/// Reads a heartbeat.
pub(super) fn heartbeat(message: &Message) -> Input {
    let malformed = |why: String| Input::Malformed {
        what: Malformed::Heartbeat,
        from: message.subject.to_string(),
        why,
    };
    let from = match subjects::parse_heartbeat(&message.subject) {
        Ok(from) => from,
        Err(error) => return malformed(error.to_string()),
    };
    match wire::decode::<Heartbeat>(message_encoding(message), &message.payload) {
        Ok(heartbeat) => Input::Heartbeat {
            from,
            heartbeat: Box::new(heartbeat),
        },
        Err(error) => malformed(error.to_string()),
    }
}

/// Decodes outcomes, or the server's report that nobody received a job.
pub(super) fn outcomes(message: &Message) -> Input {
    let malformed = |why: String| Input::Malformed {
        what: Malformed::Outcome,
        from: message.subject.to_string(),
        why,
    };
    let done = match subjects::parse_done(&message.subject) {
        Ok(done) => done,
        Err(error) => return malformed(error.to_string()),
    };
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return match done {
            Done::One(node, assignment) => Input::Bounced { node, assignment },
            Done::Batch(_) => malformed("a batch cannot bounce".to_owned()),
        };
    }
    let reply = message.reply.as_ref().map(ToString::to_string);
    let encoding = message_encoding(message);
    let (from, outcomes) = match done {
        Done::One(from, assignment) => match wire::decode::<Outcome>(encoding, &message.payload) {
            Ok(outcome) => (from, vec![(Claimed::new(assignment), outcome)]),
            Err(error) => return malformed(error.to_string()),
        },
        Done::Batch(from) => match wire::decode::<OutcomeBatch>(encoding, &message.payload) {
            Ok(batch) => match batch_of(batch) {
                Some(outcomes) => (from, outcomes),
                None => return malformed("an outcome of the batch names no job".to_owned()),
            },
            Err(error) => return malformed(error.to_string()),
        },
    };
    // With the rights of a dispatcher it would reach subjects that its sender may not
    // publish on.
    if let Some(reply) = reply.as_deref().filter(|reply| !is_of_node(reply, &from)) {
        return malformed(format!(
            "its answer would go to {reply:?}, which is not below rolecast.node.{from}"
        ));
    }
    Input::Outcomes {
        from,
        reply,
        outcomes,
    }
}

/// Returns the outcomes with their assignments, or nothing if one has none: a worker
/// whose batch is confirmed forgets all of it.
fn batch_of(batch: OutcomeBatch) -> Option<Vec<(Claimed<Assignment>, Outcome)>> {
    let outcomes = batch.outcomes.into_iter();
    let named = outcomes.map(|mut outcome| Some((Claimed::new(outcome.job.take()?), outcome)));
    named.collect()
}

#[derive(Deserialize)]
struct PublishAnswer {
    error: Option<ServerError>,
}

/// Decodes the results stream's answer, and its error.
///
/// A write that is refused because another one is in flight is no record yet: the other
/// one may still be dropped, and a repetition shows that.
pub(super) fn recorded(message: &Message) -> (Recorded, Option<ServerError>) {
    if message.status.is_some() {
        return (Recorded::Failed, None);
    }
    let Ok(answer) = serde_json::from_slice::<PublishAnswer>(&message.payload) else {
        return (Recorded::Failed, None);
    };
    let result = match answer.error.as_ref().map(ServerError::meaning) {
        None => Recorded::Stored,
        Some(Meaning::Conflict) => Recorded::Already,
        Some(_) => Recorded::Failed,
    };
    (result, answer.error)
}

#[cfg(test)]
mod tests {
    use rolecast_common::wire::{Encoding, VERSION, encode};

    use super::*;

    #[test]
    fn outcomes_are_answered_below_the_subject_of_their_node_or_refused() {
        let batch = OutcomeBatch {
            v: VERSION,
            outcomes: Vec::new(),
        };
        let read = |reply: &str| {
            outcomes(&Message {
                subject: "rolecast.done.n1.batch".into(),
                reply: Some(reply.into()),
                payload: encode(Encoding::MessagePack, &batch).into(),
                headers: None,
                status: None,
                description: None,
                length: 0,
            })
        };
        let answered = read("rolecast.node.n1.confirm.7");
        assert!(matches!(answered, Input::Outcomes { .. }), "{answered:?}");
        for reply in [
            "rolecast.node.n2.confirm.7",
            "rolecast.jobs.ocr",
            "$JS.API.STREAM.PURGE.ROLECAST_DEAD",
            "$KV.ROLECAST_CONTROL.dispatcher",
            "_INBOX.x",
        ] {
            let what = Malformed::Outcome;
            let refused = read(reply);
            assert!(
                matches!(&refused, Input::Malformed { what: of, .. } if *of == what),
                "{refused:?}"
            );
        }
    }
}
