//! Durations of the lease, and the relations that they must satisfy.
//!
//! A take-over after a death takes `PATIENCE`, less what had passed since the last
//! renewal, plus `WATCH_INTERVAL` until it was seen and up to [`JITTER_MAX`]: 0.96
//! to 1.46 s. A holder whose bucket was away leads again within `RETURN_MAX` of its
//! first answer.

use std::time::Duration;

/// Time for which the lease holds after it was requested. Guessed: a take-over is to take
/// about a second, and a server under load answers late by some hundred milliseconds.
pub const TERM: Duration = Duration::from_millis(1200);
/// Interval of renewals: one that is lost, and is looked for after [`ANSWER_WAIT`],
/// leaves time for the next.
pub(super) const RENEW_INTERVAL: Duration = Duration::from_millis(300);
/// Interval at which challengers read the key.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// Time without an answer after which a request is made again.
pub const ANSWER_WAIT: Duration = Duration::from_millis(400);
/// Delay before a request that failed at once is made again, plus up to [`JITTER_MAX`].
pub(super) const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// The largest distance between challengers, so that they do not claim at the same
/// moment.
pub const JITTER_MAX: Duration = Duration::from_millis(100);
/// Time that challengers wait: a twentieth beyond the term is far more than clocks differ
/// in their rates.
pub(super) const PATIENCE: Duration = Duration::from_millis(1260);
/// The longest time between two answers for which the bucket does not count as away: one
/// request may be lost, and 50 ms are for slow answers.
pub(super) const GAP_MAX: Duration = Duration::from_millis(550);
/// Time within which a holder renews after the bucket is back: the request that is lost,
/// a pause, and a read and a write of up to 100 ms each.
const RETURN_MAX: Duration = Duration::from_millis(800);

const _: () = {
    const fn millis(length: Duration) -> u128 {
        length.as_millis()
    }
    // One lost renewal, and one lost read about it, do not end the lease.
    assert!(millis(RENEW_INTERVAL) + 2 * millis(ANSWER_WAIT) < millis(TERM));
    assert!(20 * millis(PATIENCE) >= 21 * millis(TERM));
    assert!(millis(GAP_MAX) > millis(ANSWER_WAIT) + millis(WATCH_INTERVAL));
    // The old holder renews before a challenger, which begins to wait again, may claim.
    assert!(
        millis(ANSWER_WAIT) + millis(RETRY_INTERVAL) + millis(JITTER_MAX) + 200
            <= millis(RETURN_MAX)
    );
    assert!(millis(RETURN_MAX) < millis(PATIENCE));
};
