//! Words in comments and messages for which the field has better ones.
//!
//! Code, quoted names such as `"heard"`, and what stands in backticks or braces are free.

use std::path::Path;

use super::super::source::{Source, has_word};
use super::Finding;
use super::tree::Tree;

/// Words, each with the ones to write.
const WORDS: [(&[&str], &str); 8] = [
    (
        &["bury", "buries", "buried", "burying", "burial"],
        "dead-letter",
    ),
    (
        &["hear", "hears", "heard", "hearing", "unheard"],
        "receive, observe",
    ),
    (
        &["tell", "tells", "telling", "told"],
        "report, notify, show",
    ),
    (&["say", "says", "saying", "said"], "report, state, show"),
    (&["came", "became of", "comes of"], "arrived, outcome"),
    (&["noted", "mend", "mends", "mended"], "recorded, correct"),
    (
        &["that which", "whereupon", "thereupon", "thus"],
        "a new sentence",
    ),
    (&["afresh", "spoke", "spoken", "brought"], "again, sent"),
];
/// Files that have to name them.
const LISTS: [&str; 2] = ["tests/src/tidy/measures/words.rs", "tests/tests/tidy.rs"];

pub(super) fn old_words(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_list = |path: &Path| LISTS.iter().any(|list| path.ends_with(list));
    for file in tree.files.iter().filter(|file| !is_list(&file.path)) {
        let prose = Source::new(&file.text).prose();
        for (index, line) in prose.to_lowercase().lines().enumerate() {
            for (words, better) in WORDS {
                for word in words.iter().filter(|word| has_word(line, word)) {
                    let (path, line) = (file.path.display(), index + 1);
                    let text = format!("{path}:{line}: `{word}`, better: {better}");
                    found.push(Finding { size: 1, text });
                }
            }
        }
    }
    found
}
