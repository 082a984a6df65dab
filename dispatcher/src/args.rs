//! Command line of `rolecast-dispatcher`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rolecast_common::time::parse_duration;

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
    /// NATS servers, separated by commas, such as nats://host:4222; takes precedence over
    /// NATS_URL and the configuration
    #[arg(long, value_name = "URL")]
    pub nats_url: Option<String>,
    /// The nats context to use
    #[arg(long, value_name = "NAME")]
    pub nats_context: Option<String>,
    /// The longest time until the first connection to NATS
    #[arg(long, value_name = "LENGTH", default_value = "60s", value_parser = duration)]
    pub connect_timeout: Duration,
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

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a length of time, such as 60s".to_owned())
}
