//! Decodes the messages to a node, and passes them to the agent.

use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;
use rolecast_common::options::{
    HEADER_DEADLINE, HEADER_DEADLINE_IN, HEADER_ROLES, HEADER_TIME_LIMIT, parse_roles,
};
use rolecast_common::subjects::PING_FOR_REPORT;
use rolecast_common::time::{Now, WallTime, parse_duration};
use rolecast_common::trace::{HEADER_PRODUCER, HEADER_TRACEPARENT, TraceContext};
use rolecast_common::wire::{
    self, Admission, AttemptCancel, Encoding, HEADER_CONTENT_TYPE, RoleAssignment,
};

use super::Shell;
use crate::agent::{Input, Offer};

impl Shell {
    pub(super) fn receive(&mut self, now: Now, message: Message) {
        let subject = message.subject.clone();
        let kind = subject
            .strip_prefix(self.outbox.node_prefix())
            .unwrap_or_default();
        let received = match kind {
            "jobs" => self.receive_job(now, message),
            "admission" => self.receive_admission(now, &message),
            "cancel" => self.receive_cancel(now, &message),
            "roles" => self.receive_roles(now, &message),
            "ping" => self.receive_ping(now, message),
            _ => self.receive_confirmation(now, kind, &message),
        };
        if let Err(reason) = received {
            self.log.malformed(now.time, &subject, &reason);
        }
    }

    fn receive_job(&mut self, now: Now, message: Message) -> Result<(), String> {
        let reply = message
            .reply
            .as_ref()
            .ok_or("a job without a reply subject")?;
        let assignment = reply.strip_prefix(self.outbox.done_prefix());
        let assignment = assignment.ok_or("a reply subject of another node")?;
        let assignment = assignment
            .parse()
            .map_err(|error| format!("reply subject: {error}"))?;
        let deadline = deadline(
            now,
            header(&message, HEADER_DEADLINE),
            header(&message, HEADER_DEADLINE_IN),
        )?;
        let time_limit = match header(&message, HEADER_TIME_LIMIT) {
            Some(text) => Some(parse_duration(text).ok_or("a time limit that is not a length")?),
            None => None,
        };
        let roles = match header(&message, HEADER_ROLES) {
            Some(text) => parse_roles(text).ok_or("roles that are not valid")?,
            None => Vec::new(),
        };
        let offer = Offer {
            assignment,
            deadline,
            time_limit,
            roles,
            trace: producer(message.headers.as_ref()),
        };
        self.decide(now, Input::Job(offer));
        self.carry_out(now.time, Some(message));
        Ok(())
    }

    fn receive_admission(&mut self, now: Now, message: &Message) -> Result<(), String> {
        let encoding = Encoding::of(header(message, HEADER_CONTENT_TYPE));
        let admission: Admission =
            wire::decode(encoding, &message.payload).map_err(|error| error.to_string())?;
        self.handle_at(now, Input::Admission(admission));
        Ok(())
    }

    fn receive_cancel(&mut self, now: Now, message: &Message) -> Result<(), String> {
        let encoding = Encoding::of(header(message, HEADER_CONTENT_TYPE));
        let order: AttemptCancel =
            wire::decode(encoding, &message.payload).map_err(|error| error.to_string())?;
        self.handle_at(now, Input::Cancel(order));
        Ok(())
    }

    fn receive_roles(&mut self, now: Now, message: &Message) -> Result<(), String> {
        let encoding = Encoding::of(header(message, HEADER_CONTENT_TYPE));
        let roles: RoleAssignment =
            wire::decode(encoding, &message.payload).map_err(|error| error.to_string())?;
        self.handle_at(now, Input::Roles(roles));
        Ok(())
    }

    /// Answers a ping; the dispatcher measures the distance of this node by the round
    /// trip.
    fn receive_ping(&mut self, now: Now, message: Message) -> Result<(), String> {
        let reply = message.reply.ok_or("a ping without a reply subject")?;
        if !reply.starts_with(self.outbox.done_prefix()) {
            return Err("a reply subject of another node".to_owned());
        }
        self.outbox.publish(reply, None, Bytes::new());
        if message.payload == PING_FOR_REPORT.as_bytes() {
            self.handle_at(now, Input::ReportAsked);
        }
        Ok(())
    }

    fn receive_confirmation(
        &mut self,
        now: Now,
        kind: &str,
        message: &Message,
    ) -> Result<(), String> {
        let batch = kind
            .strip_prefix("confirm.")
            .and_then(|number| number.parse().ok());
        let batch = batch.ok_or("a subject that no worker has")?;
        let input = match message.status {
            Some(StatusCode::NO_RESPONDERS) => Input::Unreceived { batch },
            Some(_) | None => Input::Confirmed { batch },
        };
        self.handle_at(now, input);
        Ok(())
    }
}

/// Returns the deadline by this host's clock: from the remaining time if the dispatcher
/// sends it, since the clocks may differ.
fn deadline(
    now: Now,
    at: Option<&str>,
    left: Option<&str>,
) -> Result<Option<WallTime>, &'static str> {
    let Some(at) = at else {
        return Ok(None);
    };
    let deadline = match left {
        Some(left) => parse_duration(left).map(|left| now.wall + left),
        None => WallTime::parse(at),
    };
    deadline.map(Some).ok_or("a deadline that is not a time")
}

/// Returns the place of a job in its producer's trace, which a dispatcher that records the
/// trace has put into a header of its own.
fn producer(headers: Option<&HeaderMap>) -> Option<TraceContext> {
    let headers = headers?;
    if let Some(value) = headers.get(HEADER_PRODUCER) {
        return TraceContext::parse(value.as_str());
    }
    let is_it = |name: &str| name.eq_ignore_ascii_case(HEADER_TRACEPARENT);
    let mut lines = headers.iter().filter(|(name, _)| is_it(name.as_ref()));
    let (_, values) = lines.next()?;
    TraceContext::parse(values.first()?.as_str())
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let value = message.headers.as_ref()?.get(name)?;
    Some(value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_whose_clock_is_ahead_refuses_nothing_that_has_time_left() {
        let now = Now {
            wall: WallTime::from_millis(1_700_000_600_000),
            ..Now::default()
        };
        let at = Some("2023-11-14T22:18:20Z"); // 300 s after 1,700,000,000 s.
        let by_own_clock = deadline(now, at, None).unwrap().unwrap();
        assert!(by_own_clock < now.wall);
        let found = deadline(now, at, Some("299998ms")).unwrap();
        assert_eq!(found, Some(WallTime::from_millis(1_700_000_899_998)));
        assert_eq!(deadline(now, at, Some("0ms")), Ok(Some(now.wall)));
        // Without the first header the second is a producer's own.
        assert_eq!(deadline(now, None, Some("1ms")), Ok(None));
        assert!(deadline(now, at, Some("soon")).is_err());
    }
}
