//! The page: its views, its files, and the stream of updates.

mod album;
mod decisions;
mod latest;
mod latest_events;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use rolecast_http::{Slot, Slots};
use rolecast_page::{ASSETS, Ask, Asset};
use serde::Deserialize;
use tokio::time::sleep;

use self::album::Album;
use super::Observatory;

/// Viewers of updates at once. More read the page, and renew it themselves.
const VIEWERS_MAX: usize = 32;
/// The least time between two updates.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Bytes a second that a viewer gets at most, over a slow line as well.
const BYTES_PER_SECOND: usize = 32 * 1024;
/// Files have a mark of their content in their address.
const FOR_LONG: &str = "public, max-age=31536000, immutable";

#[derive(Clone, Debug)]
struct Pages {
    album: Album,
    slots: Slots,
}

/// Returns the routes of the page of a dispatcher.
pub(super) fn routes(observatory: &Observatory) -> Router {
    let pages = Pages {
        album: Album::new(observatory),
        slots: Slots::new(VIEWERS_MAX),
    };
    let mut router = Router::new().route("/live", get(live));
    for path in Ask::PATHS {
        router = router.route(path, get(page));
    }
    for asset in ASSETS {
        router = router.route(asset.path, get(move || async move { file(asset) }));
    }
    router.with_state(pages)
}

async fn page(State(pages): State<Pages>, uri: Uri, RawQuery(query): RawQuery) -> Response {
    let Some(ask) = Ask::parse(uri.path(), query.as_deref().unwrap_or_default()) else {
        return (StatusCode::NOT_FOUND, "no such page\n").into_response();
    };
    Html(pages.album.page(&ask).await).into_response()
}

fn file(asset: Asset) -> Response {
    let headers = [
        (CONTENT_TYPE, asset.content_type),
        (CACHE_CONTROL, FOR_LONG),
    ];
    (headers, asset.content).into_response()
}

/// The page that is to be kept up to date.
#[derive(Debug, Deserialize)]
struct Live {
    of: String,
}

async fn live(State(pages): State<Pages>, Query(Live { of }): Query<Live>) -> Response {
    let (path, query) = of.split_once('?').unwrap_or((&of, ""));
    let Some(ask) = Ask::parse(path, query) else {
        return (StatusCode::NOT_FOUND, "no such page\n").into_response();
    };
    let Some(slot) = pages.slots.take() else {
        let text = "too many viewers have the page open\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let viewer = Viewer {
        album: pages.album,
        ask,
        last: None,
        _slot: slot,
    };
    let alive = KeepAlive::new();
    Sse::new(viewer.updates()).keep_alive(alive).into_response()
}

/// One open page.
struct Viewer {
    album: Album,
    ask: Ask,
    /// The update that was sent last.
    last: Option<Arc<str>>,
    _slot: Slot,
}

impl Viewer {
    /// Returns updates for as long as they are read: an unread one holds up the next.
    fn updates(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut viewer| async move {
            loop {
                if let Some(last) = &viewer.last {
                    sleep(pause(last.len())).await;
                }
                let main = viewer.album.main(&viewer.ask).await;
                if viewer.last.as_ref() == Some(&main) {
                    continue;
                }
                let event = Event::default().data(line_safe(&main));
                viewer.last = Some(main);
                return Some((Ok(event), viewer));
            }
        })
    }
}

/// Returns the pause after an update of this size.
fn pause(len: usize) -> Duration {
    let seconds = u64::try_from(len / BYTES_PER_SECOND).unwrap_or(u64::MAX);
    PAUSE_MIN.max(Duration::from_secs(seconds))
}

/// Replaces what an event cannot carry.
fn line_safe(text: &str) -> String {
    text.replace('\r', " ")
}
