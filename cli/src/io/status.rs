//! `rolecast status`: nodes, categories, and conditions that need attention.

use std::time::Duration;

use bytes::Bytes;
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, StatusCursor, StatusRequest};
use tokio::time::{MissedTickBehavior, interval};

use super::failure::Failure;
use super::session::{Session, no_dispatcher};
use super::terminal::Terminal;
use crate::args::fleet::Status;
use crate::exit::Exit;
use crate::style::Tone;
use crate::view::status::{is_in_order, page};

/// A page has 500 nodes unless they are large; a dispatcher knows 20,000 at most.
const PAGES_MAX: usize = 1_000;
/// As often as workers send heartbeats.
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(
    session: &Session,
    status: &Status,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    if status.watch {
        return watch(session, status.all, terminal).await;
    }
    let is_all = status.all;
    let status = request(session).await?.ok_or_else(no_dispatcher)?;
    if terminal.json {
        terminal.print_document(&status)?;
    } else {
        terminal.print(&page(&status, is_all, terminal.palette))?;
    }
    Ok(match is_in_order(&status) {
        true => Exit::Fine,
        false => Exit::Unreachable,
    })
}

/// Asks the dispatcher for its view, page by page; `None` if there is no dispatcher.
pub(crate) async fn request(session: &Session) -> Result<Option<wire::Status>, Failure> {
    request_while(session, |_| true).await
}

/// Requests all but roles and nodes, except those on the same page.
pub(crate) async fn request_categories(session: &Session) -> Result<Option<wire::Status>, Failure> {
    let is_category = |next: &StatusCursor| matches!(next, StatusCursor::Category(_));
    request_while(session, is_category).await
}

/// Reads on while the entries of the next page are wanted.
async fn request_while(
    session: &Session,
    is_wanted: impl Fn(&StatusCursor) -> bool,
) -> Result<Option<wire::Status>, Failure> {
    // Older dispatchers answer with all at once, and ignore the body.
    let first = session.request(subjects::API_STATUS, Bytes::new()).await?;
    let Some(mut whole): Option<wire::Status> = first else {
        return Ok(None);
    };
    for _ in 1..PAGES_MAX {
        let Some(next) = whole.next.take().filter(&is_wanted) else {
            return Ok(Some(whole));
        };
        let request = StatusRequest {
            after: Some(next),
            ..StatusRequest::first()
        };
        let body = wire::encode(Encoding::MessagePack, &request).into();
        let page: Option<wire::Status> = session.request(subjects::API_STATUS, body).await?;
        append(&mut whole, page.ok_or_else(no_dispatcher)?);
    }
    Err(Failure::new(
        Exit::Failed,
        format!("the dispatcher's status has more than {PAGES_MAX} pages"),
    ))
}

/// Adds the lists of the next page. Fields that are no lists stay those of the first.
fn append(whole: &mut wire::Status, page: wire::Status) {
    whole.categories.extend(page.categories);
    whole.roles.extend(page.roles);
    whole.nodes.extend(page.nodes);
    whole.next = page.next;
}

/// Continues until interrupted, also while the dispatcher is away.
async fn watch(session: &Session, is_all: bool, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    if terminal.is_live && !terminal.json {
        terminal.clear()?;
    }
    loop {
        ticks.tick().await;
        let answer = match request(session).await {
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
            terminal.redraw(&page(&status, is_all, terminal.palette))?;
        } else {
            terminal.print(&format!("{}\n", page(&status, is_all, terminal.palette)))?;
        }
    }
}
