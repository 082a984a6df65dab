//! Rights of this dispatcher's login: checked at its start; later refusals of the server
//! are shown as a trouble.

use std::time::Duration;

use anyhow::bail;
use async_nats::Request;
use async_nats::client::RequestErrorKind;
use rolecast_common::rights::{
    Action, Allowed, Party, Place, Right, missing, own_rights_request, rights,
};
use rolecast_nats::{Connection, Settings, Violation};
use tokio::sync::mpsc;

use super::setup::api_prefix;
use crate::config::Api;
use crate::scheduler::{Input, Trouble};

/// Time limit of the answer: a healthy server takes milliseconds, and a start waits for
/// it.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Time for which a refusal is shown: it recurs with the next use of the right.
const SHOWN: Duration = Duration::from_secs(3600);

/// Asks the server for the rights of this login. The error names each missing one; it is
/// no error if the server does not report them.
pub(super) async fn check(
    connection: &Connection,
    nats: &Settings,
    api: &Api,
) -> anyhow::Result<()> {
    let inbox = connection.client.new_inbox();
    let inbox = inbox.rsplit_once('.').map_or("", |(prefix, _)| prefix);
    let request = Request::new().timeout(Some(ANSWER_MAX));
    let asked = connection
        .client
        .send_request(own_rights_request(), request);
    let answer = match asked.await {
        Ok(answer) => answer,
        Err(error) => return unanswered(connection, inbox, error.kind()),
    };
    let Some(allowed) = Allowed::read(&answer.payload) else {
        unchecked("the server's answer cannot be read");
        return Ok(());
    };
    let party = Party::Dispatcher {
        inbox_prefixes: api.inbox_prefixes().to_vec(),
    };
    let place = Place {
        api: api_prefix(nats),
        inbox: inbox.to_owned(),
    };
    lacks(&missing(&rights(&party, &place), &allowed))
}

fn unanswered(connection: &Connection, inbox: &str, error: RequestErrorKind) -> anyhow::Result<()> {
    let violation = connection.take_violation().unwrap_or_default();
    if violation.contains(inbox) {
        bail!(
            "this login lacks a permission: it may not subscribe to {inbox}.>, where it gets \
            answers; grant this, or set inbox_prefix in [nats] to inboxes that it may use"
        );
    }
    unchecked(if error == RequestErrorKind::NoResponders {
        "this server does not report them"
    } else if violation.is_empty() {
        "the server does not answer"
    } else {
        "this login may not ask for them on $SYS.REQ.USER.INFO"
    });
    Ok(())
}

fn unchecked(why: &str) {
    tracing::warn!(
        event = "rights_unchecked",
        "the rights of this login are not checked: {why}"
    );
}

fn lacks(missing: &[Right]) -> anyhow::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = missing.iter().map(ToString::to_string).collect();
    bail!(
        "this login lacks a permission that a dispatcher needs, {} in all: {}; `rolecast \
         permissions --dispatcher` prints what it needs",
        missing.len(),
        named.join("; ")
    );
}

/// Reports refusals of the server until the receiver of the reports is gone.
pub(super) async fn watch(connection: Connection, reports: mpsc::Sender<Input>) {
    let mut violations = connection.violations();
    let mut count = 0;
    loop {
        let found = violations.borrow_and_update().clone();
        for violation in found.iter().skip(count) {
            if reports
                .send(Input::Troubled(trouble(violation)))
                .await
                .is_err()
            {
                return;
            }
        }
        count = found.len();
        let changed = tokio::select! {
            changed = violations.changed() => changed,
            () = reports.closed() => return,
        };
        if changed.is_err() {
            return;
        }
    }
}

fn trouble(violation: &Violation) -> Trouble {
    let Violation { action, subject } = violation;
    let to = match action {
        Action::Publish => "publish to",
        Action::Subscribe => "subscribe to",
    };
    Trouble {
        what: format!("the right to {to} {subject}"),
        why: "the dispatcher's login lacks it, and NATS refused".to_owned(),
        remedy: "grant it; rolecast permissions --dispatcher prints all rights".to_owned(),
        lasts: Some(SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_right_is_named_with_what_it_is_for() {
        assert!(lacks(&[]).is_ok());
        let right = |subject: &str| Right {
            action: Action::Publish,
            subject: subject.to_owned(),
            purpose: "a purpose",
        };
        let error = lacks(&[right("a.b"), right("c.>")])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("publish to a.b (a purpose); publish to c.>"),
            "{error}"
        );
    }
}
