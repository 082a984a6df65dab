//! Checks of an account on a live connection: JetStream and permissions.

use anyhow::{anyhow, bail};
use async_nats::client::RequestErrorKind;
use serde::Deserialize;

use super::codes::{Meaning, ServerError};
use super::connect::Connection;

/// Refuses a server or account without JetStream.
pub async fn check_jetstream(connection: &Connection) -> anyhow::Result<()> {
    let asked = connection.client.request("$JS.API.INFO", "".into()).await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) if error.kind() == RequestErrorKind::NoResponders => {
            bail!(
                "JetStream is off on this NATS server: start nats-server with -js or a jetstream block"
            );
        }
        Err(error) => return Err(explain(connection, anyhow::Error::new(error))),
    };
    let answer: Answer = serde_json::from_slice(&answer.payload).unwrap_or_default();
    let Some(error) = answer.error else {
        return Ok(());
    };
    if error.meaning() == Meaning::NotEnabled {
        bail!("JetStream is not enabled for this account: give the account JetStream limits");
    }
    bail!("JetStream answers: {}", error.description)
}

/// The part of any answer of the JetStream API that holds an error.
#[derive(Default, Deserialize)]
struct Answer {
    error: Option<ServerError>,
}

/// Adds the server's permission violation, if there was one: the caller sees a missing
/// permission as a time-out only.
pub fn explain(connection: &Connection, error: anyhow::Error) -> anyhow::Error {
    match connection.take_violation() {
        Some(text) => {
            anyhow!("this login lacks a permission: {text}").context(format!("{error:#}"))
        }
        None => error,
    }
}
