//! Command line: every command, flag and example.
//!
//! This file has what all commands share and their list; each part has the flags of one
//! family.

pub(crate) mod backtest;
pub(crate) mod cancel;
pub(crate) mod category;
pub(crate) mod dead;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fleet;
pub(crate) mod job;
pub(crate) mod job_list;
pub(crate) mod manual;
mod nats;
pub(crate) mod node;
pub(crate) mod permissions;
pub(crate) mod role;
pub(crate) mod simulate;
pub(crate) mod submit;
pub(crate) mod top;

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rolecast_common::time::parse_duration;

use crate::exit;
use backtest::{Backtest, TrainLstm};
use category::Category;
use dead::Dead;
use demo::Demo;
use doctor::Doctor;
use events::Events;
use explain::Explain;
use fleet::{Capacity, Forecast, Status};
use job::Job;
use manual::{Completions, Manual};
use nats::Nats;
use node::Node;
use permissions::Permissions;
use role::Role;
use submit::Submit;
use top::Top;

const EXAMPLES: &str = "\
Examples:
  rolecast demo
  rolecast submit thumbnail --file photo.jpg --wait > small.jpg
  rolecast status --watch
  rolecast top
  rolecast doctor
  rolecast explain order-17
  rolecast dead retry --all --category thumbnail

The connection to NATS is configured as for the nats command: by flags, then by
NATS_URL, NATS_CREDS and similar variables, then by the context in --nats-context or
NATS_CONTEXT or selected with `nats context select`. The default is
nats://127.0.0.1:4222.";

/// Submits jobs over NATS, and shows and controls the nodes and roles of Rolecast.
#[derive(Debug, Parser)]
#[command(name = "rolecast", version, max_term_width = 100)]
#[command(after_help = exit::HELP, after_long_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Print one JSON document (with --watch, job watch, top and events: one per line)
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// When to use colours
    #[arg(
        long,
        global = true,
        help_heading = "Output",
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub(crate) color: Color,
    /// The longest wait for NATS and for answers, such as 30s (default: 5s, and 30s for orders
    /// that move roles); for submit --wait and job watch, for the end of the job (default:
    /// no limit)
    #[arg(long, global = true, help_heading = "NATS", value_name = "LENGTH", value_parser = length)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) nats: Nats,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always, also into a file or a pipe
    Always,
    /// Never
    Never,
}

/// The command to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run real jobs on four workers on this machine, kill one worker, and show the results
    Demo(Demo),
    /// Replay recordings of hosts and score the forecasts
    #[command(after_help = backtest::HELP)]
    Backtest(Backtest),
    /// Compare placement policies on a simulated fleet
    Simulate(simulate::Simulate),
    /// Train the `lstm` model on recordings
    #[command(after_help = backtest::TRAIN_HELP)]
    TrainLstm(TrainLstm),
    /// Submit a job
    #[command(after_help = submit::EXAMPLES)]
    Submit(Submit),
    /// List jobs, show one, watch it, or cancel jobs
    #[command(subcommand)]
    Job(Job),
    /// Show why a job was placed on its node, or where a job would be placed now
    #[command(after_help = explain::EXAMPLES)]
    Explain(Explain),
    /// Show what needs attention, with its cause and remedy, then nodes and categories
    #[command(after_help = fleet::STATUS_HELP)]
    Status(Status),
    /// Watch nodes, categories, roles and jobs on the whole terminal
    #[command(after_help = top::HELP)]
    Top(Top),
    /// Show what happened in the last day: nodes, roles, late categories, dead letters, troubles
    #[command(after_help = events::EXAMPLES)]
    Events(Events),
    /// Check everything, and show what is wrong with the command that repairs it
    #[command(after_help = doctor::HELP)]
    Doctor(Doctor),
    /// Show the needs of each category's jobs, declared and learned
    #[command(subcommand)]
    Category(Category),
    /// Show the forecast free capacity of each role, and the demand that is expected
    Capacity(Capacity),
    /// Show the forecast use of a node by others
    #[command(after_help = fleet::FORECAST_EXAMPLES)]
    Forecast(Forecast),
    /// Show the holders of managed roles and past changes, and move roles
    #[command(subcommand, after_help = role::EXAMPLES)]
    Role(Role),
    /// List nodes, show one, or take one out of service and back
    #[command(subcommand, after_help = node::EXAMPLES)]
    Node(Node),
    /// List, show, retry or delete dead letters: jobs that failed for good
    #[command(subcommand)]
    Dead(Dead),
    /// Print the NATS permissions that each party needs, with the purpose of each
    #[command(after_help = permissions::HELP)]
    Permissions(Permissions),
    /// Print all metrics of dispatchers and workers with their meanings, in Markdown
    Metrics,
    /// Print a commented worker.toml to start from
    WorkerInit,
    /// Print a commented rolecast.toml to start from
    DispatcherInit,
    /// Print the completions of a shell
    #[command(after_help = manual::EXAMPLES)]
    Completions(Completions),
    /// Write the man pages and completions of all programs; for packages
    #[command(hide = true)]
    Manual(Manual),
}

fn length(text: &str) -> Result<Duration, String> {
    let length = parse_duration(text).filter(|length| !length.is_zero());
    length.ok_or_else(|| "expected a length of time, such as 30s or 5m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    pub(super) fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_flags_may_stand_behind_the_command() {
        let arguments = parse("rolecast status --watch --json --nats-url nats://a").unwrap();
        assert!(arguments.global.json);
        let settings = arguments.global.nats.settings();
        assert_eq!(settings.url.as_deref(), Some("nats://a"));
    }
}
