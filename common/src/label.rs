//! Labels: properties of a node, such as `gpu=a100`, and a job's requirements on them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::bounds;
use crate::fnv::fnv1a;

/// The longest name of a label, in bytes.
pub const LABEL_NAME_LEN_MAX: usize = 32;
/// The longest value of a label, in characters.
pub const LABEL_VALUE_LEN_MAX: usize = 64;
/// The most labels of a node, so that its heartbeat stays small.
pub const LABELS_MAX: usize = 32;
/// The most labels a job may require: each is checked for every node.
pub const REQUIREMENT_LEN_MAX: usize = 8;
/// The longest shard key, in characters.
pub const SHARD_KEY_LEN_MAX: usize = 128;

/// A label that a node cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabel {
    #[error("label name {0:?} is not [a-z0-9_.-]{{1,32}}")]
    Name(String),
    #[error(
        "label value {0:?} is not up to 64 printable characters without ',', '=' and spaces \
         around them"
    )]
    Value(String),
    #[error("more than {LABELS_MAX} labels")]
    TooMany,
}

/// An error message quotes at most this much of hostile input.
fn quoted(text: &str) -> String {
    text.chars().take(80).collect()
}

fn check_name(name: &str) -> Result<(), InvalidLabel> {
    let is_allowed =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-');
    if !(1..=LABEL_NAME_LEN_MAX).contains(&name.len()) || !name.bytes().all(is_allowed) {
        return Err(InvalidLabel::Name(quoted(name)));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), InvalidLabel> {
    let is_allowed = |c: char| !c.is_control() && c != ',' && c != '=';
    let is_short = value.chars().count() <= LABEL_VALUE_LEN_MAX;
    if !is_short || !value.chars().all(is_allowed) || value.trim() != value {
        return Err(InvalidLabel::Value(quoted(value)));
    }
    Ok(())
}

/// Labels of a node: values by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Adds a label, or replaces the value it has.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), InvalidLabel> {
        check_name(name)?;
        check_value(value)?;
        if self.0.len() >= LABELS_MAX && !self.0.contains_key(name) {
            return Err(InvalidLabel::TooMany);
        }
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.0.iter();
        labels.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Keeps the labels for which `keep` is true, by name and value.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.0.retain(|name, value| keep(name, value));
    }
}

/// Writes `gpu=a100, zone=eu`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value}")?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let labels: BTreeMap<String, String> = bounds::map("labels", LABELS_MAX, deserializer)?;
        Self::try_from(labels).map_err(D::Error::custom)
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = InvalidLabel;

    fn try_from(labels: BTreeMap<String, String>) -> Result<Self, InvalidLabel> {
        if labels.len() > LABELS_MAX {
            return Err(InvalidLabel::TooMany);
        }
        for (name, value) in &labels {
            check_name(name)?;
            check_value(value)?;
        }
        Ok(Self(labels))
    }
}

/// One label that a node must have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Term {
    name: String,
    /// The required value; `None` if any value matches.
    value: Option<String>,
}

impl Term {
    fn parse(text: &str) -> Option<Self> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (text.trim(), None),
        };
        check_name(name).ok()?;
        value.map_or(Ok(()), check_value).ok()?;
        Some(Self {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The labels that a job requires of its node, such as `gpu=a100, zone`: all of them, in
/// the order of their names and each once. An empty one requires nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Requirement(Vec<Term>);

impl Requirement {
    /// Requires nothing.
    pub const NONE: Self = Self(Vec::new());

    /// Reads `name=value, name, ...`; one name with two values can never match and is
    /// refused.
    pub fn parse(text: &str) -> Option<Self> {
        // One more than allowed is enough to detect that there are too many.
        let terms = text.split(',').take(REQUIREMENT_LEN_MAX + 1);
        let mut terms: Vec<Term> = terms.map(Term::parse).collect::<Option<_>>()?;
        if terms.len() > REQUIREMENT_LEN_MAX {
            return None;
        }
        terms.sort_unstable();
        terms.dedup();
        // A name without a value sorts first, so two with one are neighbours.
        let contradicts = |pair: &[Term]| pair[0].name == pair[1].name && pair[0].value.is_some();
        (!terms.windows(2).any(contradicts)).then_some(Self(terms))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether a node with these labels matches.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|term| {
            let found = labels.get(&term.name);
            found.is_some_and(|found| term.value.as_ref().is_none_or(|value| found == value))
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{term}")?;
        }
        Ok(())
    }
}

/// Shard key: jobs with the same key run best on the same node, whose caches know the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShardKey(Arc<str>);

impl ShardKey {
    /// Takes 1 to [`SHARD_KEY_LEN_MAX`] printable characters.
    pub fn parse(text: &str) -> Option<Self> {
        let is_long = text.chars().count() > SHARD_KEY_LEN_MAX;
        let is_fine = !text.is_empty() && !is_long && !text.contains(char::is_control);
        is_fine.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the FNV-1a hash of its bytes: the same in every version and language.
    pub fn hash(&self) -> u64 {
        fnv1a(self.0.as_bytes())
    }
}

impl fmt::Display for ShardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_requirement_holds_if_every_label_is_there() {
        let labels = labels(&[("gpu", "a100"), ("zone", "eu"), ("ssd", "")]);
        for (text, expected) in [
            ("gpu=a100", true),
            ("gpu", true),
            ("zone=eu, gpu=a100,ssd", true),
            ("ssd=", true),
            ("gpu=", false),
            ("gpu=h100", false),
            ("gpu=a100,rack", false),
        ] {
            let requirement = Requirement::parse(text).unwrap();
            assert_eq!(requirement.matches(&labels), expected, "{text}");
        }
        assert!(Requirement::default().matches(&Labels::default()));
    }

    #[test]
    fn a_requirement_has_one_form_however_it_is_written() {
        let requirement = Requirement::parse(" zone = eu,gpu=a100 ,gpu, gpu=a100").unwrap();
        assert_eq!(requirement.to_string(), "gpu,gpu=a100,zone=eu");
        let again = Requirement::parse(&requirement.to_string());
        assert_eq!(again, Some(requirement));
    }

    #[test]
    fn requirements_that_are_none_are_refused() {
        let many = ["a"; REQUIREMENT_LEN_MAX + 1].join(",");
        let long_name = "x".repeat(LABEL_NAME_LEN_MAX + 1);
        let long_value = format!("a={}", "x".repeat(LABEL_VALUE_LEN_MAX + 1));
        for text in [
            "",
            ",",
            "a,",
            "=a",
            "GPU",
            "a b",
            "a=b=c",
            "a=\u{7}",
            "a=1,a=2",
            &many,
            &long_name,
            &long_value,
        ] {
            assert!(Requirement::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn labels_that_a_heartbeat_must_not_carry_are_refused() {
        let many = (0..=LABELS_MAX).map(|n| (format!("l{n}"), String::new()));
        assert_eq!(
            Labels::try_from(many.collect::<BTreeMap<_, _>>()),
            Err(InvalidLabel::TooMany)
        );
        for json in [
            r#"{"A":"x"}"#,
            r#"{"":"x"}"#,
            r#"{"a":"x,y"}"#,
            r#"{"a":" x"}"#,
            r#"{"a":1}"#,
        ] {
            assert!(serde_json::from_str::<Labels>(json).is_err(), "{json}");
        }
        let fine = r#"{"kernel.arch_2":"x86-64 v3","zone":"Zürich"}"#;
        let read: Labels = serde_json::from_str(fine).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), fine);
        let mut full = labels(&[]);
        for n in 0..LABELS_MAX {
            full.insert(&format!("l{n}"), "").unwrap();
        }
        assert_eq!(full.insert("l0", "again"), Ok(()));
        assert_eq!(full.insert("other", ""), Err(InvalidLabel::TooMany));
    }

    #[test]
    fn a_key_is_printable_and_its_hash_is_stable() {
        let key = ShardKey::parse("foobar").unwrap();
        assert_eq!(key.hash(), 0x8594_4171_f739_67e8);
        for text in ["", "a\nb", &"x".repeat(SHARD_KEY_LEN_MAX + 1)] {
            assert!(ShardKey::parse(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_a_node_may_report_a_job_can_require(name in "[a-z.]{1,4}", value in "\\PC{0,8}") {
            let mut labels = Labels::default();
            if labels.insert(&name, &value).is_ok() {
                let requirement = Requirement::parse(&format!("{name}={value}")).unwrap();
                prop_assert!(requirement.matches(&labels));
                prop_assert!(!requirement.matches(&Labels::default()));
            }
        }
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let mut labels = Labels::default();
        for (name, value) in pairs {
            labels.insert(name, value).unwrap();
        }
        labels
    }
}
