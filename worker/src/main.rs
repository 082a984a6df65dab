//! `rolecast-worker`: runs the commands its configuration names for each category of jobs,
//! or records the use of this host.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use rolecast_common::settings::Mistakes;
use rolecast_common::time::parse_duration;
use rolecast_nats::{Settings, has_secret, nats_settings, secret_variables};
use rolecast_worker::config::Config;
use rolecast_worker::{
    Recording, Worker, forget_epoch, record_host, run_if_leashed, shutdown_signals,
};
use tracing_subscriber::EnvFilter;

const EXIT_FAILED: u8 = 1;
const EXIT_BAD_CONFIG: u8 = 2;

/// Runs jobs on this host and reports how busy it is.
///
/// The configuration names a command for each category of jobs; the dispatcher
/// decides which jobs come here. SIGTERM, SIGINT or SIGHUP drains: no new jobs, running
/// ones may finish within the grace time, the rest is given back; a second
/// signal ends the grace time. `rolecast worker-init` prints a configuration.
///
/// Exit codes: 0 after a graceful end, 2 for a bad configuration, 1 otherwise.
/// Logs go to stderr; RUST_LOG filters them (such as RUST_LOG=debug).
#[derive(Debug, Parser)]
#[command(name = "rolecast-worker", version)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration file
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
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

/// What to do instead of running jobs.
#[derive(Debug, Subcommand)]
enum Command {
    /// Record the use of this host, for `rolecast backtest`
    ///
    /// Each line has the time in seconds since the Unix epoch, and since the line
    /// before the mean of cores kept busy and of bytes per second over network and
    /// disks, and the bytes of memory in use. SIGTERM or SIGINT ends it early.
    Record(Record),
    /// Forget the largest epoch that this node has seen
    ///
    /// A worker that offers roles refuses every dispatcher older than the latest it has
    /// seen, and keeps that over restarts. If what it keeps is no dispatcher's (its file
    /// was copied or damaged, or NATS lost its store), it refuses all there are. Stop the
    /// worker, run this, and start it again, while no other dispatcher is at work.
    ForgetEpoch(ForgetEpoch),
}

#[derive(Args, Debug)]
struct ForgetEpoch {
    /// The configuration file of the worker
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Args, Debug)]
struct Record {
    /// The file to write, replaced if it exists; compressed if it ends in .gz
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How long
    #[arg(long = "for", value_name = "LENGTH", value_parser = length)]
    length: Duration,
    /// From line to line, in whole seconds
    #[arg(long, value_name = "LENGTH", default_value = "1s", value_parser = whole_seconds)]
    every: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn length(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("expected a length of time such as 60s")
}

fn whole_seconds(text: &str) -> Result<u64, &'static str> {
    let length = length(text)?;
    if length.is_zero() || length.subsec_nanos() != 0 {
        return Err("expected whole seconds, such as 1s or 1m");
    }
    Ok(length.as_secs())
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

/// Marks an error that the operator corrects in the configuration.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the configuration {0}")]
struct BadConfig(String);

fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Some(Command::Record(record)) => return run_record(record),
        Some(Command::ForgetEpoch(forget)) => {
            let (path, held) = forget_epoch(&read_config(&forget.config)?)?;
            tracing::info!(event = "epoch_forgotten", path = %path.display(), held);
            return Ok(());
        }
        None => {}
    }
    let path = arguments.config.as_deref();
    let config = read_config(path.expect("required where there is no command"))?;
    if arguments.check {
        tracing::info!(event = "config_valid", categories = config.categories.len());
        return Ok(());
    }
    warn_of_visible_login(&config, arguments.nats_url.as_deref());
    let flags = Settings {
        url: arguments.nats_url,
        context: arguments.nats_context,
        ..Settings::default()
    };
    let nats = nats_settings(flags, config.nats.clone());
    let nats = nats.with_context(|| BadConfig("of NATS".to_owned()))?;
    let holds_login = config.nats.has_secret();
    let mut worker = Worker::from_config(config, nats, arguments.connect_timeout);
    if let Some(path) = arguments.config.filter(|_| holds_login) {
        worker.guard(path);
    }
    start_runtime()?.block_on(async { worker.run_until(shutdown_signals()?).await })
}

/// Warns once where this worker's login is visible.
fn warn_of_visible_login(config: &Config, url: Option<&str>) {
    if url.is_some_and(has_secret) {
        tracing::warn!(
            event = "login_visible",
            place = "--nats-url",
            "every user of this host sees the password in the list of processes; put the \
             login into a credentials file (NATS_CREDS, or creds in [nats])"
        );
    }
    let variables = secret_variables();
    if !variables.is_empty() && config.has_jobs_of_own_user() {
        tracing::warn!(
            event = "login_visible",
            place = variables.join(","),
            "jobs run as this worker's user and can read its environment; put the login \
             into a file, and let jobs run as another user (run_as)"
        );
    }
}

fn run_record(record: Record) -> anyhow::Result<()> {
    let Record { out, length, every } = record;
    tracing::info!(event = "record_started", out = %out.display(), every_s = every);
    let recording = Recording { out, length, every };
    let recorded = async { record_host(recording, shutdown_signals()?).await };
    let lines = start_runtime()?.block_on(recorded)?;
    tracing::info!(event = "record_ended", lines);
    Ok(())
}

/// Starts a runtime of one thread: commands have threads of their own, so one is enough
/// for everything else.
fn start_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.context("cannot start the runtime")
}

fn read_config(path: &Path) -> anyhow::Result<Config> {
    let name = || BadConfig(path.display().to_string());
    let text = std::fs::read_to_string(path).with_context(name)?;
    Config::read(&text).with_context(name)
}

fn start_log(format: LogFormat) {
    // Connection events of the client library are logged here already.
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
