//! Limits from the configuration on what nodes may claim: roles, categories, labels and
//! the number of jobs at once.
//!
//! Without any entry every node is trusted. With some, a node is limited by the entry
//! that matches its name, and a node that matches none is refused.

use std::collections::BTreeSet;
use std::fmt;

use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::label::{Labels, Requirement};
use rolecast_common::settings::Table;
use rolecast_common::wire::Heartbeat;

/// The entries of all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowances(Vec<Allowance>);

/// The claims permitted to the nodes of one pattern; `None` permits everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub pattern: Pattern,
    pub roles: Option<BTreeSet<Role>>,
    pub categories: Option<BTreeSet<Category>>,
    pub jobs_max: Option<u32>,
    /// One requirement per permitted label.
    pub labels: Option<Vec<Requirement>>,
}

/// A pattern of node names, in which one `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    start: String,
    /// The text after the `*`, if there is one.
    end: Option<String>,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.start)?;
        match &self.end {
            Some(end) => write!(f, "*{end}"),
            None => Ok(()),
        }
    }
}

/// A node that matches no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no entry under [nodes] in the dispatcher's configuration is for this name")]
pub struct Unlisted;

impl Allowances {
    /// Parses the sections `[nodes.<pattern>]`; `known` are the roles that may be named.
    pub fn read(root: &mut Table<'_>, known: &BTreeSet<Role>) -> Self {
        let entries = root.tables("nodes", |name, table| {
            let roles: Option<Vec<Role>> = table.get("roles");
            let unknown = roles.iter().flatten().find(|role| !known.contains(role));
            if let Some(role) = unknown {
                table.mistake("roles", format!("role \"{role}\" is not among the roles"));
            }
            let labels: Option<Vec<String>> = table.get("labels");
            let terms = labels.map(|labels| {
                let terms = labels.iter().map(|label| Requirement::parse(label));
                terms.collect::<Option<Vec<Requirement>>>()
            });
            if terms == Some(None) {
                table.mistake("labels", "must be labels such as \"gpu\" or \"zone=eu\"");
            }
            let jobs_max = table.get("max_jobs");
            if jobs_max == Some(0) {
                table.mistake("max_jobs", "must be at least 1");
            }
            let categories: Option<Vec<Category>> = table.get("categories");
            let Some(pattern) = Pattern::parse(name) else {
                table.mistake(
                    "",
                    format!("{name:?} is not the name of a node, with at most one * in it"),
                );
                return None;
            };
            Some(Allowance {
                pattern,
                roles: roles.map(|roles| roles.into_iter().collect()),
                categories: categories.map(|categories| categories.into_iter().collect()),
                jobs_max,
                labels: terms.flatten(),
            })
        });
        Self::new(entries.into_iter().flatten().collect())
    }

    /// Sorts the entries; of two that match a name the longer one counts.
    pub fn new(mut entries: Vec<Allowance>) -> Self {
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.pattern.rank()));
        Self(entries)
    }

    /// Removes from a heartbeat the claims that its node may not make, and returns them.
    pub fn limit(&self, beat: &mut Heartbeat) -> Result<Vec<String>, Unlisted> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let mut entries = self.0.iter();
        let entry = entries.find(|entry| entry.pattern.matches(&beat.node));
        Ok(entry.ok_or(Unlisted)?.limit(beat))
    }

    /// Returns the patterns that match none of these nodes.
    pub fn unmatched(&self, nodes: &[&NodeId]) -> Vec<String> {
        let unmatched = self.0.iter().filter(|entry| {
            let mut nodes = nodes.iter();
            !nodes.any(|node| entry.pattern.matches(node))
        });
        unmatched.map(|entry| entry.pattern.to_string()).collect()
    }
}

impl Allowance {
    fn limit(&self, beat: &mut Heartbeat) -> Vec<String> {
        let mut taken = Vec::new();
        if let Some(roles) = &self.roles {
            for claimed in [&mut beat.roles, &mut beat.offers] {
                claimed.retain(|role| {
                    let is_allowed = roles.contains(role);
                    if !is_allowed {
                        taken.push(format!("role {role}"));
                    }
                    is_allowed
                });
            }
        }
        if let Some(categories) = &self.categories {
            beat.categories.retain(|category, _| {
                let is_allowed = categories.contains(category);
                if !is_allowed {
                    taken.push(format!("category {category}"));
                }
                is_allowed
            });
        }
        if let Some(labels) = &self.labels {
            beat.labels.retain(|name, value| {
                let is_allowed = labels.iter().any(|label| is_allowed_by(label, name, value));
                if !is_allowed {
                    taken.push(format!("label {name}={value}"));
                }
                is_allowed
            });
        }
        if let Some(most) = self.jobs_max.filter(|most| beat.jobs_max > *most) {
            taken.push(format!("{} jobs at once", beat.jobs_max));
            beat.jobs_max = most;
        }
        taken
    }
}

fn is_allowed_by(label: &Requirement, name: &str, value: &str) -> bool {
    let mut one = Labels::default();
    one.insert(name, value).is_ok() && label.matches(&one)
}

impl Pattern {
    /// Parses a name, or one with a `*` in it; `None` if no node can have such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let (start, end) = match text.split_once('*') {
            Some((start, end)) => (start, Some(end)),
            None => (text, None),
        };
        // Any name that it matches must be valid.
        let example = match end {
            Some(end) => format!("{start}x{end}"),
            None => start.to_owned(),
        };
        NodeId::new(&example).ok()?;
        Some(Self {
            start: start.to_owned(),
            end: end.map(str::to_owned),
        })
    }

    fn matches(&self, node: &NodeId) -> bool {
        let name = node.as_str();
        let Some(end) = &self.end else {
            return name == self.start;
        };
        let rest = name.strip_prefix(&self.start);
        rest.is_some_and(|rest| rest.ends_with(end.as_str()))
    }

    /// Rank of a pattern: a whole name is above any pattern, and a long pattern above a
    /// short one.
    fn rank(&self) -> (bool, usize) {
        let end = self.end.as_ref().map_or(0, String::len);
        (self.end.is_none(), self.start.len() + end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fleet::tests::beat;

    fn allowance(pattern: &str) -> Allowance {
        Allowance {
            pattern: Pattern::parse(pattern).unwrap(),
            roles: None,
            categories: None,
            jobs_max: None,
            labels: None,
        }
    }

    fn roles(names: &[&str]) -> Vec<Role> {
        names.iter().map(|name| Role::new(name).unwrap()).collect()
    }

    /// A heartbeat that claims much.
    fn greedy(name: &str) -> Heartbeat {
        let mut beat = beat(name, "a", 1);
        beat.roles = roles(&["follower", "leader"]);
        beat.offers = roles(&["backup"]);
        let category = |name| Category::new(name).unwrap();
        beat.categories = BTreeMap::from([(category("ocr"), 4), (category("pay"), 4)]);
        beat.jobs_max = 1000;
        beat.labels.insert("zone", "eu").unwrap();
        beat.labels.insert("secret", "yes").unwrap();
        beat
    }

    #[test]
    fn a_pattern_that_matches_no_node_is_named_as_it_was_written() {
        let patterns = ["web-*", "*-gpu", "db-*-eu", "n1"];
        let allowances = Allowances::new(patterns.map(allowance).to_vec());
        let nodes = ["web-3", "db-1-eu"].map(|name| NodeId::new(name).unwrap());
        let nodes: Vec<&NodeId> = nodes.iter().collect();
        assert_eq!(allowances.unmatched(&nodes), ["n1", "*-gpu"]);
    }

    #[test]
    fn without_entries_every_node_is_believed() {
        let mut beat = greedy("n1");
        assert_eq!(Allowances::default().limit(&mut beat), Ok(Vec::new()));
        assert_eq!(beat, greedy("n1"));
    }

    #[test]
    fn a_node_is_held_to_its_entry_and_what_is_beyond_is_reported() {
        let entry = Allowance {
            roles: Some(roles(&["follower"]).into_iter().collect()),
            categories: Some(BTreeSet::from([Category::new("ocr").unwrap()])),
            jobs_max: Some(8),
            labels: Some(vec![Requirement::parse("zone=eu").unwrap()]),
            ..allowance("web-*")
        };
        let allowances = Allowances::new(vec![entry]);
        let mut beat = greedy("web-1");
        let taken = allowances.limit(&mut beat).unwrap();
        let expected = [
            "role leader",
            "role backup",
            "category pay",
            "label secret=yes",
            "1000 jobs at once",
        ];
        assert_eq!(taken, expected);
        assert_eq!(beat.roles, roles(&["follower"]));
        assert!(beat.offers.is_empty() && beat.categories.len() == 1);
        assert_eq!((beat.jobs_max, beat.labels.get("secret")), (8, None));
        assert_eq!(beat.labels.get("zone"), Some("eu"));
        assert_eq!(allowances.limit(&mut beat), Ok(Vec::new()));
        assert_eq!(allowances.limit(&mut greedy("db-1")), Err(Unlisted));
    }

    #[test]
    fn the_nearest_pattern_counts() {
        let entry = |pattern: &str, most| Allowance {
            jobs_max: Some(most),
            ..allowance(pattern)
        };
        let allowances = Allowances::new(vec![
            entry("*", 1),
            entry("web-*", 2),
            entry("web-*-eu", 3),
            entry("web-1", 4),
        ]);
        for (name, most) in [("db", 1), ("web-2", 2), ("web-1-eu", 3), ("web-1", 4)] {
            let mut beat = greedy(name);
            allowances.limit(&mut beat).unwrap();
            assert_eq!(beat.jobs_max, most, "{name}");
        }
        for wrong in ["", "web *", "WEB-*", "a*b*c", "a.b"] {
            assert_eq!(Pattern::parse(wrong), None, "{wrong}");
        }
    }
}
