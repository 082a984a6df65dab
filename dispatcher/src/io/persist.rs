//! Retries of a request until it works, or is known never to work.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_nats::jetstream;
use rolecast_nats::Connection;
use tokio::time::{Instant, sleep, timeout};

/// Time limit of one try: a few requests of [`super::REQUEST_LIMIT`].
const TRY_LIMIT: Duration = Duration::from_secs(5);
/// The first and the longest delay between two tries.
const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(2);
/// Interval at which a lasting error is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Codes of the server for requests that no repetition can grant: the configuration or
/// the server must be changed first. Replicas on a server without a cluster, a stream
/// whose subjects belong to another one, a setting that cannot be changed, no such
/// setting.
const HOPELESS: [u64; 4] = [10_074, 10_065, 10_052, 10_025];

/// Tries until it works. The error is one that no retry can correct.
pub(super) async fn persist<T>(
    connection: &Connection,
    what: &str,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    let mut logged: Option<Instant> = None;
    let mut tries = 0;
    loop {
        let tried = timeout(TRY_LIMIT, attempt()).await;
        let error = match tried {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => anyhow!("no answer within {} s", TRY_LIMIT.as_secs()),
        };
        let violation = connection.take_violation();
        if is_hopeless(code(&error), violation.as_deref()) {
            return Err(match violation {
                Some(text) => anyhow!("this login lacks a permission: {text}"),
                None => error,
            })
            .with_context(|| format!("cannot reach {what}"));
        }
        if logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL) {
            logged = Some(Instant::now());
            let waited = begun.elapsed();
            tracing::warn!(
                event = "trying_again",
                what,
                ?waited,
                "not possible yet: {error:#}"
            );
        }
        sleep(delay(tries, fastrand::f64())).await;
        tries += 1;
    }
}

/// Returns the delay after this many failed tries; `jitter` is from 0 to 1.
pub(super) fn delay(tries: u32, jitter: f64) -> Duration {
    let longest = (DELAY_MIN * 2u32.pow(tries.min(10))).min(DELAY_MAX);
    longest.mul_f64(0.5 + 0.5 * jitter)
}

/// Whether no retry can correct it: the login lacks a right, or the server refuses for good.
fn is_hopeless(code: Option<u64>, violation: Option<&str>) -> bool {
    violation.is_some() || code.is_some_and(|code| HOPELESS.contains(&code))
}

/// Returns JetStream's code, if the error is from there.
fn code(error: &anyhow::Error) -> Option<u64> {
    use jetstream::context::{CreateStreamError, CreateStreamErrorKind};
    use jetstream::stream::{ConsumerError, ConsumerErrorKind};

    error.chain().find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<jetstream::Error>() {
            return Some(error.error_code().0);
        }
        if let Some(error) = cause.downcast_ref::<CreateStreamError>()
            && let CreateStreamErrorKind::JetStream(error) = error.kind()
        {
            return Some(error.error_code().0);
        }
        if let Some(error) = cause.downcast_ref::<ConsumerError>()
            && let ConsumerErrorKind::JetStream(error) = error.kind()
        {
            return Some(error.error_code().0);
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_retry_mends_is_hopeless() {
        for passing in [10_008, 10_009, 10_023, 10_047, 10_058, 10_059, 10_005] {
            assert!(!is_hopeless(Some(passing), None), "{passing}");
        }
        assert!(!is_hopeless(None, None));
        assert!(is_hopeless(Some(10_074), None));
        assert!(is_hopeless(None, Some("Permissions Violation")));
    }

    #[test]
    fn delays_grow_to_a_limit_and_are_spread() {
        assert_eq!(delay(0, 1.0), DELAY_MIN);
        assert_eq!(delay(0, 0.0), DELAY_MIN / 2);
        assert!(delay(1, 1.0) > delay(0, 1.0));
        assert_eq!(delay(40, 1.0), DELAY_MAX);
    }

    #[test]
    fn the_code_is_found_below_what_was_added() {
        let text = r#"{"code": 500, "err_code": 10074, "description": "replicas"}"#;
        let error: jetstream::Error = serde_json::from_str(text).unwrap();
        let kind = jetstream::context::CreateStreamErrorKind::JetStream(error);
        let error = jetstream::context::CreateStreamError::new(kind);
        let error = anyhow::Error::new(error).context("cannot create stream");
        assert_eq!(code(&error), Some(10_074));
    }
}
