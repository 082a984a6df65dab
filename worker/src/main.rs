//! `rolecast-worker`: runs the commands its configuration names for each category of jobs,
//! or records the use of this host.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use rolecast_common::settings::Mistakes;
use rolecast_nats::{has_secret, nats_settings, secret_variables};
use rolecast_worker::args::{Arguments, Command, LogFormat, Record};
use rolecast_worker::config::Config;
use rolecast_worker::{
    Recording, Worker, forget_epoch, record_host, run_if_leashed, shutdown_signals,
};
use tracing_subscriber::EnvFilter;

const EXIT_FAILED: u8 = 1;
const EXIT_BAD_CONFIG: u8 = 2;

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
    warn_of_visible_login(&config, arguments.nats.nats_url.as_deref());
    let nats = nats_settings(arguments.nats.settings(), config.nats.clone());
    let nats = nats.with_context(|| BadConfig("of NATS".to_owned()))?;
    let holds_login = config.nats.has_secret();
    let mut worker = Worker::from_config(config, nats, arguments.nats.connect_timeout);
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
