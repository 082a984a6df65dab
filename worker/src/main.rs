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

/// Runs jobs on this host, and reports the use of its resources.
///
/// The configuration has a command for each category of jobs; the dispatcher decides which
/// jobs are sent here. `rolecast worker-init` prints a commented configuration. After
/// SIGTERM, SIGINT or SIGHUP the worker drains: it takes no new jobs, waits for running
/// jobs until the grace time has passed, and hands the rest back. A second SIGTERM or
/// SIGINT ends the grace time. Logs go to stderr; RUST_LOG filters them (default: info).
///
/// Exit codes: 0 after a graceful end, 2 if the configuration has mistakes, 1 otherwise.
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
    /// NATS servers, separated by commas, such as nats://host:4222; takes precedence over
    /// NATS_URL and the configuration
    #[arg(long, value_name = "URL")]
    nats_url: Option<String>,
    /// The nats context to use
    #[arg(long, value_name = "NAME")]
    nats_context: Option<String>,
    /// The longest time until the first connection to NATS
    #[arg(long, value_name = "LENGTH", default_value = "60s", value_parser = length)]
    connect_timeout: Duration,
    /// The format of the log
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

/// A command that replaces running jobs.
#[derive(Debug, Subcommand)]
enum Command {
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

#[derive(Args, Debug)]
struct ForgetEpoch {
    /// The configuration file of the worker
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Args, Debug)]
struct Record {
    /// The file to write; an existing file is replaced. A name in .gz means compression
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The length of the recording
    #[arg(long = "for", value_name = "LENGTH", value_parser = length)]
    length: Duration,
    /// The time from line to line, in whole seconds
    #[arg(long, value_name = "LENGTH", default_value = "1s", value_parser = whole_seconds)]
    every: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
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
        tracing::info!(event = "config_valid", categories = config.category_count());
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
