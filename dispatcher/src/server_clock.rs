//! The clock of the server that stores the jobs. Deadlines and delays count from when a
//! job was stored, so they are judged by this clock and not by this host's.
//!
//! The answer to a request has the server's time at some moment between sending and
//! answer. Of the last few requests the fastest is the most exact. It is dropped when a
//! later one contradicts it, because then the server's clock was set.

use std::collections::VecDeque;
use std::time::Duration;

use rolecast_common::time::{Time, WallTime};

/// Requests that are remembered: one in this many is fast.
const SAMPLES_MAX: usize = 6;

/// The result of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    /// The server's wall time at the start of this program's clock, in milliseconds.
    origin: i64,
    /// The largest error of `origin`.
    error: i64,
}

#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    samples: VecDeque<Sample>,
}

impl ServerClock {
    /// Adds an answer; returns the server's wall time, in milliseconds, at the start of
    /// this program's clock.
    pub(crate) fn observe(&mut self, sent: Time, answered: Time, server: WallTime) -> i64 {
        let half = answered.since(sent) / 2;
        let middle = millis((sent + half).since(Time::ZERO));
        let server = i64::try_from(server.as_millis()).unwrap_or(i64::MAX);
        let newest = Sample {
            origin: server.saturating_sub(middle),
            // Both clocks are read in whole milliseconds.
            error: millis(half) + 2,
        };
        self.samples.retain(|sample| sample.agrees_with(newest));
        if self.samples.len() >= SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(newest);
        // Of equally exact samples the newest: clocks drift.
        let best = self.samples.iter().rev().min_by_key(|sample| sample.error);
        best.map_or(newest.origin, |best| best.origin)
    }
}

impl Sample {
    fn agrees_with(self, other: Sample) -> bool {
        let apart = self.origin.saturating_sub(other.origin).abs();
        apart <= self.error + other.error
    }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the origin after requests of `(sent at, length, server's time)`.
    fn observe(requests: &[(u64, u64, u64)]) -> i64 {
        let mut clock = ServerClock::default();
        let at = |millis| Time::from_start(Duration::from_millis(millis));
        let origins = requests.iter().map(|(sent, length, server)| {
            let server = WallTime::from_millis(*server);
            clock.observe(at(*sent), at(sent + length), server)
        });
        origins.last().unwrap()
    }

    #[test]
    fn the_fastest_of_the_last_requests_is_believed() {
        // The server's clock was at 1,000,000 when ours started; answers were delayed.
        assert_eq!(observe(&[(0, 900, 1_000_001)]), 999_551);
        let requests = [
            (0, 900, 1_000_001),
            (10_000, 4, 1_010_002),
            (20_000, 500, 1_020_499),
        ];
        assert_eq!(observe(&requests), 1_000_000);
        let slow = (30_000..100_000).step_by(10_000);
        let slow = slow.map(|sent| (sent, 200, 1_000_000 + sent + 150));
        let requests: Vec<_> = requests.into_iter().chain(slow).collect();
        assert_eq!(
            observe(&requests),
            1_000_050,
            "the fast one is too long ago"
        );
    }

    #[test]
    fn a_server_whose_clock_is_set_is_followed_at_once() {
        for server in [1_600_000, 400_000] {
            let requests = [(0, 2, 1_000_001), (10_000, 40, server + 10_020)];
            assert_eq!(observe(&requests), i64::try_from(server).unwrap());
        }
    }
}
