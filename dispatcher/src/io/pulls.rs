//! Messages from the pulls of the jobs stream.

use async_nats::{Message, StatusCode};
use rolecast_common::subjects::Source;

use super::dead_lettering::JobMessage;
use super::intake::{self, PullStatus};
use super::leader::Leader;
use crate::scheduler::Input;

impl Leader {
    pub(super) fn on_pull(&mut self, message: Message) {
        if let Some(status) = message.status {
            self.on_pull_status(&message, status);
            return;
        }
        let Some(delivery) = intake::delivery(&message, self.streams.jobs_created) else {
            tracing::warn!(event = "delivery_unreadable", subject = %message.subject, "not a job");
            return;
        };
        let held = JobMessage {
            subject: message.subject,
            headers: message.headers,
            payload: message.payload,
        };
        self.held.insert(delivery.ack.sequence(), held);
        self.tell(Input::Delivered(delivery));
    }

    fn on_pull_status(&mut self, message: &Message, status: StatusCode) {
        let name = message.subject.rsplit('.').next().unwrap_or_default();
        let Some(source) = Source::from_consumer(name) else {
            return;
        };
        match intake::pull_status(message, status) {
            PullStatus::Alive => self.tell(Input::PullAlive { source }),
            PullStatus::Ended { undelivered } => self.tell(Input::PullEnded {
                source,
                undelivered,
            }),
            PullStatus::Failed => {
                let why = message.description.clone().unwrap_or_default();
                tracing::debug!(event = "pull_failed", %source, %status, why, "pull failed");
                self.tell(Input::PullFailed { source });
                self.look_soon();
            }
        }
    }
}
