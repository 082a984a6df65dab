//! Fuzz targets: the readers, and the rules for all values that they read.

pub(super) mod checkpoint;
pub(super) mod messages;
pub(super) mod names;
pub(super) mod text;

use rolecast_common::subjects::is_literal;

/// Checks that a name is one plain token of a subject.
fn assert_token(name: &str) {
    let is_one = !name.is_empty() && is_literal(name) && !name.contains('.');
    assert!(is_one, "{name:?} is no token of a subject");
}
