//! Signals that end a worker.

use anyhow::Context as _;
use futures_util::Stream;
use futures_util::stream::unfold;
use rolecast_nats::is_hangup_ignored;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Returns a stream with an item for each SIGTERM or SIGINT: the first drains, the second
/// ends the grace time. A first SIGHUP drains too, unless the program was started to
/// ignore it; further ones are from the same terminal.
///
/// [`Worker::run_until`](crate::Worker::run_until) takes it. Signals no longer end the
/// process by themselves after this call.
///
/// # Errors
/// The system's, if no handler can be installed.
///
/// # Panics
/// Outside of a tokio runtime with IO.
pub fn shutdown_signals() -> anyhow::Result<impl Stream<Item = ()> + Send + Unpin> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let hangup = match is_hangup_ignored() {
        true => None,
        false => Some(listen(SignalKind::hangup())?),
    };
    let signals = Signals {
        terminate: listen(SignalKind::terminate())?,
        interrupt: listen(SignalKind::interrupt())?,
        hangup,
        has_drained: false,
    };
    Ok(Box::pin(unfold(signals, next)))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
    has_drained: bool,
}

async fn next(mut signals: Signals) -> Option<((), Signals)> {
    loop {
        let is_hangup = tokio::select! {
            Some(()) = signals.terminate.recv() => false,
            Some(()) = signals.interrupt.recv() => false,
            Some(()) = received(&mut signals.hangup) => true,
            else => return None,
        };
        if !is_hangup || !signals.has_drained {
            signals.has_drained = true;
            return Some(((), signals));
        }
    }
}

async fn received(signal: &mut Option<Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}
