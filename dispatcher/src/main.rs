//! `rolecast-dispatcher`: reads the command line and the config, and runs the service.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use rolecast_common::settings::Mistakes;
use rolecast_dispatcher::args::{Arguments, LogFormat};
use rolecast_dispatcher::config::{self, Config};
use rolecast_nats::{is_hangup_ignored, nats_settings};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The allocator: most of the dispatcher's own cost per job is small allocations, at
/// which this one is fast.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    let nats = nats_settings(arguments.nats.settings(), config.nats.clone());
    let nats = nats.with_context(|| BadConfig("of NATS".to_owned()))?;
    rolecast_dispatcher::io::run(config, nats, arguments.nats.connect_timeout, shutdown).await
}

fn read_config(path: &Path) -> anyhow::Result<Config> {
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
