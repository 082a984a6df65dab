//! Figures of the last minutes, for lines of small bars.

use std::collections::{BTreeMap, VecDeque};

use rolecast_common::id::{Category, Epoch};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{CategoryStatus, Status};

/// Samples that are kept: five minutes at one a second.
const SAMPLES_MAX: usize = 300;
/// Bars, the lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last values of one figure, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail(VecDeque<f32>);

impl Trail {
    #[allow(clippy::cast_possible_truncation, reason = "a bar has eight heights")]
    pub(super) fn push(&mut self, value: f64) {
        if self.0.len() == SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(value as f32);
    }

    pub(super) fn last(&self) -> Option<f64> {
        self.0.back().map(|value| f64::from(*value))
    }

    /// Draws the last values as bars of at most this height; without a height, the highest
    /// value has it.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of seven, and a cast of NaN gives 0"
    )]
    pub(super) fn bars(&self, columns: usize, top: Option<f64>) -> String {
        let shown = self.0.iter().skip(self.0.len().saturating_sub(columns));
        let highest = shown.clone().copied().fold(0.0_f32, f32::max);
        let top = top.map_or(highest, |top| top as f32);
        let bar = |value: &f32| {
            let share = (value / top).clamp(0.0, 1.0) * 7.0;
            BARS[share.round() as usize]
        };
        format!("{:>columns$}", shown.map(bar).collect::<String>())
    }
}

/// Ends of jobs a second, and the backlog.
#[derive(Debug, Default)]
pub(super) struct Flow {
    before: Option<Counts>,
    pub(super) ended: Trail,
    pub(super) backlog: Trail,
    pub(super) categories: BTreeMap<Category, Trail>,
}

/// Totals that one dispatcher reported.
#[derive(Debug)]
struct Counts {
    dispatcher: String,
    epoch: Epoch,
    at: WallTime,
    ended: BTreeMap<Category, u64>,
}

impl Counts {
    fn of(status: &Status) -> Self {
        let ended = status.categories.iter();
        Self {
            dispatcher: status.dispatcher.clone(),
            epoch: status.epoch,
            at: status.at_ms,
            ended: ended.map(|c| (c.category.clone(), ended_of(c))).collect(),
        }
    }

    /// Returns whether the totals count from the same start.
    fn continues(&self, before: &Self) -> bool {
        self.dispatcher == before.dispatcher && self.epoch == before.epoch
    }
}

fn ended_of(category: &CategoryStatus) -> u64 {
    category.completed + category.dead + category.expired + category.cancelled
}

impl Flow {
    /// Adds the state of all categories. The totals of another dispatcher begin anew.
    #[allow(
        clippy::cast_precision_loss,
        reason = "rates are shown with two digits"
    )]
    pub(super) fn observe(&mut self, status: &Status) {
        let counts = Counts::of(status);
        let before = self.before.as_ref();
        let elapsed = before.map(|before| counts.at.since(before.at).as_secs_f64());
        if elapsed.is_some_and(|elapsed| elapsed <= 0.0)
            && before.is_some_and(|b| counts.continues(b))
        {
            return;
        }
        let backlog: u64 = status.categories.iter().map(|c| c.backlog).sum();
        self.backlog.push(backlog as f64);
        if let (Some(before), Some(elapsed)) = (before.filter(|b| counts.continues(b)), elapsed) {
            let mut sum = 0.0;
            for (category, ended) in &counts.ended {
                let earlier = before.ended.get(category).copied().unwrap_or(0);
                let rate = ended.saturating_sub(earlier) as f64 / elapsed;
                sum += rate;
                self.categories
                    .entry(category.clone())
                    .or_default()
                    .push(rate);
            }
            self.categories
                .retain(|category, _| counts.ended.contains_key(category));
            self.ended.push(sum);
        }
        self.before = Some(counts);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn bars_show_the_last_values() {
        let mut trail = Trail::default();
        assert_eq!(trail.bars(3, None), "   ");
        for value in [9.0, 0.0, 0.5, 1.0] {
            trail.push(value);
        }
        assert_eq!(trail.bars(3, Some(1.0)), "▁▅█");
        assert_eq!(trail.bars(5, None), " █▁▁▂");
        for _ in 0..2 * SAMPLES_MAX {
            trail.push(1.0);
        }
        assert_eq!(trail.0.len(), SAMPLES_MAX);
    }

    #[test]
    fn a_rate_is_of_one_dispatcher() {
        let mut flow = Flow::default();
        let mut status = fixture::status();
        flow.observe(&status);
        assert_eq!(flow.ended.last(), None);
        status.at_ms = WallTime::from_millis(status.at_ms.as_millis() + 2000);
        status.categories[0].completed += 3;
        flow.observe(&status);
        assert_eq!(flow.ended.last(), Some(1.5));
        // The same snapshot again is no second without jobs.
        flow.observe(&status);
        assert_eq!(flow.ended.0.len(), 1);
        status.epoch = Epoch::new(4);
        status.at_ms = WallTime::from_millis(status.at_ms.as_millis() + 1000);
        status.categories[0].completed = 0;
        flow.observe(&status);
        assert_eq!(flow.ended.0.len(), 1);
        assert_eq!(flow.backlog.0.len(), 3);
    }
}
