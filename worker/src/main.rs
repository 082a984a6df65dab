//! `rolecast-worker`: runs the commands its configuration names for each category of jobs.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use rolecast_common::nats::{Settings, nats_settings};
use rolecast_common::settings::Mistakes;
use rolecast_common::time::parse_duration;
use rolecast_worker::config::Config;
use rolecast_worker::{Worker, run_if_leashed, shutdown_signals};
use tracing_subscriber::EnvFilter;

const EXIT_FAILED: u8 = 1;
const EXIT_BAD_CONFIG: u8 = 2;

/// Runs jobs on this host and reports how busy it is.
///
/// The configuration names a command for each category of jobs; the dispatcher
/// decides which jobs come here. SIGTERM or SIGINT drains: no new jobs, running
/// ones may finish within the grace time, the rest is given back; a second
/// signal ends the grace time. `rolecast worker-init` prints a configuration.
///
/// Exit codes: 0 after a graceful end, 2 for a bad configuration, 1 otherwise.
/// Logs go to stderr; RUST_LOG filters them (such as RUST_LOG=debug).
#[derive(Debug, Parser)]
#[command(name = "rolecast-worker", version)]
struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration and exit
    #[arg(long)]
    check: bool,
    /// NATS servers, separated by commas; beats NATS_URL and the configuration
    #[arg(long, value_name = "URL")]
    nats_url: Option<String>,
    /// The nats context to log in with
    #[arg(long, value_name = "NAME")]
    nats_context: Option<String>,
    /// How long the first connection to NATS may take
    #[arg(long, value_name = "LENGTH", default_value = "60s", value_parser = length)]
    connect_timeout: Duration,
    /// How log lines are written
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn length(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("expected a length of time such as 60s")
}

fn main() -> ExitCode {
    run_if_leashed();
    let arguments = Arguments::parse();
    start_log(arguments.log_format);
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let is_config = error.is::<BadConfig>() || error.is::<Mistakes>();
            tracing::error!(event = "worker_failed", "{error:#}");
            ExitCode::from(if is_config {
                EXIT_BAD_CONFIG
            } else {
                EXIT_FAILED
            })
        }
    }
}

/// Marks an error that the operator mends in the configuration.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the configuration {0}")]
struct BadConfig(String);

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = read_config(&arguments.config)?;
    if arguments.check {
        tracing::info!(event = "config_valid", categories = config.categories.len());
        return Ok(());
    }
    let flags = Settings {
        url: arguments.nats_url,
        context: arguments.nats_context,
        ..Settings::default()
    };
    let nats = nats_settings(flags, config.nats.clone());
    let nats = nats.with_context(|| BadConfig("of NATS".to_owned()))?;
    let worker = Worker::from_config(config, nats, arguments.connect_timeout);
    // Commands have threads of their own, so one is enough for everything else.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async { worker.run_until(shutdown_signals()?).await })
}

fn read_config(path: &Path) -> anyhow::Result<Config> {
    let name = || BadConfig(path.display().to_string());
    let text = std::fs::read_to_string(path).with_context(name)?;
    Config::read(&text).with_context(name)
}

fn start_log(format: LogFormat) {
    // What the client library says about connections is logged here already.
    let default = || EnvFilter::new("info,async_nats=warn");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
}
