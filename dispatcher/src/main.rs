//! `rolecast-dispatcher`: reads the command line and the config, and runs the service.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use rolecast_common::settings::Mistakes;
use rolecast_common::time::parse_duration;
use rolecast_dispatcher::config::{self, Config};
use rolecast_nats::{Settings, is_hangup_ignored, nats_settings};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The allocator: most of the dispatcher's own cost per job is small allocations, at
/// which this one is fast.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Dispatches jobs over NATS to workers, by their roles and their predicted load.
///
/// `rolecast dispatcher-init` prints a commented configuration. Logs go to stderr;
/// RUST_LOG filters them (default: info).
///
/// Exit codes: 0 after SIGTERM, SIGINT or SIGHUP, 2 if the configuration has mistakes,
/// 1 otherwise.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
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
    #[arg(long, value_name = "LENGTH", default_value = "60s", value_parser = duration)]
    connect_timeout: Duration,
    /// The format of the log
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a length of time, such as 60s".to_owned())
}

// One thread: the loop and the connection take turns without waking each other across
// cores, which costs most of the latency.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(arguments.log_format);
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(event = "failed", "{error:#}");
            if error.is::<Mistakes>() || error.is::<BadConfig>() {
                return ExitCode::from(2);
            }
            ExitCode::FAILURE
        }
    }
}

/// Marks an error that the operator must correct in the configuration.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the configuration {0}")]
struct BadConfig(String);

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = read_config(&arguments.config)?;
    if arguments.check {
        tracing::info!(event = "config_valid", path = %arguments.config.display());
        return Ok(());
    }
    let flags = Settings {
        url: arguments.nats_url,
        context: arguments.nats_context,
        ..Settings::default()
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A listener would undo what nohup set.
    let listens = !is_hangup_ignored();
    let mut hangup = listens.then(|| signal(SignalKind::hangup())).transpose()?;
    let shutdown = async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = hung_up => {}
        }
    };
    let nats = nats_settings(flags, config.nats.clone());
    let nats = nats.with_context(|| BadConfig("of NATS".to_owned()))?;
    rolecast_dispatcher::io::run(config, nats, arguments.connect_timeout, shutdown).await
}

fn read_config(path: &PathBuf) -> anyhow::Result<Config> {
    let name = || BadConfig(path.display().to_string());
    let text = std::fs::read_to_string(path).with_context(name)?;
    config::parse(&text, &config::host_name()).with_context(name)
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn,tokio_cron_scheduler=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
