//! Total use of the jobs' commands, although commands start and end between readings.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::unit::Bytes;

use super::Counters;

/// Use of one command's processes up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) cpu: Duration,
    pub(crate) disk: Bytes,
    /// In use at that moment.
    pub(crate) memory: Bytes,
}

/// The use of all commands so far, as counters that only rise.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    /// Last reading of each running command, by process id.
    last: BTreeMap<u32, Spent>,
    total: Counters,
}

impl Tracker {
    /// Adds the commands that ended since the last call, with the CPU time that the
    /// system charged them for, and those that run.
    pub(crate) fn update(&mut self, ended: &[(u32, Duration)], running: &BTreeMap<u32, Spent>) {
        // The ended ones are first, because a new command may have got an old id.
        for (id, cpu) in ended {
            let last = self.last.remove(id).unwrap_or_default();
            self.total.cpu += cpu.saturating_sub(last.cpu);
        }
        for (id, spent) in running {
            let last = self.last.insert(*id, *spent).unwrap_or_default();
            self.total.cpu += spent.cpu.saturating_sub(last.cpu);
            self.total.disk += spent.disk.minus(last.disk);
        }
        self.total.memory = running.values().map(|spent| spent.memory).sum();
    }

    pub(crate) fn counters(&self) -> Counters {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_charged_once_however_often_it_is_seen() {
        let mut tracker = Tracker::default();
        tracker.update(&[], &BTreeMap::from([(7, spent(3))]));
        tracker.update(&[], &BTreeMap::from([(7, spent(5))]));
        assert_eq!(tracker.counters().cpu, Duration::from_secs(5));
        tracker.update(&[(7, Duration::from_secs(6))], &BTreeMap::new());
        assert_eq!(tracker.counters().cpu, Duration::from_secs(6));
        assert_eq!(tracker.counters().memory, Bytes::ZERO);
        assert_eq!(tracker.counters().disk, Bytes::new(500));
    }

    #[test]
    fn a_command_never_seen_running_is_charged_when_it_ends() {
        let mut tracker = Tracker::default();
        tracker.update(&[(7, Duration::from_secs(2))], &BTreeMap::new());
        assert_eq!(tracker.counters().cpu, Duration::from_secs(2));
    }

    #[test]
    fn a_process_id_may_be_used_again() {
        let mut tracker = Tracker::default();
        tracker.update(&[], &BTreeMap::from([(7, spent(9))]));
        let ended = [(7, Duration::from_secs(9))];
        tracker.update(&ended, &BTreeMap::from([(7, spent(1))]));
        assert_eq!(tracker.counters().cpu, Duration::from_secs(10));
    }

    fn spent(seconds: u64) -> Spent {
        Spent {
            cpu: Duration::from_secs(seconds),
            disk: Bytes::new(seconds * 100),
            memory: Bytes::new(1000),
        }
    }
}
