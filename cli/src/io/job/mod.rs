//! `rolecast job`: lists of jobs, the state of one, and cancels.

mod bar;
mod cancel;
mod find;
mod get;
mod logs;
mod ls;
mod queue;
mod watch;

pub(super) use find::{queued, resolve};
pub(super) use queue::wall;

use super::failure::Failure;
use super::session::Session;
use super::terminal::Terminal;
use crate::args::job::Job;
use crate::config::Environment;
use crate::exit::Exit;

pub(crate) async fn run(
    session: &Session,
    job: &Job,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    match job {
        Job::Get { job, output, raw } => {
            let wanted = match (output, raw) {
                (_, true) => get::Wanted::RawOutput,
                (true, false) => get::Wanted::Output,
                (false, false) => get::Wanted::Record,
            };
            get::run(session, job, wanted, terminal).await
        }
        Job::Ls(list) => ls::run(session, list, terminal).await,
        Job::Cancel(wanted) => cancel::run(session, wanted, environment, terminal).await,
        Job::Watch { job } => watch::run(session, job, terminal).await,
        Job::Logs {
            job,
            attempt,
            follow,
            raw,
        } => {
            let wanted = logs::Wanted {
                attempt: *attempt,
                follow: *follow,
                raw: *raw,
            };
            logs::run(session, job, wanted, terminal).await
        }
    }
}
