//! Reads the environment of the command.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// Settings from the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// Whether colours are off (<https://no-color.org>).
    pub(crate) no_color: bool,
    /// Whether the terminal cannot show colours.
    pub(crate) dumb_terminal: bool,
    /// The name of the user, for records.
    pub(crate) user: Option<String>,
    /// The nats-server that `demo` starts.
    pub(crate) nats_server: Option<PathBuf>,
    /// Directories in which programs are found.
    pub(crate) path: Option<OsString>,
    /// Variables by which programs find NATS.
    pub(crate) nats_variables: Vec<OsString>,
}

impl Environment {
    #[allow(clippy::disallowed_methods, reason = "this file reads the environment")]
    pub(crate) fn read() -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            no_color: set("NO_COLOR").is_some(),
            dumb_terminal: set("TERM").is_some_and(|term| term == "dumb"),
            user: set("USER").and_then(|user| user.into_string().ok()),
            nats_server: set("NATS_SERVER").map(PathBuf::from),
            path: set("PATH"),
            nats_variables: env::vars_os()
                .map(|(name, _)| name)
                .filter(|name| name.to_string_lossy().starts_with("NATS_"))
                .collect(),
        }
    }
}
