//! Fuzzing: whatever bytes arrive, reading them ends in a value that holds its rules or
//! in an error, and the machines that receive it keep theirs.
//!
//! Each [`Target`] reads one kind of input and checks more than that nothing panics: a
//! value is the same after it was written and read again, names are single tokens of a
//! subject, lists are within their bounds. Inputs are `seeds`, made by our own encoders,
//! the files in `tests/fuzz/corpus/`, and mutations of both ([`mutate`]). [`run`] needs
//! no coverage and no nightly compiler; `tests/fuzz` gives the same targets to
//! cargo-fuzz.

mod machine;
pub mod mutate;
pub mod run;
mod seeds;
mod targets;
mod worker;

use std::fs;

use crate::process::repository;

/// A reader, and its inputs.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    /// Reads the input and checks the result, by panicking; returns whether it was
    /// accepted.
    pub check: fn(&[u8]) -> bool,
    /// Inputs that are accepted.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Mutations that are tried in each run of the tests: a second's worth or two.
    pub runs: u64,
}

/// All targets, by name.
pub const TARGETS: [Target; 9] = [
    Target {
        name: "checkpoint",
        check: targets::checkpoint::check,
        seeds: seeds::checkpoints,
        runs: 1_500,
    },
    Target {
        name: "config",
        check: targets::text::config,
        seeds: seeds::configs,
        runs: 2_000,
    },
    Target {
        name: "csv",
        check: targets::text::csv,
        seeds: seeds::tables,
        runs: 2_000,
    },
    Target {
        name: "headers",
        check: targets::names::headers,
        seeds: seeds::headers,
        runs: 20_000,
    },
    Target {
        name: "heartbeat",
        check: targets::messages::heartbeat,
        seeds: seeds::heartbeats,
        runs: 4_000,
    },
    Target {
        name: "outcome",
        check: targets::messages::outcome,
        seeds: seeds::outcomes,
        runs: 4_000,
    },
    Target {
        name: "roles",
        check: targets::messages::roles,
        seeds: seeds::roles,
        runs: 8_000,
    },
    Target {
        name: "scenario",
        check: targets::text::scenario,
        seeds: seeds::scenarios,
        runs: 2_000,
    },
    Target {
        name: "subjects",
        check: targets::names::subjects,
        seeds: seeds::subjects,
        runs: 20_000,
    },
];

impl Target {
    /// Returns the target with this name.
    pub fn named(name: &str) -> Option<&'static Target> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Returns the stored inputs for it: odd inputs, and those that once broke something,
    /// with the name of each.
    ///
    /// # Panics
    ///
    /// If a file of the repository cannot be read.
    pub fn corpus(&self) -> Vec<(String, Vec<u8>)> {
        let directory = repository().join("tests/fuzz/corpus").join(self.name);
        let Ok(entries) = fs::read_dir(&directory) else {
            return Vec::new();
        };
        let mut inputs: Vec<(String, Vec<u8>)> = entries
            .map(|entry| {
                let path = entry.expect("the repository is readable").path();
                let bytes = fs::read(&path).expect("the repository is readable");
                (path.display().to_string(), bytes)
            })
            .collect();
        // Directories have no order, and a run must be repeatable.
        inputs.sort();
        inputs
    }
}

/// Checks one input, for cargo-fuzz.
///
/// # Panics
///
/// If there is no such target, or the input breaks a rule.
pub fn check(name: &str, input: &[u8]) -> bool {
    let target = Target::named(name).expect("a target that is listed");
    (target.check)(input)
}
