//! Read-only HTTP of Rolecast's programs: health, metrics and pages.
//!
//! A program reads its [`Settings`], opens a [`Door`] and serves an axum `Router` behind it.
//! The server has a thread and a runtime of its own, so no request takes time of the
//! program's loop. Every request passes the guard: it may only read, names a host
//! that is served here, and has the token if there is one.
//!
//! [`metrics`] has the table from which metrics are encoded and documented.

mod guard;
mod host;
pub mod metrics;
mod server;
mod settings;
mod slots;
mod token;

pub use server::{Door, Server};
pub use settings::{Listen, NoToken, Settings};
pub use slots::{Slot, Slots};
