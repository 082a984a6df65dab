//! Inputs of the leader's loop: its subscriptions, the reports of its side tasks, and the
//! state of the connection.

use async_nats::{Client, Message, SubscribeError, Subscriber};
use futures_util::stream::SelectAll;
use futures_util::{FutureExt as _, StreamExt as _};
use rolecast_common::subjects;
use rolecast_common::time::Time;
use rolecast_nats::Timer;
use tokio::sync::mpsc;

use super::lease::Keeper;
use super::links::Links;
use super::questions::{Asker, Inbox, Question};
use super::standby::{Closed, Feeds};
use crate::scheduler::Input;

/// A subscription of the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// Jobs, and the states of pulls, on `<inbox>.pull.<consumer>`.
    Pulls,
    /// Outcomes and answers to pings.
    Done,
    /// Results of recorded outcomes, on `<inbox>.record.<sequence>`.
    Records,
    Heartbeats,
    /// Requests to endpoints, and those that find services.
    Requests,
}

/// The first input of a turn.
pub(super) enum Arrived {
    Message(Feed, Message),
    Question(Question),
    Report(Input),
    /// The connection was lost or restored.
    Link(Input),
    /// End of the lease; `None` if another dispatcher leads.
    Lease(Option<Time>),
    Nothing,
}

pub(super) struct Inputs {
    pulls: Subscriber,
    records: Subscriber,
    done: Subscriber,
    heartbeats: Subscriber,
    requests: SelectAll<Subscriber>,
    reports: mpsc::Receiver<Input>,
    questions: Inbox,
    links: Links,
}

impl Inputs {
    pub(super) async fn open(
        client: &Client,
        inbox: &str,
        feeds: Feeds,
        reports: mpsc::Receiver<Input>,
        questions: Inbox,
        links: Links,
    ) -> Result<Self, SubscribeError> {
        let Feeds {
            heartbeats,
            mut requests,
        } = feeds;
        requests.push(client.subscribe(subjects::API).await?);
        Ok(Self {
            pulls: client.subscribe(format!("{inbox}.pull.*")).await?,
            records: client.subscribe(format!("{inbox}.record.*")).await?,
            done: client.subscribe(subjects::DONE).await?,
            heartbeats,
            requests,
            reports,
            questions,
            links,
        })
    }

    /// Returns an end for those who ask the loop.
    pub(super) fn asker(&self) -> Asker {
        self.questions.asker()
    }

    /// Waits for the next input of any kind.
    pub(super) async fn next(
        &mut self,
        lease: &mut Keeper,
        timer: &mut Timer,
    ) -> Result<Arrived, Closed> {
        let of = |feed, message: Option<Message>| -> Result<Arrived, Closed> {
            let message = message.ok_or(Closed)?;
            Ok(Arrived::Message(feed, message))
        };
        tokio::select! {
            message = self.pulls.next() => of(Feed::Pulls, message),
            message = self.done.next() => of(Feed::Done, message),
            message = self.records.next() => of(Feed::Records, message),
            message = self.heartbeats.next() => of(Feed::Heartbeats, message),
            message = self.requests.next() => of(Feed::Requests, message),
            question = self.questions.next() => Ok(Arrived::Question(question)),
            Some(input) = self.reports.recv() => Ok(Arrived::Report(input)),
            input = self.links.changed() => Ok(Arrived::Link(input)),
            until = lease.changed() => Ok(Arrived::Lease(until)),
            () = timer.ring() => Ok(Arrived::Nothing),
        }
    }

    /// Returns a message that has arrived already.
    pub(super) fn ready(&mut self, feed: Feed) -> Option<Message> {
        let subscription = match feed {
            Feed::Pulls => &mut self.pulls,
            Feed::Done => &mut self.done,
            Feed::Records => &mut self.records,
            Feed::Heartbeats => &mut self.heartbeats,
            Feed::Requests => return self.requests.next().now_or_never().flatten(),
        };
        subscription.next().now_or_never().flatten()
    }
}
