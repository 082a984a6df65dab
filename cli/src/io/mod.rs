//! Carries the commands out: talks to NATS, files, processes and the terminal.

#![allow(
    clippy::disallowed_methods,
    reason = "this module is the shell that reads clocks"
)]

mod backtest;
mod capacity;
mod category;
mod dead;
mod demo;
mod doctor;
mod events;
mod explain;
mod failure;
mod forecast;
mod init;
mod job;
mod manual;
mod metrics;
mod node;
mod permissions;
mod role;
mod session;
mod simulate;
mod simulate_cluster;
mod status;
mod submit;
mod terminal;
mod top;
mod train;
mod waiting;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};
use crate::config::Environment;
use crate::exit::Exit;
use failure::Failure;
use session::Session;
use terminal::Terminal;

/// Carries out the command of the command line and returns its exit code, which `--help`
/// explains.
///
/// Results go to standard output, failures with their remedy to standard error. Wrong
/// arguments end the process at once, with code 2. It needs a tokio runtime with IO and time.
pub async fn start() -> ExitCode {
    let arguments = Arguments::parse();
    let environment = Environment::read();
    run(&arguments, &environment).await.into()
}

/// Runs the command and reports a failure; returns its exit.
async fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    let terminal = Terminal::new(&arguments.global, environment);
    let failure = match carry_out(arguments, environment, &terminal).await {
        Ok(exit) => return exit,
        Err(failure) => failure,
    };
    // A reader that closed its end, such as `head`, has all it wanted.
    if failure.is_broken_pipe() {
        return Exit::Fine;
    }
    terminal.report(&failure);
    failure.exit
}

#[allow(
    clippy::cognitive_complexity,
    reason = "one short arm for each command"
)]
async fn carry_out(
    arguments: &Arguments,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let open = || Session::open(&arguments.global);
    match &arguments.command {
        Command::Demo(demo) => demo::run(demo, environment, terminal).await,
        Command::Backtest(backtest) => backtest::run(backtest, terminal),
        Command::Simulate(simulate) if simulate.from_cluster => {
            simulate_cluster::run(open().await?, simulate, terminal).await
        }
        Command::Simulate(simulate) => simulate::run(simulate, terminal),
        Command::TrainLstm(train) => train::run(train, terminal),
        Command::Permissions(asked) => permissions::run(asked, terminal),
        Command::Metrics => metrics::run(terminal),
        Command::WorkerInit => init::worker(terminal),
        Command::DispatcherInit => init::dispatcher(terminal),
        Command::Completions(asked) => manual::completions(asked, terminal),
        Command::Manual(asked) => manual::write(asked, terminal),
        Command::Submit(submit) => {
            let payload = submit::read_payload(&submit.payload)?;
            let session = Session::open(&arguments.global).await?;
            submit::run(&session, submit, payload, terminal).await
        }
        Command::Job(job) => job::run(&open().await?, job, environment, terminal).await,
        Command::Explain(explain) => explain::run(&open().await?, explain, terminal).await,
        Command::Category(category) => category::run(&open().await?, category, terminal).await,
        Command::Status(status) => status::run(&open().await?, status, terminal).await,
        Command::Top(top) => {
            top::check(top, environment, terminal)?;
            let session = Session::open(&arguments.global).await?;
            top::run(session, top, terminal).await
        }
        Command::Events(events) => events::run(&open().await?, events, terminal).await,
        Command::Doctor(doctor) => doctor::run(&arguments.global, doctor, terminal).await,
        Command::Capacity(capacity) => capacity::run(&open().await?, capacity, terminal).await,
        Command::Forecast(forecast) => forecast::run(&open().await?, forecast, terminal).await,
        Command::Role(role) => role::run(&open().await?, role, terminal).await,
        Command::Node(node) => node::run(&open().await?, node, terminal).await,
        Command::Dead(dead) => dead::run(&open().await?, dead, terminal).await,
    }
}
