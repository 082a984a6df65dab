//! Kinds of published events, and the parts of their descriptions.

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NodeJoined,
    NodeDraining,
    NodeGone,
    NodesMissing,
    NodeClockSkewed,
    NodeDistrusted,
    NodeUnable,
    NodeTrusted,
    NodeEpochAhead,
    RoleChanging,
    RoleChanged,
    RoleVacant,
    RoleFilled,
    RoleClaimed,
    RoleLimited,
    RoleOverloaded,
    CategoryFound,
    CategoryLate,
    CategoryUnplaceable,
    CategoryPlaceable,
    JobDead,
    JobCancelled,
    JobLost,
    QueueRecreated,
    PlacementDiverted,
    PlacementAdvised,
    LeaseTaken,
    LeaseLost,
    TroubleBegan,
    TroubleLasts,
    TroubleOver,
    MessageRefused,
}

/// Whether an operator should act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Info,
    Warning,
    Error,
}

impl Severity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Fields of data, and their meanings.
pub(super) type Fields = &'static [(&'static str, &'static str)];

/// The description of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) kind: Kind,
    /// The end of its subject and of its type.
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    pub(crate) meaning: &'static str,
    /// The thing that its attribute `subject` names.
    pub(crate) subject: &'static str,
    /// Fields beside [`COMMON`].
    pub(crate) fields: Fields,
}

impl Form {
    /// Whether data of this kind may have the field.
    pub(crate) fn has(&self, field: &str) -> bool {
        let mut fields = self.fields.iter().chain(&COMMON);
        fields.any(|(name, _)| *name == field)
    }
}

/// Fields that all data may have.
pub(crate) const COMMON: [(&str, &str); 2] = [
    ("message", "the event in words"),
    (
        "suppressed",
        "events of this or a related kind that were too many to be published before this one; \
         absent if none",
    ),
];

/// Returns a form: kind, name, severity, subject, and then meaning and fields.
pub(super) const fn form(
    kind: Kind,
    name: &'static str,
    severity: Severity,
    subject: &'static str,
    (meaning, fields): (&'static str, Fields),
) -> Form {
    Form {
        kind,
        name,
        severity,
        meaning,
        subject,
        fields,
    }
}
