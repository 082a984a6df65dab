//! `rolecast dead`: jobs that failed for good, read from ROLECAST_DEAD itself.

pub(super) mod letters;
mod ls;
mod purge;
mod retry;
mod show;

use super::failure::Failure;
use super::session::Session;
use super::terminal::Terminal;
use crate::args::dead::Dead;
use crate::exit::Exit;

pub(crate) async fn run(
    session: &Session,
    dead: &Dead,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    match dead {
        Dead::Ls { category, limit } => ls::run(session, category.as_ref(), *limit, terminal).await,
        Dead::Show { id } => show::run(session, id, terminal).await,
        Dead::Retry(selection) => retry::run(session, selection, terminal).await,
        Dead::Purge { selection, yes } => purge::run(session, selection, *yes, terminal).await,
    }
}
