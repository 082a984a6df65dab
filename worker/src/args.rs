//! Command line of `rolecast-worker`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rolecast_common::time::parse_duration;
use rolecast_nats::Flags;

const EXIT_CODES: &str = "\
Exit codes:
  0  ended by SIGTERM, SIGINT or SIGHUP, after it drained
  1  failed
  2  the arguments or the configuration have mistakes";

/// Runs jobs on this host, and reports the use of its resources.
///
/// The configuration has a command for each category of jobs; the dispatcher decides which
/// jobs are sent here. `rolecast worker-init` prints a commented configuration. After
/// SIGTERM, SIGINT or SIGHUP the worker drains: it takes no new jobs, waits for running
/// jobs until the grace time has passed, and hands the rest back. A second SIGTERM or
/// SIGINT ends the grace time. Logs go to stderr; RUST_LOG filters them (default: info).
#[derive(Debug, Parser)]
#[command(name = "rolecast-worker", version, after_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    /// Replaces running jobs
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The configuration file
    #[arg(long, value_name = "FILE", required = true)]
    pub config: Option<PathBuf>,
    /// Check the configuration and exit
    #[arg(long)]
    pub check: bool,
    /// The connection to NATS
    #[command(flatten)]
    pub nats: Flags,
    /// The format of the log
    #[arg(long, value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// A command that replaces running jobs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record the use of this host, for `rolecast backtest`
    ///
    /// Each line has the time in seconds since 1970, the means since the previous line
    /// (cores in use, bytes per second over network and disks), and the bytes of memory in
    /// use. SIGTERM or SIGINT ends the recording early.
    Record(Record),
    /// Forget the largest epoch that this node has seen
    ///
    /// A worker that offers roles refuses every dispatcher with an older epoch than the
    /// largest one that it has seen, also after a restart. If its file was copied or damaged,
    /// or NATS lost its store, this epoch is wrong, and the worker refuses all dispatchers.
    /// Then stop the worker, run this command, and start the worker again, while only the
    /// dispatchers of this system run.
    ForgetEpoch(ForgetEpoch),
}

/// Arguments of `forget-epoch`.
#[derive(Args, Debug)]
pub struct ForgetEpoch {
    /// The configuration file of the worker
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Arguments of `record`.
#[derive(Args, Debug)]
pub struct Record {
    /// The file to write; an existing file is replaced. A name in .gz means compression
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The length of the recording
    #[arg(long = "for", value_name = "LENGTH", value_parser = length)]
    pub length: Duration,
    /// The time from line to line, in whole seconds
    #[arg(long, value_name = "LENGTH", default_value = "1s", value_parser = whole_seconds)]
    pub every: u64,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

fn length(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("expected a length of time, such as 60s")
}

fn whole_seconds(text: &str) -> Result<u64, &'static str> {
    let length = length(text)?;
    if length.is_zero() || length.subsec_nanos() != 0 {
        return Err("expected whole seconds, such as 1s or 1m");
    }
    Ok(length.as_secs())
}
