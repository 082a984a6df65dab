//! Examples in the documents, read so that tests can check them.

use std::fs;

use crate::process::repository;

/// Returns the fenced blocks of a document whose opening fence is exactly
/// "```" and `label`; panics if there are none.
pub fn blocks(document: &str, label: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join(document));
    let text = text.unwrap_or_else(|error| panic!("cannot read {document}: {error}"));
    let fence = format!("```{label}");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while lines.any(|line| line == fence) {
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        found.push(block.join("\n"));
    }
    assert!(!found.is_empty(), "{document} has no block {label:?}");
    found
}
