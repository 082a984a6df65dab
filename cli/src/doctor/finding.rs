//! Findings, and the report that contains them.

use rolecast_common::time::WallTime;
use serde::{Serialize, Serializer};

use super::area::{Area, Severity};
use super::catalogue::Entry;

/// The most findings of one kind that are reported one by one; the last one counts the rest.
const ONE_BY_ONE_MAX: usize = 10;

/// A condition that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) entry: &'static Entry,
    /// The condition, with its names and figures.
    pub(crate) what: String,
    pub(crate) since: Option<WallTime>,
    /// The next command to type.
    pub(crate) command: String,
}

impl Finding {
    /// Returns a finding whose command is that of its entry.
    pub(crate) fn new(entry: &'static Entry, what: impl Into<String>) -> Self {
        Self {
            entry,
            what: what.into(),
            since: None,
            command: entry.command.to_owned(),
        }
    }

    /// Replaces the command.
    pub(crate) fn by(self, command: impl Into<String>) -> Self {
        let command = command.into();
        Self { command, ..self }
    }

    pub(crate) fn since(self, since: WallTime) -> Self {
        let since = Some(since);
        Self { since, ..self }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// A finding as it is printed with `--json`.
        #[derive(Serialize)]
        struct Document<'a> {
            id: &'a str,
            area: Area,
            severity: Severity,
            what: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            since_ms: Option<WallTime>,
            why: &'a str,
            command: &'a str,
        }
        let document = Document {
            id: self.entry.id,
            area: self.entry.area,
            severity: self.entry.severity,
            what: &self.what,
            since_ms: self.since,
            why: self.entry.why,
            command: &self.command,
        };
        document.serialize(serializer)
    }
}

/// A part that was checked, whether or not something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Checked {
    pub(crate) area: Area,
    /// The good state, in a few words.
    pub(crate) what: String,
}

/// A part that could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NotChecked {
    pub(crate) area: Area,
    pub(crate) why: String,
}

/// Result of all checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    v: u8,
    /// The gravest first.
    pub(crate) findings: Vec<Finding>,
    pub(crate) checked: Vec<Checked>,
    pub(crate) not_checked: Vec<NotChecked>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            v: 1,
            ..Self::default()
        }
    }

    pub(super) fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds findings of one kind: in a large fleet the first of them, and the number of
    /// the others.
    pub(super) fn find_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        let mut findings: Vec<Finding> = findings.into_iter().collect();
        let rest = findings.len().saturating_sub(ONE_BY_ONE_MAX);
        findings.truncate(ONE_BY_ONE_MAX);
        if rest > 0
            && let Some(last) = findings.last_mut()
        {
            last.what = format!("{}; and {rest} more like it", last.what);
        }
        self.findings.extend(findings);
    }

    pub(super) fn checked(&mut self, area: Area, what: impl Into<String>) {
        let what = what.into();
        self.checked.push(Checked { area, what });
    }

    pub(super) fn not_checked(&mut self, area: Area, why: impl Into<String>) {
        let why = why.into();
        self.not_checked.push(NotChecked { area, why });
    }

    /// Sorts all parts for readers: the gravest first, then by area.
    pub(super) fn sorted(mut self) -> Self {
        let rank = |finding: &Finding| (finding.entry.severity, finding.entry.area);
        self.findings.sort_by_key(rank);
        self.checked.sort_by_key(|checked| checked.area);
        self.not_checked.sort_by_key(|not| not.area);
        self
    }

    /// Returns the weight of the gravest finding.
    pub(crate) fn gravest(&self) -> Option<Severity> {
        let severities = self.findings.iter().map(|finding| finding.entry.severity);
        severities.min()
    }

    /// Returns the weight of the gravest finding of an area.
    pub(crate) fn gravest_of(&self, area: Area) -> Option<Severity> {
        let of_area = self.findings.iter();
        let of_area = of_area.filter(|finding| finding.entry.area == area);
        of_area.map(|finding| finding.entry.severity).min()
    }
}
