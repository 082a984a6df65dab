//! Use of resources for a heartbeat, computed from counters and texts of the system.
//!
//! The shell reads two [`Snapshot`]s a second apart; the difference is the use.

pub(crate) mod cgroup;
pub(crate) mod jobs;
pub(crate) mod part;
pub(crate) mod pressure;
pub(crate) mod process;

use std::time::Duration;

use rolecast_common::unit::{Bytes, BytesPerSecond, Cores, Resources};
use rolecast_common::wire::{Pressure, Usage};

/// The share of the CPUs above which a change counts as one. Well above the error from
/// clock ticks of 10 ms in a reading of 200 ms; guessed otherwise.
const MOVED_SHARE: f64 = 0.1;

/// The part of the host whose use a worker reports, and by which its jobs are placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Everything on the host.
    #[default]
    Host,
    /// The control group that the worker runs in, as in a container. [`Worker::run`] fails
    /// where there is none.
    ///
    /// [`Worker::run`]: crate::Worker::run
    Cgroup,
    /// The worker's own process and its descendants; their network use is not known.
    Process,
}

impl Scope {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "host" => Some(Scope::Host),
            "cgroup" => Some(Scope::Cgroup),
            "process" => Some(Scope::Process),
            _ => None,
        }
    }
}

/// Counters that only rise, and levels, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// CPU time used since some start.
    pub(crate) cpu: Duration,
    /// Memory in use.
    pub(crate) memory: Bytes,
    /// Bytes moved since some start.
    pub(crate) network: Bytes,
    /// Bytes moved since some start.
    pub(crate) disk: Bytes,
}

/// The scope's counters and the jobs', read at the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) total: Counters,
    pub(crate) jobs: Counters,
    pub(crate) pressure: Option<Pressure>,
}

/// Returns the use between two snapshots that lie `length` apart.
pub(crate) fn between(
    earlier: &Snapshot,
    later: &Snapshot,
    length: Duration,
    limit: Resources,
) -> Usage {
    let total = rates(&earlier.total, &later.total, length, limit);
    let jobs = rates(&earlier.jobs, &later.jobs, length, limit);
    Usage {
        total,
        jobs: Resources {
            cpu: least(jobs.cpu, total.cpu),
            memory: jobs.memory.min(total.memory),
            network: least(jobs.network, total.network),
            disk: least(jobs.disk, total.disk),
        },
        pressure: later.pressure,
    }
}

/// Returns whether the CPU used by others than the jobs has changed by more than a tenth
/// of the capacity.
pub(crate) fn has_moved(before: &Usage, after: &Usage, capacity: Resources) -> bool {
    let exogenous = |usage: &Usage| usage.total.cpu.minus(usage.jobs.cpu).get();
    let moved = exogenous(after) - exogenous(before);
    moved.abs() > capacity.cpu.get() * MOVED_SHARE
}

fn rates(earlier: &Counters, later: &Counters, length: Duration, limit: Resources) -> Resources {
    let seconds = length.as_secs_f64();
    let cpu = later.cpu.saturating_sub(earlier.cpu).as_secs_f64() / seconds;
    Resources {
        // Counters tick coarsely, so a short interval may show more than the capacity.
        cpu: least(Cores::clamped(cpu), limit.cpu),
        memory: later.memory.min(limit.memory),
        network: rate(earlier.network, later.network, seconds),
        disk: rate(earlier.disk, later.disk, seconds),
    }
}

#[allow(clippy::cast_precision_loss, reason = "differences are far below 2^52")]
fn rate(earlier: Bytes, later: Bytes, seconds: f64) -> BytesPerSecond {
    BytesPerSecond::clamped(later.minus(earlier).get() as f64 / seconds)
}

/// Returns the smaller quantity; both are numbers, so they can be compared.
fn least<Q: PartialOrd>(a: Q, b: Q) -> Q {
    if b < a { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_the_difference_of_counters_within_what_there_is() {
        let earlier = snapshot(10_000, 4_000, 1000);
        let later = snapshot(12_500, 5_000, 5000);
        let length = Duration::from_secs(2);
        let usage = between(&earlier, &later, length, limit());
        assert_eq!(usage.total.cpu.get(), 1.25);
        assert_eq!(usage.jobs.cpu.get(), 0.5);
        assert_eq!(usage.total.network.get(), 2000.0);
        assert_eq!(usage.total.memory, Bytes::new(5000));
        let usage = between(
            &earlier,
            &snapshot(99_000, 99_000, 1 << 40),
            length,
            limit(),
        );
        assert_eq!(usage.total.cpu, limit().cpu);
        assert_eq!(usage.total.memory, limit().memory);
    }

    #[test]
    fn use_is_finite_whatever_the_counters_do() {
        for (a, b) in [(0, u64::MAX), (u64::MAX, 0), (5, 5)] {
            for length in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
                let usage = between(&snapshot(a, b, a), &snapshot(b, a, b), length, limit());
                for value in [usage.total.cpu.get(), usage.jobs.disk.get()] {
                    assert!(value.is_finite() && value >= 0.0, "{usage:?}");
                }
            }
        }
    }

    #[test]
    fn only_what_others_use_counts_as_moved() {
        let usage = |total, jobs| {
            let cpu = |cpu| Resources {
                cpu: Cores::clamped(cpu),
                ..Resources::default()
            };
            Usage {
                total: cpu(total),
                jobs: cpu(jobs),
                pressure: None,
            }
        };
        let before = usage(2.0, 1.0);
        assert!(!has_moved(&before, &usage(4.0, 3.0), limit()));
        assert!(!has_moved(&before, &usage(1.3, 0.0), limit()));
        assert!(has_moved(&before, &usage(2.0, 0.5), limit()));
        assert!(has_moved(&before, &usage(1.5, 1.0), limit()));
    }

    fn limit() -> Resources {
        Resources {
            cpu: Cores::clamped(4.0),
            memory: Bytes::new(8000),
            ..Resources::default()
        }
    }

    fn snapshot(total_ms: u64, jobs_ms: u64, bytes: u64) -> Snapshot {
        let counters = |ms| Counters {
            cpu: Duration::from_millis(ms),
            memory: Bytes::new(bytes),
            network: Bytes::new(bytes),
            disk: Bytes::new(bytes),
        };
        Snapshot {
            total: counters(total_ms),
            jobs: counters(jobs_ms),
            pressure: None,
        }
    }
}
