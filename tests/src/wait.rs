//! Waits for conditions; no test sleeps for a length it has guessed.

use std::time::{Duration, Instant};

/// Interval of checks of a condition: short beside the seconds that tests wait for, long
/// enough to leave the machine to the tested programs.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `check` finds something and returns it; panics after `limit`.
pub async fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut check: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        // A check that hangs, for example on a killed server, must not outlast the limit.
        let left = limit.saturating_sub(start.elapsed()).max(POLL_INTERVAL);
        if let Ok(Some(found)) = tokio::time::timeout(left, check()).await {
            return found;
        }
        let waited = start.elapsed();
        assert!(waited < limit, "waited {waited:.1?} for: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Waits until `condition` holds and returns the time of the wait; panics after `limit`.
pub async fn wait_until(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> Duration {
    let start = Instant::now();
    wait_for(what, limit, async || condition().await.then_some(())).await;
    start.elapsed()
}
