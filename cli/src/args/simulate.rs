//! Arguments of `rolecast simulate`.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use rolecast_common::time::parse_duration;

use rolecast_simulator::peers;
use rolecast_simulator::scenario::fleet::is_host_count;
use rolecast_simulator::scenario::{LOAD_EXPECTED, is_load};
use rolecast_simulator::world::Sharing;

/// The default policies: the strongest simple one, ours without and with forecasts, and one
/// that knows the future.
const POLICIES: &str = "least-in-flight-weighted+memory,rolecast-last,rolecast,oracle";

/// More or fewer jobs than that are another system.
const TIMES: RangeInclusive<f64> = 0.01..=1000.0;
/// As in scenarios: more than a day is a mistake in the unit.
const LENGTHS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// A comparison of policies.
#[derive(Args, Debug)]
#[command(after_help = help())]
pub(crate) struct Simulate {
    /// The scenario file; tests/scenarios has examples
    #[arg(value_name = "SCENARIO.toml", required_unless_present = "from_cluster")]
    pub(crate) scenario: Option<PathBuf>,
    /// Simulate the running system instead of a scenario: its nodes, their recorded use by
    /// others, and the recorded jobs
    #[arg(long, conflicts_with = "scenario")]
    pub(crate) from_cluster: bool,
    /// Policies to compare, separated by commas, or `all`
    #[arg(long = "policy", value_name = "NAME", value_parser = policy,
          value_delimiter = ',', default_value = POLICIES)]
    pub(crate) policies: Vec<String>,
    /// Demand over capacity, such as 0.7 [default: the scenario's]
    #[arg(long = "load", value_name = "SHARE", value_parser = load, value_delimiter = ',',
          conflicts_with = "from_cluster")]
    pub(crate) loads: Vec<f64>,
    /// How others and jobs share a CPU: fair, priority (others first) or both
    /// [default: the scenario's; both with --from-cluster]
    #[arg(long = "sharing", value_name = "WAY", value_parser = way, value_delimiter = ',')]
    pub(crate) sharings: Vec<Sharing>,
    /// Number of hosts [default: the scenario's, or all nodes]. With --from-cluster, further
    /// hosts are copies of the nodes
    #[arg(long, value_name = "N", value_parser = hosts)]
    pub(crate) hosts: Option<u32>,
    /// Factor for the number of jobs, such as 2 or 0.5 [default: 1]
    #[arg(long, value_name = "TIMES", value_parser = times, default_value_t = 1.0,
          conflicts_with = "scenario", hide_default_value = true)]
    pub(crate) jobs: f64,
    /// Time in which jobs arrive, 1s to 24h: the last part of the record, or the whole
    /// record repeatedly [default: what is recorded]
    #[arg(long, value_name = "LENGTH", value_parser = length, conflicts_with = "scenario")]
    pub(crate) length: Option<Duration>,
    /// Number of seeds, one world each [default: the scenario's; 2 with --from-cluster]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seeds: Option<u32>,
    /// The first seed; the next ones follow it
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print comma-separated values: a line for each run and kind of job
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Plot the 99 % slow-downs into this SVG file
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
  rolecast simulate --from-cluster --policy rolecast,round-robin
  rolecast simulate --from-cluster --jobs 2 --hosts 12

The hosts, their use by others and the jobs are drawn from the scenario and a seed, and
are the same for every policy. No job really runs, and NATS is not needed: the
dispatcher's own code places the jobs in virtual time.
With --from-cluster, hosts and jobs are those that a running dispatcher recorded in the
last hour; the command only reads, and changes nothing.
docs/simulator.md describes scenarios and the simulation.

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
    Err(format!("there is no such policy; use {names}, or {ALL}"))
}

fn load(text: &str) -> Result<f64, String> {
    let load = text.parse().ok().filter(|load| is_load(*load));
    load.ok_or_else(|| format!("expected {LOAD_EXPECTED}"))
}

fn times(text: &str) -> Result<f64, String> {
    let times = text.parse().ok().filter(|times| TIMES.contains(times));
    times.ok_or_else(|| "expected a number from 0.01 to 1000".to_owned())
}

fn length(text: &str) -> Result<Duration, String> {
    let length = parse_duration(text).filter(|length| LENGTHS.contains(length));
    length.ok_or_else(|| "expected a length from 1s to 24h, such as 30m".to_owned())
}

fn way(text: &str) -> Result<Sharing, String> {
    Sharing::parse(text).ok_or_else(|| "expected fair or priority".to_owned())
}

fn hosts(text: &str) -> Result<u32, String> {
    let hosts = text.parse().ok().filter(|hosts| is_host_count(*hosts));
    hosts.ok_or_else(|| "expected a number of hosts, 1 to 20000".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Arguments;

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
    fn the_default_policies_exist() {
        for name in POLICIES.split(',') {
            assert_eq!(policy(name).as_deref(), Ok(name));
        }
        assert!(load("0").is_err() && load("nan").is_err() && load("1.05").is_ok());
        assert!(hosts("0").is_err() && way("fare").is_err() && way("fair").is_ok());
        assert!(times("0").is_err() && times("nan").is_err() && times("2").is_ok());
        assert!(length("0s").is_err() && length("2d").is_err() && length("2h").is_ok());
    }

    #[test]
    fn it_is_either_a_scenario_or_the_running_system() {
        for (line, is_fine) in [
            ("a.toml --load 0.5", true),
            ("--from-cluster --jobs 2 --length 2h --hosts 5", true),
            ("", false),
            ("a.toml --from-cluster", false),
            ("a.toml --jobs 2", false),
            ("a.toml --length 2h", false),
            ("--from-cluster --load 0.5", false),
        ] {
            let words = ["rolecast", "simulate"].into_iter();
            let parsed = Arguments::try_parse_from(words.chain(line.split_whitespace()));
            assert_eq!(parsed.is_ok(), is_fine, "{line}: {parsed:?}");
        }
    }
}
