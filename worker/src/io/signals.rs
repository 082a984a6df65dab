//! The signals that end a worker.

use anyhow::Context as _;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Returns a stream with an item for each SIGTERM or SIGINT: the first drains,
/// the second ends the grace time.
pub fn shutdown_signals() -> anyhow::Result<impl Stream<Item = ()> + Send + Unpin> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let signals = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    Ok(Box::pin(unfold(signals, next)))
}

async fn next(mut signals: (Signal, Signal)) -> Option<((), (Signal, Signal))> {
    tokio::select! {
        Some(()) = signals.0.recv() => {}
        Some(()) = signals.1.recv() => {}
        else => return None,
    }
    Some(((), signals))
}
