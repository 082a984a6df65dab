//! Command line of `rolecast-dispatcher`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use rolecast_nats::Flags;

const EXIT_CODES: &str = "\
Exit codes:
  0  ended by SIGTERM, SIGINT or SIGHUP
  1  failed
  2  the arguments or the configuration have mistakes";

/// Dispatches jobs over NATS to workers, by their roles and their predicted load.
///
/// `rolecast dispatcher-init` prints a commented configuration. Logs go to stderr;
/// RUST_LOG filters them (default: info).
#[derive(Debug, Parser)]
#[command(name = "rolecast-dispatcher", version, after_help = EXIT_CODES)]
pub struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Check the configuration and exit
    #[arg(long)]
    pub check: bool,
    /// The connection to NATS
    #[command(flatten)]
    pub nats: Flags,
    /// The format of the log
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}
