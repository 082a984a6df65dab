//! Cycles of dependencies between the modules of a crate.
//!
//! The children of one module are compared, each with all modules below it: a file uses
//! another child if one of its paths leads there. Re-exports are followed to the file that
//! declares the item. A module and those above it depend on each other by nature, so paths
//! between them do not count, nor do those of unit tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::Finding;
use super::paths::Names;
use super::tree::{File, Tree};

/// Children of one module that use each other, each with what it uses: the names of both, and
/// the first file with its path that shows it.
type Uses = BTreeMap<String, BTreeMap<String, String>>;

/// Returns each group of modules that reach each other.
pub(super) fn cycles(tree: &Tree) -> Vec<Finding> {
    let mut levels: BTreeMap<(PathBuf, Names), Uses> = BTreeMap::new();
    for file in tree.files.iter().filter(|file| !file.is_of_tests()) {
        let imports = file.imports.iter().map(|import| &import.path);
        for path in imports.chain(&file.paths) {
            let Some(used) = tree.resolve(file, path).filter(|used| !used.is_of_tests()) else {
                continue;
            };
            let Some((above, [from, to])) = fork(file, used) else {
                continue;
            };
            let uses = levels.entry((file.target.clone(), above)).or_default();
            let example = || format!("{}: {}", file.path.display(), path.join("::"));
            uses.entry(from)
                .or_default()
                .entry(to)
                .or_insert_with(example);
        }
    }
    let of_level = |((target, above), uses): (&(PathBuf, Names), &Uses)| {
        let place = above
            .iter()
            .fold(target.clone(), |place, name| place.join(name));
        let groups = groups(uses).into_iter();
        let findings = groups.map(|group| finding(&place.display().to_string(), &group, uses));
        findings.collect::<Vec<_>>()
    };
    levels.iter().flat_map(of_level).collect()
}

/// Returns the module where the ways to two files part, and the child on each way.
fn fork(a: &File, b: &File) -> Option<(Names, [String; 2])> {
    let pairs = a.module.iter().zip(&b.module);
    let common = pairs.take_while(|(a, b)| a == b).count();
    let children = [a.module.get(common)?.clone(), b.module.get(common)?.clone()];
    Some((a.module[..common].to_vec(), children))
}

/// Returns the groups of two or more of which each reaches each.
fn groups(uses: &Uses) -> Vec<BTreeSet<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = uses
        .keys()
        .map(|name| (name.as_str(), reached(uses, name)))
        .collect();
    let mut groups: Vec<BTreeSet<&str>> = Vec::new();
    for (name, reached_here) in &reached {
        if groups.iter().any(|group| group.contains(name)) || !reached_here.contains(name) {
            continue;
        }
        let is_back = |other: &&&str| reached.get(**other).is_some_and(|all| all.contains(name));
        groups.push(reached_here.iter().filter(is_back).copied().collect());
    }
    groups
}

fn reached<'a>(uses: &'a Uses, name: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = vec![name];
    while let Some(name) = open.pop() {
        for next in uses.get(name).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}

fn finding(place: &str, group: &BTreeSet<&str>, uses: &Uses) -> Finding {
    let mut text = format!("{place}:");
    for name in group {
        text += &format!(" {name}");
    }
    for name in group {
        for (used, example) in &uses[*name] {
            if group.contains(used.as_str()) {
                text += &format!("\n    {name} uses {used}, {example}");
            }
        }
    }
    let size = group.len();
    Finding { size, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(pairs: &[(&str, &str)]) -> Uses {
        let mut uses = Uses::new();
        for (from, to) in pairs {
            let used = uses.entry((*from).to_owned()).or_default();
            used.insert((*to).to_owned(), String::new());
        }
        uses
    }

    #[test]
    fn only_those_that_reach_each_other_are_a_group() {
        let uses = uses(&[
            ("a", "b"),
            ("b", "c"),
            ("c", "a"),
            ("c", "d"),
            ("d", "e"),
            ("e", "d"),
            ("f", "a"),
        ]);
        let found: Vec<String> = groups(&uses)
            .iter()
            .map(|group| group.iter().copied().collect())
            .collect();
        assert_eq!(found, ["abc", "de"]);
    }
}
