//! Diagnosis of a NATS server: names the fault and its remedy.

use std::error::Error as _;
use std::{fmt, io};

use anyhow::bail;
use async_nats::{ConnectError, ConnectErrorKind};

use super::context::Settings;
use super::tls;

/// The oldest server the end-to-end tests are run on.
pub const SERVER_VERSION_MIN: (u64, u64, u64) = (2, 12, 8);

/// The reason why there is no connection, and a remedy.
#[derive(Debug)]
pub(super) struct NoConnection {
    url: String,
    advice: String,
    /// Whether trying again is of no use.
    pub(super) is_final: bool,
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, advice, .. } = self;
        write!(f, "cannot connect to NATS at {url}: {advice}")
    }
}

/// A server older than the oldest supported one.
#[derive(Debug)]
pub struct ServerTooOld(String);

impl fmt::Display for ServerTooOld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = SERVER_VERSION_MIN;
        write!(
            f,
            "NATS server {} is too old: {major}.{minor}.{patch} is the oldest supported; \
             upgrade nats-server",
            self.0
        )
    }
}

impl std::error::Error for ServerTooOld {}

/// Returns what is wrong, with one more look at the server where the error does not show
/// it.
pub(super) async fn connect_error(
    settings: &Settings,
    addresses: &[&str],
    error: ConnectError,
) -> anyhow::Error {
    let (advice, is_final) = match error.kind() {
        ConnectErrorKind::ServerParse => ("the URL is not valid; write nats://host:4222", true),
        ConnectErrorKind::Dns => ("the host name cannot be resolved", false),
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            let advice = match settings.cert {
                Some(_) => {
                    "the server refused the login; check which user it maps the certificate \
                     (cert) to, or user, token, creds or nkey"
                }
                None => "the server refused the login; check user, token, creds or nkey",
            };
            (advice, true)
        }
        ConnectErrorKind::Tls => ("TLS cannot be set up; check ca, cert and key", true),
        ConnectErrorKind::TimedOut | ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => {
            return silence(settings, addresses, error).await;
        }
    };
    no_connection(settings, error, advice, is_final)
}

/// Returns why a connection was not made, or broke off before the login.
async fn silence(settings: &Settings, addresses: &[&str], error: ConnectError) -> anyhow::Error {
    if let Some(advice) = tls::advice(&error, settings) {
        return no_connection(settings, error, advice, true);
    }
    let source = error.source();
    let refusal = source.and_then(|source| source.downcast_ref::<async_nats::ServerError>());
    if let Some(refusal) = refusal {
        let advice = match refusal.to_string().contains("maximum control line") {
            true => {
                "the credentials are longer than a line that the server takes; set \
                 max_control_line: 16KB in its configuration"
            }
            false => "the server turns this client away",
        };
        return no_connection(settings, error, advice, false);
    }
    let cause = source.and_then(|source| source.downcast_ref::<io::Error>());
    let cause = cause.map(io::Error::kind);
    let is_open = cause != Some(io::ErrorKind::ConnectionRefused);
    if is_open
        && settings.tls_first != Some(true)
        && tls::is_awaited_first(settings, addresses).await
    {
        let advice = "the server wants TLS before anything else; set tls_first = true";
        return no_connection(settings, error, advice, true);
    }
    let is_closed = match cause {
        Some(kind) => [
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::UnexpectedEof,
        ]
        .contains(&kind),
        None => error.kind() == ConnectErrorKind::Io,
    };
    let advice = match is_closed {
        true => "what is there closes the connection; if it is nats-server, its log shows why",
        false => "nothing answers there; start nats-server, or set NATS_URL or a nats context",
    };
    no_connection(settings, error, advice, false)
}

fn no_connection(
    settings: &Settings,
    error: ConnectError,
    advice: impl Into<String>,
    is_final: bool,
) -> anyhow::Error {
    anyhow::Error::new(error).context(NoConnection {
        url: settings.url().to_owned(),
        advice: advice.into(),
        is_final,
    })
}

/// Refuses a server older than [`SERVER_VERSION_MIN`], with [`ServerTooOld`].
pub fn check_server(version: &str) -> anyhow::Result<()> {
    let Some(found) = parse_version(version) else {
        bail!("NATS server reports version {version:?}, which is not a version");
    };
    if found < SERVER_VERSION_MIN {
        bail!(ServerTooOld(version.to_owned()));
    }
    Ok(())
}

/// Reads major, minor and patch; `None` if it is no version.
pub fn parse_version(version: &str) -> Option<(u64, u64, u64)> {
    let release = version.split(['-', '+']).next()?;
    let mut parts = release.split('.').map(str::parse);
    let mut part = || parts.next()?.ok();
    Some((part()?, part()?, part()?))
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
