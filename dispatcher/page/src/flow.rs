//! The course of the last minutes: backlog, and jobs ended in a second.

use std::collections::VecDeque;

use rolecast_common::wire::Status;

/// The points that are kept: three minutes at one a second.
const POINTS_MAX: usize = 180;
/// The points over which the present rate is counted.
const RATE_POINTS: usize = 10;

/// The last points, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    points: VecDeque<Point>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at_ms: u64,
    backlog: u64,
    running: u64,
    ended: u64,
}

impl Flow {
    /// Adds a point. Counts that fell are those of a new leader, and begin a new course.
    pub fn observe(&mut self, status: &Status) {
        let categories = || status.categories.iter();
        let point = Point {
            at_ms: status.at_ms.as_millis(),
            backlog: categories().map(|category| category.backlog).sum(),
            running: categories()
                .map(|category| u64::from(category.running))
                .sum(),
            ended: categories()
                .map(|category| {
                    category.completed + category.dead + category.expired + category.cancelled
                })
                .sum(),
        };
        if let Some(last) = self.points.back() {
            if point.at_ms <= last.at_ms {
                return;
            }
            if point.ended < last.ended {
                self.points.clear();
            }
        }
        self.points.push_back(point);
        while self.points.len() > POINTS_MAX {
            self.points.pop_front();
        }
    }

    /// Returns the jobs that ended in a second, over the last seconds.
    pub(crate) fn per_second(&self) -> Option<f64> {
        let last = self.points.back()?;
        let first = self
            .points
            .iter()
            .rev()
            .nth(RATE_POINTS)
            .or(self.points.front())?;
        rate(first, last)
    }

    pub(crate) fn backlog(&self) -> Vec<f64> {
        self.points
            .iter()
            .map(|point| number(point.backlog))
            .collect()
    }

    pub(crate) fn running(&self) -> Vec<f64> {
        self.points
            .iter()
            .map(|point| number(point.running))
            .collect()
    }

    /// Returns the rate of ends at each point after the first.
    pub(crate) fn rates(&self) -> Vec<f64> {
        let pairs = self.points.iter().zip(self.points.iter().skip(1));
        pairs
            .filter_map(|(first, last)| rate(first, last))
            .collect()
    }

    /// Returns the time that the points span, in seconds.
    pub(crate) fn seconds(&self) -> u64 {
        match (self.points.front(), self.points.back()) {
            (Some(first), Some(last)) => (last.at_ms - first.at_ms) / 1000,
            _ => 0,
        }
    }
}

fn rate(first: &Point, last: &Point) -> Option<f64> {
    let millis = last
        .at_ms
        .checked_sub(first.at_ms)
        .filter(|millis| *millis > 0)?;
    Some(number(last.ended - first.ended) / (number(millis) / 1000.0))
}

#[allow(clippy::cast_precision_loss, reason = "counts to draw and to read")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{category, status};

    #[test]
    fn a_rate_is_that_of_the_last_seconds_and_a_new_leader_begins_again() {
        let mut flow = Flow::default();
        assert_eq!(flow.per_second(), None);
        let mut at = |second: u64, completed: u64| {
            let mut status = status(0);
            status.at_ms = rolecast_common::time::WallTime::from_millis(second * 1000);
            let mut category = category("ocr");
            category.completed = completed;
            status.categories = vec![category];
            flow.observe(&status);
            (flow.per_second(), flow.rates().len())
        };
        assert_eq!(at(1, 10), (None, 0));
        assert_eq!(at(2, 15), (Some(5.0), 1));
        assert_eq!(at(2, 99), (Some(5.0), 1), "the same moment again");
        assert_eq!(at(4, 25), (Some(5.0), 2));
        assert_eq!(at(5, 3), (None, 0));
        for second in 6..500 {
            at(second, second);
        }
        assert_eq!(flow.backlog().len(), POINTS_MAX);
        assert_eq!(flow.seconds(), 179);
    }
}
