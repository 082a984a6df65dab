//! Access to NATS for programs: connections, contexts and diagnosis.

#![allow(
    clippy::disallowed_methods,
    reason = "this module is the shell that reads clocks and the environment"
)]

mod clock;
mod codes;
mod connect;
mod context;
mod diagnose;
mod hangup;
mod headers;
mod login;
mod publish;
mod timer;
mod tls;
mod violations;

pub use clock::Clock;
pub use codes::{Meaning, ServerError, meaning_of};
pub use connect::{Connection, Link, connect, connect_once};
pub use context::{Settings, has_secret, nats_settings, secret_variables};
pub use diagnose::{SERVER_VERSION_MIN, check_jetstream, check_server, explain};
pub use hangup::is_hangup_ignored;
pub use headers::{HEADERS_LEN_MAX, headers_len, is_for_the_store, without_store_headers};
pub use publish::{publish_noting, publish_with_retry};
pub use timer::Timer;
pub use violations::Violation;
