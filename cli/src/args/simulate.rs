//! The arguments of `rolecast simulate`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::simulate::peers;
use crate::simulate::scenario::fleet::is_host_count;
use crate::simulate::scenario::{LOAD_EXPECTED, is_load, sharing};
use crate::simulate::world::Sharing;

/// What is compared unless asked for otherwise: the strongest simple policy, ours
/// without and with forecasts, and the best there could be.
const POLICIES: &str = "least-in-flight-weighted+memory,rolecast-last,rolecast,oracle";

/// A comparison of policies.
#[derive(Args, Debug)]
#[command(after_help = help())]
pub(crate) struct Simulate {
    /// The scenario: a file as those in tests/scenarios
    #[arg(value_name = "SCENARIO.toml")]
    pub(crate) scenario: PathBuf,
    /// Who places the jobs; several with commas, or `all`
    #[arg(long = "policy", value_name = "NAME", value_parser = policy,
          value_delimiter = ',', default_value = POLICIES)]
    pub(crate) policies: Vec<String>,
    /// Wanted use over capacity, instead of the scenario's
    #[arg(long = "load", value_name = "SHARE", value_parser = load, value_delimiter = ',')]
    pub(crate) loads: Vec<f64>,
    /// Whether others share a CPU with jobs or come first: fair, priority or both
    #[arg(long = "sharing", value_name = "WAY", value_parser = way, value_delimiter = ',')]
    pub(crate) sharings: Vec<Sharing>,
    /// How many hosts, instead of the scenario's
    #[arg(long, value_name = "N", value_parser = hosts)]
    pub(crate) hosts: Option<u32>,
    /// How many worlds of each kind, instead of the scenario's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seeds: Option<u32>,
    /// The first seed; the others count on from it
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print a table with commas: a line for each run and kind of job
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Draw the 99 % slow-downs into this file
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}

impl Simulate {
    /// Returns the policies asked for, each once, in that order.
    pub(crate) fn policies(&self) -> Vec<&str> {
        let mut chosen: Vec<&str> = Vec::new();
        for name in &self.policies {
            let all = peers::NAMES.iter().map(|(name, _)| *name);
            let names = if name == ALL {
                all.collect()
            } else {
                vec![name.as_str()]
            };
            for name in names {
                if !chosen.contains(&name) {
                    chosen.push(name);
                }
            }
        }
        chosen
    }
}

const ALL: &str = "all";

fn help() -> String {
    let width = peers::NAMES.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = "\
Examples:
  rolecast simulate tests/scenarios/mixed.toml
  rolecast simulate tests/scenarios/compact.toml --policy rolecast,p2c --load 0.6
  rolecast simulate tests/scenarios/mixed.toml --policy all --csv --plot mixed.svg

A fleet, what others do on its hosts, and the jobs that arrive are drawn from the
scenario and a seed; then every policy meets the same. Nothing is run for real,
and no NATS is needed: the dispatcher's own code places the jobs in virtual time.
What a scenario can say, and what is simulated: docs/simulator.md.

Policies:
"
    .to_owned();
    for (name, what) in peers::NAMES {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:width$}  {what}");
    }
    text.truncate(text.trim_end().len());
    text
}

fn policy(name: &str) -> Result<String, String> {
    if name == ALL || peers::NAMES.iter().any(|(known, _)| *known == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = peers::NAMES.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    Err(format!(
        "there is no such policy; there are {names}, and {ALL}"
    ))
}

fn load(text: &str) -> Result<f64, String> {
    let load = text.parse().ok().filter(|load| is_load(*load));
    load.ok_or_else(|| format!("expected {LOAD_EXPECTED}"))
}

fn way(text: &str) -> Result<Sharing, String> {
    sharing(text).ok_or_else(|| "expected fair or priority".to_owned())
}

fn hosts(text: &str) -> Result<u32, String> {
    let hosts = text.parse().ok().filter(|hosts| is_host_count(*hosts));
    hosts.ok_or_else(|| "expected a number of hosts, 1 to 20000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_is_unknown_is_answered_with_those_there_are() {
        let error = policy("best").unwrap_err();
        for (name, _) in peers::NAMES {
            assert!(error.contains(name), "{name} not in {error}");
            assert!(help().contains(name), "{name} not in the help");
        }
        assert_eq!(policy(peers::NAMES[0].0).as_deref(), Ok(peers::NAMES[0].0));
    }

    #[test]
    fn the_policies_compared_without_being_asked_for_exist() {
        for name in POLICIES.split(',') {
            assert_eq!(policy(name).as_deref(), Ok(name));
        }
        assert!(load("0").is_err() && load("nan").is_err() && load("1.05").is_ok());
        assert!(hosts("0").is_err() && way("fare").is_err() && way("fair").is_ok());
    }
}
