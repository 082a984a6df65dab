//! Connection to NATS: reconnects with jittered delays, and keeps the server's refusals.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::{Client, ConnectOptions, Event, ServerError};
use rolecast_common::rights::inbox;
use tokio::sync::watch;

use super::context::{Settings, expand_home};
use super::diagnose::{self, NoConnection};
use super::tls::with_tls;
use super::violations::{Violation, Violations};

/// A dead peer is detected after three of these: async-nats waits a minute each by
/// default.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RETRY_MIN: Duration = Duration::from_millis(100);
/// A server that is back is used within this, and dispatchers wait as long for workers
/// before they miss them. A fleet of thousands reconnects spread over it.
const RETRY_MAX: Duration = Duration::from_secs(2);
/// Messages buffered for one subscription. Beyond it async-nats drops silently, so it is
/// above what any of our programs requests at once.
const SUBSCRIPTION_CAPACITY: usize = 128 * 1024;

/// Whether there is a connection, and its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether there is a connection at present.
    pub is_up: bool,
    /// Rises each time the connection is made, from 1.
    pub number: u64,
}

/// A connection, with the events on it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The client, which reconnects by itself.
    pub client: Client,
    /// Rises each time the connection is made, from 1.
    pub connected: watch::Receiver<u64>,
    /// Follows the connection as it is lost and made.
    pub link: watch::Receiver<Link>,
    violations: Violations,
}

impl Connection {
    /// Returns the server's last permission violation, and forgets it.
    pub fn take_violation(&self) -> Option<String> {
        self.violations.take_last()
    }

    /// Waits until the server refuses this subject: a request on it gets no answer.
    pub async fn refused(&self, subject: &str) {
        self.violations.wait_for(subject).await;
    }

    /// Returns the server's refusals since this connection was made, each subject once.
    pub fn violations(&self) -> watch::Receiver<Vec<Violation>> {
        self.violations.reported()
    }

    /// Returns the JetStream context that the settings ask for.
    pub fn jetstream(&self, settings: &Settings) -> async_nats::jetstream::Context {
        let client = self.client.clone();
        match (&settings.jetstream_api_prefix, &settings.jetstream_domain) {
            (Some(prefix), _) => async_nats::jetstream::with_prefix(client, prefix),
            (None, Some(domain)) => async_nats::jetstream::with_domain(client, domain),
            (None, None) => async_nats::jetstream::new(client),
        }
    }
}

/// Connects, trying again until `limit` has passed; a refused login or certificate ends
/// it at once.
pub async fn connect(
    settings: &Settings,
    name: &str,
    limit: Duration,
) -> anyhow::Result<Connection> {
    let start = Instant::now();
    let mut retry = 0;
    loop {
        let error = match connect_once(settings, name).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let is_final = error
            .downcast_ref::<NoConnection>()
            .is_none_or(|error| error.is_final);
        let delay = retry_delay(retry);
        if is_final || start.elapsed() + delay >= limit {
            return Err(error);
        }
        tracing::warn!(
            url = settings.url(),
            ?delay,
            "no connection to NATS yet: {error:#}"
        );
        tokio::time::sleep(delay).await;
        retry += 1;
    }
}

/// Connects, or returns the reason why not, without trying again.
pub async fn connect_once(settings: &Settings, name: &str) -> anyhow::Result<Connection> {
    let (connected, connected_count) = watch::channel(0);
    let (link, link_state) = watch::channel(Link::default());
    let violations = Violations::new();
    let options = options(settings, name).await?;
    let options = watch_events(options, connected, link, name, violations.clone());
    let options = watch_failures(options);
    let addresses: Vec<&str> = settings.url().split(',').map(str::trim).collect();
    let client = match options.connect(&addresses).await {
        Ok(client) => client,
        Err(error) => return Err(diagnose::connect_error(settings, &addresses, error).await),
    };
    diagnose::check_server(&client.server_info().version)?;
    Ok(Connection {
        client,
        connected: connected_count,
        link: link_state,
        violations,
    })
}

/// Returns an exponential delay with full jitter, so that a fleet does not reconnect in
/// step.
fn retry_delay(retry: usize) -> Duration {
    let exponent = u32::try_from(retry.min(10)).unwrap_or(10);
    let longest = (RETRY_MIN * 2u32.pow(exponent)).min(RETRY_MAX);
    longest.mul_f64(0.5 + 0.5 * fastrand::f64())
}

async fn options(settings: &Settings, name: &str) -> anyhow::Result<ConnectOptions> {
    let mut options = ConnectOptions::new()
        .name(name)
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECT_TIMEOUT)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        // Ours are made of checked tokens, and others' have passed the server.
        .skip_subject_validation(true)
        // The library counts its attempts from 1.
        .reconnect_delay_callback(|attempt| retry_delay(attempt.saturating_sub(1)));
    if let Some(path) = &settings.creds {
        let path = expand_home(path);
        options = options
            .credentials_file(&path)
            .await
            .with_context(|| format!("cannot read credentials file {}", path.display()))?;
    }
    if let Some(path) = &settings.nkey {
        let path = expand_home(path);
        let seed = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read nkey file {}", path.display()))?;
        options = options.nkey(seed.trim().to_owned());
    }
    if let Some(token) = &settings.token {
        options = options.token(token.clone());
    }
    if let Some(user) = &settings.user {
        let password = settings.password.clone().unwrap_or_default();
        options = options.user_and_password(user.clone(), password);
    }
    options = with_tls(options, settings)?;
    // Each user reads its own answers only.
    let of_user = settings.user.as_deref().and_then(inbox);
    if let Some(prefix) = settings.inbox_prefix.as_ref().or(of_user.as_ref()) {
        options = options.custom_inbox_prefix(prefix);
    }
    Ok(options)
}

fn watch_events(
    options: ConnectOptions,
    connected: watch::Sender<u64>,
    link: watch::Sender<Link>,
    party: &str,
    violations: Violations,
) -> ConnectOptions {
    let party = party.to_owned();
    let (connected, link) = (Arc::new(connected), Arc::new(link));
    options.event_callback(move |event| {
        record_link(&event, &link);
        record_event(&event, &connected, &party, &violations);
        std::future::ready(())
    })
}

/// Logs why a server cannot be reached again, once for each reason: the client library
/// shows it nowhere else.
fn watch_failures(options: ConnectOptions) -> ConnectOptions {
    let logged = Mutex::new(BTreeMap::new());
    options.reconnect_to_server_callback(move |servers, _| {
        let reason = |server: async_nats::Server| Some((server.to_string(), server.last_error?));
        let reasons: BTreeMap<String, String> = servers.into_iter().filter_map(reason).collect();
        let mut logged = logged.lock().unwrap_or_else(PoisonError::into_inner);
        for (server, why) in &reasons {
            if logged.get(server) != Some(why) {
                tracing::warn!(event = "nats_unreachable", server, "{why}");
            }
        }
        *logged = reasons;
        // The library chooses which server is tried next.
        std::future::ready(None)
    })
}

fn record_link(event: &Event, link: &watch::Sender<Link>) {
    match event {
        Event::Connected => link.send_modify(|link| {
            link.is_up = true;
            link.number += 1;
        }),
        Event::Disconnected => link.send_modify(|link| link.is_up = false),
        Event::ServerError(_)
        | Event::SlowConsumer(_)
        | Event::ClientError(_)
        | Event::LameDuckMode
        | Event::Draining
        | Event::Closed => {}
    }
}

fn record_event(
    event: &Event,
    connected: &watch::Sender<u64>,
    party: &str,
    violations: &Violations,
) {
    match event {
        Event::Connected => {
            connected.send_modify(|count| *count += 1);
            tracing::info!(event = "nats_connected", "connected to NATS");
        }
        Event::Disconnected => {
            tracing::warn!(event = "nats_disconnected", "lost the connection to NATS");
        }
        Event::ServerError(ServerError::Other(text)) if text.contains("ermissions") => {
            violations.record(party, text);
        }
        Event::SlowConsumer(_) => {
            tracing::error!(event = "nats_slow_consumer", "messages dropped: {event}");
        }
        Event::ServerError(_) | Event::ClientError(_) => {
            tracing::warn!(event = "nats_error", "NATS: {event}");
        }
        Event::LameDuckMode | Event::Draining | Event::Closed => {
            tracing::info!(event = "nats_event", "NATS: {event}");
        }
    }
}
