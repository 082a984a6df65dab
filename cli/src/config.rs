//! Reads the environment of the command.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the environment says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// Colours are not wanted (<https://no-color.org>).
    pub no_color: bool,
    /// The terminal cannot do colours.
    pub dumb_terminal: bool,
    /// The nats-server that `demo` starts.
    pub nats_server: Option<PathBuf>,
    /// Where programs are found.
    pub path: Option<OsString>,
}

impl Environment {
    #[allow(clippy::disallowed_methods, reason = "this file reads the environment")]
    pub(crate) fn read() -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            no_color: set("NO_COLOR").is_some(),
            dumb_terminal: set("TERM").is_some_and(|term| term == "dumb"),
            nats_server: set("NATS_SERVER").map(PathBuf::from),
            path: set("PATH"),
        }
    }
}
