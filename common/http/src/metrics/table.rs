//! Rows of a table of metrics, and their documentation.

use std::fmt::{self, Write as _};

use prometheus_client::registry::Unit;

use super::exemplars::BUCKET;
use super::samples::{Kind, Samples};

/// One metric: its description, and the way to read its values from figures of type `F`.
pub struct Row<F> {
    /// The name of its samples; it ends with the unit, and `_total` if it is a counter.
    pub name: &'static str,
    pub kind: Kind,
    /// One sentence without a full stop, for `# HELP`.
    pub help: &'static str,
    pub labels: &'static [&'static str],
    /// The most series, and the reason.
    pub bound: &'static str,
    pub read: fn(&F, &mut Samples<'_, '_>) -> fmt::Result,
}

impl<F> fmt::Debug for Row<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({})", self.name)
    }
}

const TOTAL: &str = "_total";

impl<F> Row<F> {
    /// Returns the name without the suffix of a counter and the unit, and the unit.
    pub(super) fn parts(&self) -> (&'static str, Option<Unit>) {
        let name = self.name.strip_suffix(TOTAL).unwrap_or(self.name);
        let units = [
            Unit::Seconds,
            Unit::Bytes,
            Unit::Other("cores".to_owned()),
            Unit::Other("ratio".to_owned()),
        ];
        for unit in units {
            let stem = name.strip_suffix(unit.as_str());
            if let Some(stem) = stem.and_then(|stem| stem.strip_suffix('_')) {
                return (stem, Some(unit));
            }
        }
        (name, None)
    }

    /// Returns a mistake in the description, if there is one.
    fn mistake(&self) -> Option<&'static str> {
        let is_total = self.name.ends_with(TOTAL);
        let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        if is_total != (self.kind == Kind::Counter) {
            return Some("counters, and no others, end with _total");
        }
        if !self.name.bytes().all(is_lower) {
            return Some("a name has small letters only");
        }
        if self.name.ends_with(BUCKET) {
            return Some("only a library names samples of buckets");
        }
        if self.help.is_empty() || self.help.ends_with('.') || self.help.contains('\n') {
            return Some("the help is one sentence without a full stop");
        }
        None
    }
}

/// Returns the rows of a table of the documentation.
///
/// # Panics
/// If a row breaks the conventions for names.
pub fn document<F>(rows: &[Row<F>]) -> String {
    let mut text =
        "| Name | Kind | Labels | Meaning | Series |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        assert!(row.mistake().is_none(), "{}: {:?}", row.name, row.mistake());
        let kind = row.kind.metric_type();
        let labels: Vec<String> = row
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            row.name,
            kind.as_str(),
            labels.join(", "),
            row.help.replace('|', "\\|"),
            row.bound
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, kind: Kind) -> Row<()> {
        Row {
            name,
            kind,
            help: "Jobs that ended",
            labels: &["category"],
            bound: "10",
            read: |(), _| Ok(()),
        }
    }

    #[test]
    fn a_unit_is_the_last_word_of_a_name() {
        let parts = |name, kind| {
            let (stem, unit) = row(name, kind).parts();
            (stem, unit.map(|unit| unit.as_str().to_owned()))
        };
        let seconds = Some("seconds".to_owned());
        assert_eq!(
            parts("a_cpu_seconds_total", Kind::Counter),
            ("a_cpu", seconds)
        );
        assert_eq!(parts("a_jobs_total", Kind::Counter), ("a_jobs", None));
        assert_eq!(
            parts("a_cores", Kind::Gauge),
            ("a", Some("cores".to_owned()))
        );
        assert_eq!(parts("a_leads", Kind::Gauge), ("a_leads", None));
    }

    #[test]
    fn names_that_break_the_conventions_are_found() {
        assert_eq!(row("a_total", Kind::Counter).mistake(), None);
        assert!(row("a", Kind::Counter).mistake().is_some());
        assert!(row("a_total", Kind::Gauge).mistake().is_some());
        assert!(row("aB", Kind::Gauge).mistake().is_some());
        assert!(row("a_bucket", Kind::Gauge).mistake().is_some());
        let line = "| `a_total` | counter | `category` | Jobs that ended | 10 |\n";
        assert!(document(&[row("a_total", Kind::Counter)]).ends_with(line));
    }
}
