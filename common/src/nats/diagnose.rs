//! Names what is wrong with a NATS server or account, and what to do about it.

use anyhow::{anyhow, bail};
use async_nats::client::RequestErrorKind;
use async_nats::{ConnectError, ConnectErrorKind};
use serde::Deserialize;

use super::codes::{Meaning, ServerError};
use super::connect::Connection;

/// The oldest server the end-to-end tests are run on.
pub const SERVER_VERSION_MIN: (u64, u64, u64) = (2, 12, 8);

pub(super) fn connect_error(url: &str, error: ConnectError) -> anyhow::Error {
    let advice = match error.kind() {
        ConnectErrorKind::ServerParse => "the URL is not valid; write nats://host:4222",
        ConnectErrorKind::Dns => "the host name cannot be resolved",
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            "the server refused the login; check user, token, creds or nkey"
        }
        ConnectErrorKind::Tls => "TLS failed; check ca, cert and key",
        ConnectErrorKind::TimedOut | ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => {
            "nothing answers there; start nats-server, or set NATS_URL or a nats context"
        }
    };
    anyhow::Error::new(error).context(format!("cannot connect to NATS at {url}: {advice}"))
}

/// Refuses a server older than [`SERVER_VERSION_MIN`].
pub fn check_server(version: &str) -> anyhow::Result<()> {
    let oldest = SERVER_VERSION_MIN;
    let Some(found) = parse_version(version) else {
        bail!("NATS server says version {version:?}, which is not a version");
    };
    if found < oldest {
        let (major, minor, patch) = oldest;
        bail!(
            "NATS server {version} is too old: {major}.{minor}.{patch} is the oldest supported; \
             upgrade nats-server"
        );
    }
    Ok(())
}

fn parse_version(version: &str) -> Option<(u64, u64, u64)> {
    let release = version.split(['-', '+']).next()?;
    let mut parts = release.split('.').map(str::parse);
    let mut part = || parts.next()?.ok();
    Some((part()?, part()?, part()?))
}

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

/// The part of any answer of the JetStream API that tells of an error.
#[derive(Default, Deserialize)]
struct Answer {
    error: Option<ServerError>,
}

/// Adds the server's objection, if it had one: a missing permission shows
/// itself to the caller as a time-out only.
pub fn explain(connection: &Connection, error: anyhow::Error) -> anyhow::Error {
    match connection.take_violation() {
        Some(text) => {
            anyhow!("this login lacks a permission: {text}").context(format!("{error:#}"))
        }
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_refused_with_what_to_do() {
        for version in ["2.12.8", "2.15.1", "3.0.0", "2.16.0-dev"] {
            assert!(check_server(version).is_ok(), "{version}");
        }
        let error = check_server("2.9.10").unwrap_err().to_string();
        assert!(
            error.contains("2.12.8 is the oldest supported; upgrade"),
            "{error}"
        );
        assert!(check_server("unknown").is_err());
    }
}
