//! `rolecast events`: the events of the last day, and new ones as they happen.
//!
//! The dispatcher reads the stream for those who ask. A published event is only a hint to
//! ask again: so none is missed or shown twice over a take-over or a lost connection.

use std::time::Duration;

use futures_util::StreamExt as _;
use rolecast_common::subjects;
use rolecast_common::time::WallTime;
use rolecast_common::wire::{self, Encoding, EventsPage, EventsRequest};
use rolecast_nats::Clock;
use tokio::time::{sleep, timeout};

use super::failure::Failure;
use super::session::{Session, no_dispatcher};
use super::terminal::Terminal;
use crate::args::events::Events;
use crate::exit::Exit;
use crate::style::Tone;
use crate::view::events::line;

const SINCE: Duration = Duration::from_secs(3600);
/// Interval of requests without a hint: hints may be lost.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// Time in which a published event is stored, and others that happen with it.
const STORED_WITHIN: Duration = Duration::from_millis(100);
/// Pages of all that is kept, and more.
const PAGES_MAX: usize = 100_000;

pub(crate) async fn run(
    session: &Session,
    events: &Events,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let back = match (events.since, events.follow) {
        (Some(since), _) => since,
        (None, true) => Duration::ZERO,
        (None, false) => SINCE,
    };
    let now = Clock::new().now().wall.as_millis();
    let back = u64::try_from(back.as_millis()).unwrap_or(u64::MAX);
    let mut place = EventsRequest {
        kind: events.kind.clone(),
        since_ms: Some(WallTime::from_millis(now.saturating_sub(back))),
        ..EventsRequest::first()
    };
    let hints = match events.follow {
        true => Some(session.connection.client.subscribe(subjects::EVENTS).await),
        false => None,
    };
    let count = show(session, &mut place, terminal).await?;
    let Some(hints) = hints else {
        if count == 0 && !terminal.json {
            terminal.print("no events\n")?;
        }
        return Ok(Exit::Fine);
    };
    let mut hints = hints.map_err(anyhow::Error::from)?;
    loop {
        if let Ok(hint) = timeout(ASK_EVERY, hints.next()).await {
            hint.ok_or_else(|| Failure::unreachable(anyhow::anyhow!("the connection is closed")))?;
            sleep(STORED_WITHIN).await;
        }
        if let Err(failure) = show(session, &mut place, terminal).await {
            if failure.is_broken_pipe() {
                return Err(failure);
            }
            terminal.note(&terminal.notes.paint(Tone::Warning, &failure.text()));
        }
    }
}

/// Shows the events after a place, and moves it behind them; returns their number.
async fn show(
    session: &Session,
    place: &mut EventsRequest,
    terminal: &Terminal,
) -> Result<usize, Failure> {
    let mut count = 0;
    for _ in 0..PAGES_MAX {
        let body = wire::encode(Encoding::MessagePack, place).into();
        let page: Option<EventsPage> = session.request(subjects::API_EVENTS, body).await?;
        let page = page.ok_or_else(no_dispatcher)?;
        for event in &page.events {
            if terminal.json {
                terminal.print_json_line(event)?;
            } else {
                terminal.print(&line(event, terminal.palette))?;
            }
        }
        count += page.events.len();
        place.after = page.next.or(place.after);
        if page.is_last {
            break;
        }
    }
    Ok(count)
}
