//! Catalogue of all findings, and the document made of it.

pub(super) mod lead;
pub(super) mod nats;
pub(super) mod work;

use serde::Serialize;

use super::area::{Area, Severity};

/// A kind of finding.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    pub(crate) id: &'static str,
    pub(crate) area: Area,
    pub(crate) severity: Severity,
    /// The condition, without names and figures.
    pub(crate) what: &'static str,
    /// The reason why it matters.
    pub(crate) why: &'static str,
    /// The command that repairs it, or the first one to type; names are in capitals.
    pub(crate) command: &'static str,
}

/// Returns all kinds of findings, by area.
pub(crate) fn all() -> impl Iterator<Item = &'static Entry> {
    let lists = [nats::ALL, lead::ALL, work::ALL];
    lists.into_iter().flatten().copied()
}

/// Writes the catalogue as a part of a Markdown document.
pub(crate) fn markdown() -> String {
    let mut text = String::new();
    for area in Area::ALL {
        let of_area: Vec<&Entry> = all().filter(|entry| entry.area == area).collect();
        text.push_str(&format!("\n## {}\n", heading(area)));
        for entry in of_area {
            let Entry {
                id,
                severity,
                what,
                why,
                command,
                ..
            } = entry;
            let severity = severity.as_str();
            text.push_str(&format!("\n**`{id}`** ({severity}): {what}. {why}.\n"));
            text.push_str(&format!("\n```\n{command}\n```\n"));
        }
    }
    text.trim_start().to_owned()
}

/// Returns the name of an area with a capital.
fn heading(area: Area) -> String {
    let name = area.as_str();
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_of_finding_is_listed_once_and_complete() {
        let ids: BTreeSet<&str> = all().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), all().count());
        for entry in all() {
            let is_id = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(entry.id.chars().all(is_id), "{}", entry.id);
            for text in [entry.what, entry.why, entry.command] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}", entry.id);
            }
            let first = entry.why.chars().next().unwrap();
            assert!(first.is_uppercase(), "{}", entry.id);
        }
    }

    #[test]
    fn the_document_is_the_catalogue() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/doctor.md");
        let document = std::fs::read_to_string(path).unwrap();
        let (_, part) = document.split_once("## Connection\n").unwrap();
        let printed = markdown();
        let (_, expected) = printed.split_once("## Connection\n").unwrap();
        assert_eq!(
            part, expected,
            "write docs/doctor.md again: rolecast doctor --list"
        );
    }
}
