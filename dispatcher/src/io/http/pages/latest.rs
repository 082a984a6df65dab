//! The latest entries of a stream, read beside the loop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// The least time between two readings, and the time that one may take.
const INTERVAL: Duration = Duration::from_millis(900);
const READ_LIMIT: Duration = Duration::from_secs(2);

/// The last `MAX` ones, the newest first.
#[derive(Debug)]
pub(super) struct Latest<T, const MAX: usize> {
    kept: VecDeque<Arc<T>>,
    /// The sequence up to which the stream was read.
    read: u64,
    at: Option<Instant>,
}

impl<T, const MAX: usize> Default for Latest<T, MAX> {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            read: 0,
            at: None,
        }
    }
}

impl<T, const MAX: usize> Latest<T, MAX> {
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.kept.iter().cloned().collect()
    }

    /// Reads what is new, if the last reading is a while ago. `newest` gets the sequence up
    /// to which the stream was read, and returns its last sequence with the entries between,
    /// in their order. What cannot be read is left out: a command shows it, or why not.
    pub(super) async fn read<F>(&mut self, newest: impl FnOnce(u64) -> F)
    where
        F: Future<Output = anyhow::Result<(u64, Vec<T>)>>,
    {
        if self.at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        self.at = Some(Instant::now());
        match timeout(READ_LIMIT, newest(self.read)).await {
            Ok(Ok((read, new))) => self.add(read, new),
            Ok(Err(error)) => tracing::debug!(event = "latest_unread", "{error:#}"),
            Err(_) => tracing::debug!(event = "latest_unread", "no answer in time"),
        }
    }

    fn add(&mut self, read: u64, new: Vec<T>) {
        // A stream that was made again counts from 1.
        if read < self.read {
            self.kept.clear();
        }
        self.read = read;
        for entry in new {
            self.kept.push_front(Arc::new(entry));
        }
        self.kept.truncate(MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(latest: &Latest<u64, 10>) -> Vec<u64> {
        latest.all().into_iter().map(|entry| *entry).collect()
    }

    #[test]
    fn the_newest_are_first_and_a_stream_that_was_made_again_begins_anew() {
        let mut latest = Latest::default();
        latest.add(12, (1..=12).collect());
        let expected: Vec<u64> = (3..=12).rev().collect();
        assert_eq!(kept(&latest), expected);
        latest.add(12, Vec::new());
        assert_eq!(kept(&latest), expected);
        latest.add(1, vec![20]);
        assert_eq!(kept(&latest), [20]);
    }
}
