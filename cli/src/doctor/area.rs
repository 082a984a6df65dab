//! Parts of the system that are checked, and weights of findings.

use serde::{Serialize, Serializer};

/// Weight of a finding; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Jobs wait or are lost, or will be at the next fault.
    Trouble,
    /// It works, and is not as it should be.
    Warning,
    /// Worth knowing; it does not change the exit code.
    Note,
}

impl Severity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Severity::Trouble => "trouble",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// Part of the system that is checked, in the order in which the parts are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Area {
    Connection,
    Server,
    Login,
    Account,
    Streams,
    Consumers,
    Dispatcher,
    Clocks,
    Nodes,
    Categories,
    DeadLetters,
    Roles,
    Forecasts,
    Settings,
}

impl Area {
    pub(crate) const ALL: [Area; 14] = [
        Area::Connection,
        Area::Server,
        Area::Login,
        Area::Account,
        Area::Streams,
        Area::Consumers,
        Area::Dispatcher,
        Area::Clocks,
        Area::Nodes,
        Area::Categories,
        Area::DeadLetters,
        Area::Roles,
        Area::Forecasts,
        Area::Settings,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Area::Connection => "connection",
            Area::Server => "server",
            Area::Login => "login",
            Area::Account => "account",
            Area::Streams => "streams",
            Area::Consumers => "consumers",
            Area::Dispatcher => "dispatcher",
            Area::Clocks => "clocks",
            Area::Nodes => "nodes",
            Area::Categories => "categories",
            Area::DeadLetters => "dead letters",
            Area::Roles => "roles",
            Area::Forecasts => "forecasts",
            Area::Settings => "settings",
        }
    }
}

impl Serialize for Area {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
