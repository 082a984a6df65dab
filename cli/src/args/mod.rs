//! The command line: every command, flag and example.

pub(crate) mod simulate;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rolecast_common::id::{Category, JobId, NodeId, Priority};
use rolecast_common::nats::Settings;
use rolecast_common::time::parse_duration;
use rolecast_dispatcher::forecast::Model;

use crate::exit;

const EXAMPLES: &str = "\
Examples:
  rolecast demo
  rolecast submit thumbnail --file photo.jpg --wait > small.jpg
  rolecast status --watch
  rolecast dead retry --all --category thumbnail

NATS is found as the nats command finds it: flags, then NATS_URL, NATS_CREDS
and so on, then the context named by --nats-context or NATS_CONTEXT or chosen
with `nats context select`, then nats://127.0.0.1:4222.";

/// Runs jobs on the node whose role suits them, over NATS.
#[derive(Debug, Parser)]
#[command(name = "rolecast", version, max_term_width = 100)]
#[command(after_help = exit::HELP, after_long_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Print one JSON document (with --watch and job watch: one a line)
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
    /// How long to wait: for NATS and for answers (5s without it), and with
    /// submit --wait and job watch for the job's end (no limit without it)
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
    /// Even into a file or pipe
    Always,
    /// Nowhere
    Never,
}

/// How to reach NATS.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "NATS")]
pub(crate) struct Nats {
    /// Server, or several separated by commas
    #[arg(long, global = true, value_name = "URL")]
    nats_url: Option<String>,
    /// A context of the nats command
    #[arg(long, global = true, value_name = "NAME")]
    nats_context: Option<String>,
    /// Credentials file
    #[arg(long, global = true, value_name = "FILE")]
    creds: Option<String>,
    /// User name, or token
    #[arg(long, global = true, value_name = "NAME")]
    user: Option<String>,
    /// Password of --user
    #[arg(long, global = true, value_name = "PASSWORD", requires = "user")]
    password: Option<String>,
    /// File with an nkey seed
    #[arg(long, global = true, value_name = "FILE")]
    nkey: Option<String>,
    /// Client certificate
    #[arg(long, global = true, value_name = "FILE")]
    tlscert: Option<String>,
    /// Key of the client certificate
    #[arg(long, global = true, value_name = "FILE")]
    tlskey: Option<String>,
    /// Certificate authority to trust
    #[arg(long, global = true, value_name = "FILE")]
    tlsca: Option<String>,
}

impl Nats {
    /// Returns the settings these flags make; a user without password is a
    /// token, as in the nats command.
    pub(crate) fn settings(&self) -> Settings {
        let is_token = self.user.is_some() && self.password.is_none();
        Settings {
            url: self.nats_url.clone(),
            context: self.nats_context.clone(),
            user: self.user.clone().filter(|_| !is_token),
            password: self.password.clone(),
            token: self.user.clone().filter(|_| is_token),
            creds: self.creds.clone(),
            nkey: self.nkey.clone(),
            cert: self.tlscert.clone(),
            key: self.tlskey.clone(),
            ca: self.tlsca.clone(),
            ..Settings::default()
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run real jobs on four workers on this machine, kill one, and show what happened
    Demo(Demo),
    /// Replay recordings of hosts and judge the forecasts made on the way
    #[command(after_help = BACKTEST_HELP)]
    Backtest(Backtest),
    /// Compare policies that place jobs, on a fleet in virtual time
    Simulate(simulate::Simulate),
    /// Learn the weights of the `lstm` model from recordings
    #[command(after_help = TRAIN_HELP)]
    TrainLstm(TrainLstm),
    /// Submit a job
    #[command(after_help = SUBMIT_EXAMPLES)]
    Submit(Submit),
    /// Look at one job
    #[command(subcommand)]
    Job(Job),
    /// Show nodes and categories, and what needs attention
    Status(Status),
    /// Show what the nodes of each role will have free, and what is expected of them
    Capacity(Capacity),
    /// Show what others are expected to use on a node
    #[command(after_help = FORECAST_EXAMPLES)]
    Forecast(Forecast),
    /// Look at jobs that failed for good, retry or delete them
    #[command(subcommand)]
    Dead(Dead),
    /// Print a commented worker.toml to start from
    WorkerInit,
    /// Print a commented rolecast.toml to start from
    DispatcherInit,
}

const SUBMIT_EXAMPLES: &str = "\
Examples:
  rolecast submit thumbnail --file photo.jpg
  rolecast submit mail --data '{\"to\": \"ann\"}' --id order-17 --delay 30s
  tar c src | rolecast submit compress --stdin --wait > src.tar.gz

With --wait stdout is the job's output, and the exit code tells how it ended.
Of a category that does not record completed jobs neither can be told: the exit
code is 1, soon after the job has left the queue.
A second job with an --id used within the stream's duplicate window (two
minutes by default) is not stored.";

/// A job to submit.
#[derive(Args, Debug)]
pub(crate) struct Submit {
    /// What kind of job: [a-z0-9_-]{1,32}
    pub(crate) category: Category,
    #[command(flatten)]
    pub(crate) payload: Payload,
    /// Wait for the end and print the job's output
    #[arg(long)]
    pub(crate) wait: bool,
    /// Before or after others of its category: high, normal or low
    #[arg(long, default_value_t = Priority::Normal, hide_default_value = true)]
    pub(crate) priority: Priority,
    /// Start no earlier than this after submission, such as 30s
    #[arg(long, value_name = "LENGTH")]
    pub(crate) delay: Option<String>,
    /// Not wanted after this: a length such as 5m, or an RFC 3339 time
    #[arg(long, value_name = "LENGTH|TIME")]
    pub(crate) deadline: Option<String>,
    /// The job's id, [A-Za-z0-9_-]{1,64}; without it a UUID is made
    #[arg(long)]
    pub(crate) id: Option<JobId>,
    /// A header to pass to the worker; may be repeated
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
}

/// Where the payload comes from; without any of these it is empty.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct Payload {
    /// Read the payload from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Read the payload from stdin
    #[arg(long)]
    pub(crate) stdin: bool,
    /// The payload itself
    #[arg(long, value_name = "TEXT")]
    pub(crate) data: Option<String>,
}

/// Questions about one job.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Show where a job is, or how it ended
    Get {
        /// The job's id, or its sequence in ROLECAST_JOBS
        id: JobId,
        /// Print the job's output and nothing else
        #[arg(long)]
        output: bool,
    },
    /// Print each change of a job's state until it has ended
    Watch {
        /// The job's id, or its sequence in ROLECAST_JOBS
        id: JobId,
    },
}

/// The state of everything.
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// Show it again every second until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
}

/// The role capacity map.
#[derive(Args, Debug)]
pub(crate) struct Capacity {
    /// List each node as well
    #[arg(long)]
    pub(crate) nodes: bool,
}

const FORECAST_EXAMPLES: &str = "\
Examples:
  rolecast forecast oak
  rolecast forecast oak --resource cpu
  rolecast forecast oak --csv > oak.csv";

/// The forecasts of one node.
#[derive(Args, Debug)]
pub(crate) struct Forecast {
    /// The node's id
    pub(crate) node: NodeId,
    /// Only this one, drawn larger
    #[arg(long, value_name = "NAME")]
    pub(crate) resource: Option<Resource>,
    /// Print a table with commas: the past hour, then what is expected
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// What a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resource {
    Cpu,
    Memory,
    Network,
    Disk,
}

impl Resource {
    /// Returns its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
            Resource::Network => "network",
            Resource::Disk => "disk",
        }
    }
}

/// What to do with dead jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// List them, latest first
    Ls {
        /// Only this category
        #[arg(long)]
        category: Option<Category>,
        /// The most jobs listed
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// Show one: why each attempt failed, its headers and payload
    Show {
        /// The job's id
        id: JobId,
    },
    /// Submit them again under the same id and take them out of the dead
    Retry(Selection),
    /// Delete them for good
    Purge {
        #[command(flatten)]
        selection: Selection,
        /// Do it; without this nothing is deleted
        #[arg(long)]
        yes: bool,
    },
}

/// Which dead jobs.
#[derive(Args, Debug)]
pub(crate) struct Selection {
    /// Ids of jobs
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<JobId>,
    /// All of them, or all of --category
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Only this category
    #[arg(long, requires = "all", conflicts_with = "ids")]
    pub(crate) category: Option<Category>,
}

/// The demonstration.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Leave everything running afterwards and say how to talk to it
    #[arg(long)]
    pub(crate) keep: bool,
    /// How many jobs
    #[arg(long, value_name = "N", default_value_t = 300,
          value_parser = clap::value_parser!(u32).range(4..=2000))]
    pub(crate) jobs: u32,
    /// Take the jobs' input from the text files below this directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) input: PathBuf,
    /// Do not kill a worker halfway
    #[arg(long)]
    pub(crate) no_kill: bool,
}

const BACKTEST_HELP: &str = "\
Examples:
  rolecast-worker record --out monday.csv.gz --for 1h
  rolecast backtest monday.csv.gz
  rolecast backtest traces/ --model naive --json

A recording is a table with commas, plain or compressed with gzip. Its first
column is `time`, in seconds; each other column is a series, and a cell is empty
where nothing was measured. Each series is forecast from the middle on, by a
forecaster that has seen what its file says up to that moment and none after.";

/// Recordings to judge forecasts on.
#[derive(Args, Debug)]
pub(crate) struct Backtest {
    /// Recordings, or directories of them (.csv and .csv.gz)
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Which model forecasts
    #[arg(long, value_name = "NAME", default_value = Model::default().name(), value_parser = model)]
    pub(crate) model: Model,
    /// Forecast at every so many rows
    #[arg(long, value_name = "ROWS", default_value_t = 7,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) stride: u16,
    /// How far ahead, in steps of the recording
    #[arg(long, value_name = "STEPS", default_value = "1,5,15,60", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) horizons: Vec<u32>,
    /// Write every forecast into this file, as a table with commas
    #[arg(long, value_name = "FILE")]
    pub(crate) dump: Option<PathBuf>,
}

const TRAIN_HELP: &str = "\
Only the first half of each series teaches, so that `rolecast backtest` judges on
what was not seen. Weights are built into the program: put the file at
dispatcher/src/forecast/lstm.bin and build.";

/// Recordings to learn from.
#[derive(Args, Debug)]
pub(crate) struct TrainLstm {
    /// Recordings, or directories of them (.csv and .csv.gz)
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Write the best weights into this file, whenever there are better ones
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Stop after so many thousand steps of learning
    #[arg(long, value_name = "EPOCHS", default_value_t = 30,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) epochs: u16,
    /// The same seed and recordings give the same weights
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u64,
}

fn model(text: &str) -> Result<Model, String> {
    Model::parse(text).ok_or_else(|| {
        let names = Model::ALL.map(Model::name).join(", ");
        format!("there is no such model; there are {names}")
    })
}

fn length(text: &str) -> Result<Duration, String> {
    let length = parse_duration(text).filter(|length| !length.is_zero());
    length.ok_or_else(|| "expected a length of time such as 30s or 5m".to_owned())
}

/// Reads `Name: value`. What Rolecast and NATS act on has flags of its own.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME:VALUE")?;
    let is_token = |b: u8| b.is_ascii_graphic() && b != b':';
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err("a header's name is visible ASCII without spaces".to_owned());
    }
    if value.contains(['\r', '\n']) {
        return Err("a header's value is one line".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("nats-") || lower.starts_with("rolecast-") {
        return Err("use --id, --delay and --deadline for these".to_owned());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
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

    #[test]
    fn a_user_without_password_is_a_token() {
        let token = parse("rolecast status --user t").unwrap();
        let token = token.global.nats.settings();
        assert_eq!((token.token.as_deref(), token.user), (Some("t"), None));
        let user = parse("rolecast status --user u --password p").unwrap();
        let user = user.global.nats.settings();
        assert_eq!((user.user.as_deref(), user.token), (Some("u"), None));
    }

    #[test]
    fn a_bad_name_is_refused_with_its_grammar() {
        let error = parse("rolecast submit Thumb").unwrap_err().to_string();
        assert!(error.contains("[a-z0-9_-]{1,32}"), "{error}");
        let error = parse("rolecast submit a --id x.y").unwrap_err().to_string();
        assert!(error.contains("[A-Za-z0-9_-]{1,64}"), "{error}");
    }

    #[test]
    fn a_payload_has_one_source() {
        assert!(parse("rolecast submit a --stdin --data x").is_err());
        assert!(parse("rolecast submit a --data x").is_ok());
    }

    #[test]
    fn dead_jobs_are_named_or_all_are_meant() {
        assert!(parse("rolecast dead retry").is_err());
        assert!(parse("rolecast dead retry --all x").is_err());
        assert!(parse("rolecast dead retry x --category a").is_err());
        assert!(parse("rolecast dead retry --all --category a").is_ok());
        assert!(parse("rolecast dead purge x y --yes").is_ok());
    }

    #[test]
    fn a_forecast_is_of_one_node_and_in_one_form() {
        assert!(parse("rolecast forecast").is_err());
        assert!(parse("rolecast forecast oak --resource gpu").is_err());
        assert!(parse("rolecast forecast oak --csv --json").is_err());
        assert!(parse("rolecast forecast oak --csv --resource disk").is_ok());
        assert!(parse("rolecast capacity --nodes --json").is_ok());
    }

    #[test]
    fn a_model_that_is_unknown_is_answered_with_those_there_are() {
        let error = parse("rolecast backtest x --model best").unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("naive") && error.contains("ensemble"),
            "{error}"
        );
        assert!(parse("rolecast backtest x y --model naive --horizons 1,60").is_ok());
        assert!(parse("rolecast backtest x --horizons 61").is_err());
        assert!(parse("rolecast backtest x --stride 0").is_err());
        assert!(parse("rolecast backtest").is_err());
        assert!(parse("rolecast train-lstm x --out y --epochs 3").is_ok());
        assert!(parse("rolecast train-lstm x --out y --epochs 0").is_err());
        assert!(parse("rolecast train-lstm x").is_err());
    }

    #[test]
    fn a_header_that_rolecast_acts_on_has_a_flag() {
        assert_eq!(header("A: b:c"), Ok(("A".to_owned(), "b:c".to_owned())));
        for text in [
            "A",
            "A b:c",
            ":c",
            "a:b\nc",
            "nats-msg-id:1",
            "Rolecast-Delay:1s",
        ] {
            assert!(header(text).is_err(), "{text}");
        }
    }
}
