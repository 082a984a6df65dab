//! `rolecast status`: nodes, categories, and what needs attention.

use std::time::Duration;

use bytes::Bytes;
use rolecast_common::subjects;
use rolecast_common::wire;
use tokio::time::{MissedTickBehavior, interval};

use super::failure::Failure;
use super::session::{Session, no_dispatcher};
use super::terminal::Terminal;
use crate::args::fleet::Status;
use crate::exit::Exit;
use crate::style::Tone;
use crate::view::status::{is_in_order, page};

/// As often as workers send heartbeats.
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(
    session: &Session,
    status: &Status,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    if status.watch {
        return watch(session, terminal).await;
    }
    let status = ask(session).await?.ok_or_else(no_dispatcher)?;
    if terminal.json {
        terminal.print_document(&status)?;
    } else {
        terminal.print(&page(&status, terminal.palette))?;
    }
    Ok(match is_in_order(&status) {
        true => Exit::Fine,
        false => Exit::Unreachable,
    })
}

/// Asks the dispatcher for its view; `None` if there is no dispatcher.
pub(crate) async fn ask(session: &Session) -> Result<Option<wire::Status>, Failure> {
    session.ask(subjects::API_STATUS, Bytes::new()).await
}

/// Goes on until interrupted, also while the dispatcher is away.
async fn watch(session: &Session, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    if terminal.is_live && !terminal.json {
        terminal.clear()?;
    }
    loop {
        ticks.tick().await;
        let answer = match ask(session).await {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(no_dispatcher()),
            Err(failure) => Err(failure),
        };
        let status = match answer {
            Ok(status) => status,
            Err(failure) => {
                let text = failure.text();
                terminal.note(&terminal.notes.paint(Tone::Warning, &text));
                continue;
            }
        };
        if terminal.json {
            terminal.print_json_line(&status)?;
        } else if terminal.is_live {
            terminal.redraw(&page(&status, terminal.palette))?;
        } else {
            terminal.print(&format!("{}\n", page(&status, terminal.palette)))?;
        }
    }
}
