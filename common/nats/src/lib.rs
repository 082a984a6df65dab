//! Connection of a program to NATS.
//!
//! Every Rolecast program uses it in this order:
//!
//! 1. [`nats_settings`]: the address and login, from flags, the environment, the program's
//!    config and a `nats` context, as the `nats` command finds them;
//! 2. [`connect`]: a [`Connection`] that reconnects by itself and keeps what the server
//!    refused; [`check_jetstream`] returns an error that names the remedy where JetStream is off;
//! 3. requests of its own by async-nats. If one fails, [`meaning_of`] returns the meaning of
//!    the server's code, such as a lost compare-and-set, and [`explain`] adds a missing right.
//!    [`publish_with_retry`] repeats a publication until the stream has stored it.
//!
//! Beside these are the clocks of a program ([`Clock`], [`Timer`]), the headers of messages
//! ([`job_headers`], [`headers_len`]), and reports to systemd ([`ServiceManager`]).
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use rolecast_nats::{Settings, check_jetstream, connect, explain, nats_settings};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let flags = Settings {
//!     url: Some("nats://localhost:4222".to_owned()),
//!     ..Settings::default()
//! };
//! let settings = nats_settings(flags, Settings::default())?;
//! let connection = connect(&settings, "example", Duration::from_secs(10)).await?;
//! check_jetstream(&connection).await?;
//! let jetstream = connection.jetstream(&settings);
//! let stream = jetstream.get_stream("ROLECAST_JOBS").await;
//! let stream = stream.map_err(|error| explain(&connection, error.into()))?;
//! println!("{} jobs wait", stream.cached_info().state.messages);
//! # Ok(())
//! # }
//! ```
//!
//! The meaning of an error can be read without a server:
//!
//! ```
//! use rolecast_nats::{Meaning, ServerError};
//!
//! let error = ServerError {
//!     code: 400,
//!     err_code: 10071, // Wrong last sequence.
//!     description: String::new(),
//! };
//! assert_eq!(error.meaning(), Meaning::Conflict);
//! assert!(!error.meaning().is_passing());
//! ```
//!
//! This crate is a shell: it reads clocks, files and the environment, so pure code gets
//! from it only data and functions over data.

#![warn(missing_docs)]
#![allow(
    clippy::disallowed_methods,
    reason = "this crate is a shell that reads clocks and the environment"
)]

mod account;
mod clock;
mod codes;
mod connect;
mod context;
mod diagnose;
mod flags;
mod hangup;
mod headers;
mod login;
mod publish;
mod service_manager;
mod timer;
mod tls;
mod violations;

pub use account::{check_jetstream, explain};
pub use clock::Clock;
pub use codes::{Meaning, ServerError, meaning_of};
pub use connect::{Connection, Link, connect, connect_once};
pub use context::{Settings, has_secret, nats_settings, secret_variables};
pub use diagnose::{SERVER_VERSION_MIN, ServerTooOld, check_server, parse_version};
pub use flags::Flags;
pub use hangup::is_hangup_ignored;
pub use headers::{
    HEADERS_LEN_MAX, headers_len, is_for_the_store, job_headers, without_store_headers,
};
pub use publish::{publish_reporting, publish_with_retry};
pub use service_manager::{ServiceManager, Stage};
pub use timer::Timer;
pub use violations::Violation;
