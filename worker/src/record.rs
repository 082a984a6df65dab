//! Trace of a host as text: a line for each measurement, as comma-separated values.
//!
//! The first column is the time, in seconds since the Unix epoch and a multiple of the
//! distance between lines; a moment that was not measured has no line.

use rolecast_common::time::WallTime;
use rolecast_common::unit::Resources;

/// The names of the columns.
pub(crate) const HEADER: &str = "time,cpu,memory,network,disk\n";

/// The moments that have a line: multiples of a distance in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    every: u64,
    last: Option<u64>,
}

impl Grid {
    /// Makes the moments `every` seconds apart, but at least one.
    pub(crate) fn new(every: u64) -> Self {
        let every = every.max(1);
        Self { every, last: None }
    }

    /// Returns the time until the first moment that is not before `now`, in milliseconds.
    pub(crate) fn wait_millis(&self, now: WallTime) -> u64 {
        let every = self.every.saturating_mul(1000);
        now.as_millis().next_multiple_of(every) - now.as_millis()
    }

    /// Returns the moment nearest to `now`, in seconds, unless it was returned before: a
    /// late call, or a clock set back.
    pub(crate) fn take(&mut self, now: WallTime) -> Option<u64> {
        let every = self.every.saturating_mul(1000);
        let number = now.as_millis().saturating_add(every / 2) / every;
        let moment = number * self.every;
        if self.last.is_some_and(|last| moment <= last) {
            return None;
        }
        self.last = Some(moment);
        self.last
    }
}

/// Writes one line: cores to a thousandth, the rest to a whole byte.
pub(crate) fn line(moment: u64, usage: &Resources) -> String {
    let Resources {
        cpu,
        memory,
        network,
        disk,
    } = usage;
    format!(
        "{moment},{:.3},{},{:.0},{:.0}\n",
        cpu.get(),
        memory.get(),
        network.get(),
        disk.get()
    )
}

#[cfg(test)]
mod tests {
    use rolecast_common::unit::{Bytes, BytesPerSecond, Cores};

    use super::*;

    #[test]
    fn a_line_has_a_value_for_each_column() {
        let usage = Resources {
            cpu: Cores::clamped(1.23456),
            memory: Bytes::new(4096),
            network: BytesPerSecond::clamped(12.6),
            disk: BytesPerSecond::ZERO,
        };
        assert_eq!(line(7, &usage), "7,1.235,4096,13,0\n");
        let columns = |text: &str| text.split(',').count();
        assert_eq!(columns(&line(7, &usage)), columns(HEADER));
    }

    #[test]
    fn a_moment_is_taken_once_and_a_late_look_belongs_to_the_next() {
        let mut grid = Grid::new(5);
        let mut take = |millis| grid.take(WallTime::from_millis(millis));
        assert_eq!(take(9_990), Some(10));
        assert_eq!(take(12_000), None);
        assert_eq!(take(15_003), Some(15));
        assert_eq!(take(10_000), None);
        assert_eq!(take(27_900), Some(30));
    }

    #[test]
    fn the_first_moment_is_waited_for() {
        let grid = Grid::new(5);
        let wait = |millis| grid.wait_millis(WallTime::from_millis(millis));
        assert_eq!([wait(10_000), wait(10_001), wait(14_999)], [0, 4_999, 1]);
    }
}
