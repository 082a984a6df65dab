//! Forms of the events about managed roles.

use super::kind::Severity::{Error, Info, Warning};
use super::kind::{Form, Kind, form};

pub(super) const ROLES: [Form; 7] = [
    form(
        Kind::RoleChanging,
        "role.changing",
        Info,
        "role",
        (
            "a managed role moves: one of the two phases of a change begins",
            &[
                ("group", "the group of roles"),
                ("phase", "`demoting` or `promoting`"),
                ("node", "the node that gives the role up or takes it on"),
                ("from", "the holder before the change; absent if none"),
                (
                    "to",
                    "the node that gets the role next; absent if not known",
                ),
                ("why", "as `why` in docs/protocol.md, *Managed roles*"),
                ("reason", "why the holder is unfit; absent for other causes"),
                (
                    "figures",
                    "figures of a change because of load; else absent",
                ),
                ("generation", "generation of the roles' document"),
                ("trouble", "what did not go as planned; absent if nothing"),
            ],
        ),
    ),
    form(
        Kind::RoleChanged,
        "role.changed",
        Info,
        "role",
        (
            "a change of a managed role has ended",
            &[
                ("group", "the group of roles"),
                ("from", "the holder before the change; absent if none"),
                ("to", "the holder after it; absent if none"),
                ("result", "`done`, `undone` or `vacated`"),
                ("why", "as `why` in docs/protocol.md, *Managed roles*"),
                (
                    "reason",
                    "why the holder was unfit; absent for other causes",
                ),
                (
                    "figures",
                    "figures of a change because of load; else absent",
                ),
                ("took_ms", "duration of the change"),
                ("generation", "generation of the roles' document"),
                ("trouble", "what did not go as planned; absent if nothing"),
            ],
        ),
    ),
    form(
        Kind::RoleVacant,
        "role.vacant",
        Error,
        "role",
        (
            "a managed role has too few holders, and no node can take it",
            &[
                ("missing", "number of missing holders"),
                ("reason", "why no node can take it"),
            ],
        ),
    ),
    form(
        Kind::RoleFilled,
        "role.filled",
        Info,
        "role",
        ("a managed role has all its holders again", &[]),
    ),
    form(
        Kind::RoleClaimed,
        "role.claimed",
        Warning,
        "role",
        (
            "a node acts in a managed role that it was not given, and gets no jobs for it",
            &[("node", "the node")],
        ),
    ),
    form(
        Kind::RoleLimited,
        "role.limited",
        Warning,
        "role",
        (
            "a role should move, but the limit of changes within the hour is reached",
            &[],
        ),
    ),
    form(
        Kind::RoleOverloaded,
        "role.overloaded",
        Warning,
        "role",
        (
            "so many nodes that may hold a role are overloaded that no change helps",
            &[
                ("overloaded", "number of these nodes"),
                ("nodes", "number of nodes that report their load"),
            ],
        ),
    ),
];
