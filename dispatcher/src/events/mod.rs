//! Events that are published for operators and their tools: the catalogue, and the events
//! of the scheduler in its terms.
//!
//! `docs/events.md` is made from the catalogue.

mod forms;
mod kind;
mod mapping;
mod notice;
mod placement;
mod role_forms;
mod roles;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use forms::forms;
use kind::COMMON;

pub(crate) use mapping::notice;
pub(crate) use notice::Notice;

/// Returns the catalogue as Markdown.
pub fn catalogue() -> String {
    let mut text = String::from("In the data of all events:\n\n| Field | |\n|---|---|\n");
    for (field, meaning) in COMMON {
        row(&mut text, field, meaning);
    }
    for form in forms() {
        let (name, severity) = (form.name, form.severity.as_str());
        let subject = form.subject;
        let meaning = form.meaning.split_at(1);
        let (first, rest) = (meaning.0.to_uppercase(), meaning.1);
        let _ = write!(
            text,
            "\n### {name}\n\n{first}{rest}.\nSeverity {severity}; subject: {subject}.\n"
        );
        if !form.fields.is_empty() {
            text.push_str("\n| Field | |\n|---|---|\n");
        }
        for (field, meaning) in form.fields {
            row(&mut text, field, meaning);
        }
    }
    text
}

fn row(text: &mut String, field: &str, meaning: &str) {
    let _ = writeln!(text, "| `{field}` | {meaning} |");
}

/// Returns the names of all kinds.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    forms().map(|form| form.name)
}
