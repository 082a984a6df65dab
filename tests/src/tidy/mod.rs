//! Rules of the repository that no compiler checks.
//!
//! - Pure code has no clock, environment, randomness, network, file, thread,
//!   lock or `.await` (`purity`).
//! - A Rust file begins with its duty, which is not put as a question, and has at most
//!   [`OWN_LINES_MAX`] own lines.
//! - Nothing is left for later, and no test is switched off.
//! - Crates depend on each other in one direction (`crates`).
//!
//! Of what grows slowly, such as long functions, it holds the count (`measures`).

pub mod measures;

mod crates;
mod purity;
mod source;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// The most lines a Rust file may have, without the unit tests at its end.
pub const OWN_LINES_MAX: usize = 400;

/// Directories that are not checked.
const SKIPPED: [&str; 3] = ["target", ".git", ".tools"];
/// Words with which a file does not name its duty.
const QUESTIONS: [&str; 7] = ["What", "How", "Who", "Where", "When", "Which", "Why"];
/// Words that mark work left for later, or a test switched off.
const UNFINISHED: [&str; 5] = ["TODO", "FIXME", "todo!", "unimplemented!", "#[ignore"];

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offence {
    /// Relative to the root that was checked.
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
    pub text: String,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.text)
    }
}

/// Checks every file under `root` and returns all offences in the order of their places.
pub fn offences(root: &Path) -> Vec<Offence> {
    let mut found = Vec::new();
    for path in files(root) {
        let text = fs::read_to_string(root.join(&path)).unwrap_or_default();
        let mut report = |line: usize, text: String| {
            let path = path.clone();
            found.push(Offence { path, line, text });
        };
        check(&path, &text, &mut report);
    }
    found.sort();
    found
}

fn check(path: &Path, text: &str, report: &mut dyn FnMut(usize, String)) {
    let name = path.file_name().and_then(|name| name.to_str());
    let extension = path.extension().and_then(|extension| extension.to_str());
    if name == Some("Cargo.toml") {
        crates::check(text, report);
    }
    match extension {
        Some("rs") => check_rust(path, text, report),
        Some("py" | "sh" | "toml") => check_finished(text, report),
        _ => {}
    }
}

fn check_rust(path: &Path, text: &str, report: &mut dyn FnMut(usize, String)) {
    let source = Source::new(text);
    if !text.starts_with("//! ") {
        report(
            1,
            "does not begin with a line `//!` that names its duty".to_owned(),
        );
    }
    if let Some(word) = question(text) {
        report(1, format!("begins with `{word}`: name what it is"));
    }
    let own_lines = source.own_lines();
    if own_lines > OWN_LINES_MAX {
        let text = format!("{own_lines} own lines, at most {OWN_LINES_MAX}");
        report(own_lines, text);
    }
    check_finished(&source.without_strings(), report);
    if purity::is_pure(path) {
        purity::check(&source, report);
    }
}

/// Returns the first word of a file if it puts the duty as a question.
fn question(text: &str) -> Option<&str> {
    let word = text.split_whitespace().nth(1)?;
    QUESTIONS.contains(&word).then_some(word)
}

fn check_finished(text: &str, report: &mut dyn FnMut(usize, String)) {
    for (index, line) in text.lines().enumerate() {
        for word in UNFINISHED.into_iter().filter(|word| line.contains(word)) {
            report(index + 1, format!("`{word}`: finish it, or leave it out"));
        }
    }
}

/// Returns every file under `root`, relative to it.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(root.join(&directory)).expect("the repository is readable");
        for entry in entries {
            let entry = entry.expect("the repository is readable");
            let path = directory.join(entry.file_name());
            let kind = entry.file_type().expect("the repository is readable");
            let is_skipped = SKIPPED.iter().any(|name| path.ends_with(name));
            if kind.is_dir() && !is_skipped {
                directories.push(path);
            } else if kind.is_file() {
                files.push(path);
            }
        }
    }
    files
}
