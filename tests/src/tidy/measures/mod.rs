//! Measures of the code's shape, each with a limit that it may not exceed.
//!
//! The limits are the present counts: a change that lowers a count lowers its limit too.

mod cycles;
mod items;
mod paths;
mod resolve;
mod tree;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use tree::Tree;

/// A way to find what a measure counts.
type Find = fn(&Tree) -> Vec<Finding>;

/// Measures that count findings: the name, the limit, and the way to find them.
const FINDINGS_MAX: [(&str, usize, Find); 7] = [
    ("files over 400 own lines", 0, items::long_files),
    ("structs with more than 12 fields", 0, items::large_structs),
    (
        "types with impl in more than 3 files",
        0,
        items::spread_types,
    ),
    ("cycles between modules", 0, cycles::cycles),
    ("first lines that are questions", 0, items::questions),
    ("functions over 70 lines", 0, items::long_functions),
    ("words with better ones", 0, words::old_words),
];
/// Limits of the `pub` items of each package's library; without an entry it may have none.
const PUBLIC_ITEMS_MAX: [(&str, usize); 11] = [
    ("rolecast-common", 525),
    ("rolecast-nats", 68),
    ("rolecast-http", 40),
    ("rolecast-forecast", 85),
    ("rolecast-dispatcher", 264),
    ("rolecast-page", 24),
    ("rolecast-worker", 99),
    ("rolecast-simulator", 91),
    ("rolecast", 2),
    ("rolecast-tests", 241),
    ("rolecast-benches", 8),
];

/// The measures of a repository.
#[derive(Debug)]
pub struct Measures {
    pub measures: Vec<Measure>,
    /// Own lines of each package; they have no limit.
    pub own_lines: BTreeMap<String, usize>,
}

/// One measure.
#[derive(Debug)]
pub struct Measure {
    pub name: String,
    pub count: usize,
    pub limit: usize,
    /// The places that are counted, the largest first; none for `pub` items.
    pub findings: Vec<Finding>,
}

/// A place that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Lines, fields, files or modules.
    pub size: usize,
    pub text: String,
}

impl Measure {
    pub fn is_over(&self) -> bool {
        self.count > self.limit
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, at most {}", self.name, self.count, self.limit)?;
        for finding in &self.findings {
            write!(f, "\n{:6} {}", finding.size, finding.text)?;
        }
        Ok(())
    }
}

/// Measures all code under `root`.
pub fn measure(root: &Path) -> Measures {
    let tree = Tree::read(root, &super::files(root));
    let mut measures = Vec::new();
    for (name, limit, find) in FINDINGS_MAX {
        let mut findings = find(&tree);
        findings.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.text.cmp(&b.text)));
        measures.push(Measure {
            name: name.to_owned(),
            count: findings.len(),
            limit,
            findings,
        });
    }
    for (package, count) in items::public_items(&tree) {
        let limit = PUBLIC_ITEMS_MAX.iter().find(|(name, _)| *name == package);
        measures.push(Measure {
            name: format!("pub items of {package}"),
            count,
            limit: limit.map_or(0, |(_, limit)| *limit),
            findings: Vec::new(),
        });
    }
    let own_lines = items::own_lines(&tree);
    Measures {
        measures,
        own_lines,
    }
}
