//! Messages from the pulls of the jobs stream.

use async_nats::{Message, StatusCode};
use rolecast_common::subjects::Source;
use rolecast_common::time::WallTime;

use super::dead_lettering::JobMessage;
use super::intake::{self, PullStatus};
use crate::scheduler::{Delivery, Input};

/// The content of such a message.
pub(super) enum Pulled {
    Job(Delivery, JobMessage),
    Status(Input),
}

/// Reads a message; `None` if it is neither a job nor a status.
pub(super) fn read(message: Message, jobs_created: WallTime) -> Option<Pulled> {
    if let Some(status) = message.status {
        return read_status(&message, status).map(Pulled::Status);
    }
    let Some(delivery) = intake::delivery(&message, jobs_created) else {
        tracing::warn!(event = "delivery_unreadable", subject = %message.subject, "not a job");
        return None;
    };
    let message = JobMessage {
        subject: message.subject,
        headers: message.headers,
        payload: message.payload,
    };
    Some(Pulled::Job(delivery, message))
}

fn read_status(message: &Message, status: StatusCode) -> Option<Input> {
    let name = message.subject.rsplit('.').next().unwrap_or_default();
    let source = Source::from_consumer(name)?;
    Some(match intake::pull_status(message, status) {
        PullStatus::Alive => Input::PullAlive { source },
        PullStatus::Ended { undelivered } => Input::PullEnded {
            source,
            undelivered,
        },
        PullStatus::Failed => {
            let why = message.description.clone().unwrap_or_default();
            tracing::debug!(event = "pull_failed", %source, %status, why, "pull failed");
            Input::PullFailed { source }
        }
    })
}
