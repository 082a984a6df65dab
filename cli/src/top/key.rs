//! Keys that the live view reacts to.

/// One key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    /// Ctrl-C, which a raw terminal does not make a signal.
    Interrupt,
    /// Ctrl-Z, likewise.
    Suspend,
    /// Ctrl-L.
    Redraw,
}

/// The help: keys, and their effect.
pub(super) const HELP: [(&str, &str); 15] = [
    ("1-5, Tab", "nodes, categories, roles, jobs, alarms"),
    (
        "↑ ↓, j k",
        "select; g G: first, last; PgUp PgDn: far, or turn a page",
    ),
    (
        "Enter, →",
        "details of the selected row; of a job, its explain",
    ),
    ("Esc, ←", "back"),
    ("/", "filter: part of a name, role, label or state"),
    ("s, S", "sort by the next or the previous column"),
    ("r", "reverse the order"),
    ("e", "explain a job by its id"),
    ("p, space", "pause, and continue"),
    ("+, -", "update more often, or less"),
    ("Ctrl-L", "draw again"),
    ("Ctrl-Z", "suspend; fg continues"),
    ("?", "this help"),
    ("q, Ctrl-C", "quit"),
    ("", "Nothing here changes anything: orders are commands."),
];
