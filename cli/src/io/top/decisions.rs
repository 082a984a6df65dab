//! The last decisions, from the stream ROLECAST_DECISIONS.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt as _;
use rolecast_common::requests;
use rolecast_common::subjects::STREAM_DECISIONS;
use rolecast_common::wire::{self, Decision, Encoding};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::super::failure::Failure;
use super::super::session::Session;
use super::keys::Input;
use crate::top::picture::Answer;
use crate::top::{Event, Request};

/// Decisions that are read when the list is opened.
const RECENT: u64 = 200;
/// Decisions that are passed on at once.
const BATCH_MAX: usize = 100;

/// Passes decisions on as they are recorded; returns why it ended.
pub(super) async fn follow(session: &Session, inputs: &Sender<Input>) -> Failure {
    match pass_on(session, inputs).await {
        Ok(()) => Failure::unreachable(anyhow!("the stream of decisions ended")),
        Err(failure) => failure,
    }
}

async fn pass_on(session: &Session, inputs: &Sender<Input>) -> Result<(), Failure> {
    let (stream, _) = open(session).await?;
    let messages = consume(session, &stream, RECENT).await?;
    let mut batches = messages.ready_chunks(BATCH_MAX);
    while let Some(batch) = batches.next().await {
        let mut decisions = Vec::new();
        for message in batch {
            decisions.push(read(&message?)?);
        }
        let event = Event::Answered(Request::Follow, Answer::Decided(decisions));
        if inputs.send(Input::Event(Box::new(event))).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads this many of the last decisions, the oldest first.
pub(super) async fn recent(session: &Session, count: u64) -> Result<Vec<Decision>, Failure> {
    let (stream, is_empty) = open(session).await?;
    let mut decisions = Vec::new();
    if is_empty {
        return Ok(decisions);
    }
    let mut messages = consume(session, &stream, count).await?;
    while let Some(message) = next(&mut messages, session.answer_max).await? {
        let pending = message.info().map_err(anyhow::Error::from_boxed)?.pending;
        decisions.push(read(&message)?);
        if pending == 0 {
            break;
        }
    }
    Ok(decisions)
}

async fn next(messages: &mut Ordered, limit: Duration) -> Result<Option<Message>, Failure> {
    let silent = |_| anyhow!("the stream of decisions does not answer");
    let message = timeout(limit, messages.next()).await.map_err(silent)?;
    Ok(message.transpose()?)
}

/// Finds the stream; returns also whether it is empty.
async fn open(session: &Session) -> Result<(Stream, bool), Failure> {
    let request = requests::stream_info(STREAM_DECISIONS);
    let found = tokio::select! {
        found = session.jetstream.get_stream(STREAM_DECISIONS) => found,
        () = session.connection.refused(&request) => {
            session.connection.take_violation();
            let error = anyhow!("this login may not read the list of decisions");
            return Err(error.into());
        }
    };
    match found {
        Ok(stream) => {
            let is_empty = stream.cached_info().state.messages == 0;
            Ok((stream, is_empty))
        }
        Err(error) => Err(session.diagnose(error.into(), STREAM_DECISIONS).await),
    }
}

/// Starts behind all but this many of the last messages.
async fn consume(session: &Session, stream: &Stream, count: u64) -> Result<Ordered, Failure> {
    let last = stream.cached_info().state.last_sequence;
    let start_sequence = (last + 1).saturating_sub(count).max(1);
    let config = OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ..OrderedConfig::default()
    };
    let consumer = match stream.create_consumer(config).await {
        Ok(consumer) => consumer,
        Err(error) => return Err(session.diagnose(error.into(), STREAM_DECISIONS).await),
    };
    Ok(consumer.messages().await?)
}

fn read(message: &Message) -> Result<Decision, Failure> {
    let decision = wire::decode(Encoding::MessagePack, &message.payload)
        .with_context(|| format!("cannot read the decision on {}", message.subject))?;
    Ok(decision)
}
