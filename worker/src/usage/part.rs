//! Use and capacity of a part of a host: free is the least that is free in either.
//!
//! A worker in a control group with a quota may use what is left of the quota, and only
//! while the host has it. So the part's use is its capacity less what is free.

use std::time::Duration;

use rolecast_common::unit::{Bytes, Cores};

/// Returns the memory that is in use within `part`, from the use of both.
pub(crate) fn memory(host: Level, part: Level) -> Bytes {
    let free = |level: Level| level.capacity.minus(level.used);
    part.capacity.minus(free(host).min(free(part)))
}

/// Memory capacity, and the part of it in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) capacity: Bytes,
    pub(crate) used: Bytes,
}

/// Sums the CPU time that is in use within a part of a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuTime {
    host: Cores,
    part: Cores,
    /// The counters of host and part at the last call.
    last: Option<(Duration, Duration)>,
    total: Duration,
}

impl CpuTime {
    pub(crate) fn new(host: Cores, part: Cores) -> Self {
        Self {
            host,
            part,
            last: None,
            total: Duration::ZERO,
        }
    }

    /// Takes the counters of host and part, `length` after the last ones, that of the
    /// part if it could be read; returns the CPU time that is in use within the part.
    pub(crate) fn advance(
        &mut self,
        length: Duration,
        host: Duration,
        part: Option<Duration>,
    ) -> Duration {
        let last = self.last.unwrap_or((host, part.unwrap_or_default()));
        let (host_before, part_before) = last;
        let part = part.unwrap_or(part_before);
        self.last = Some((host, part));
        let free = |cores: Cores, later: Duration, earlier: Duration| {
            let used = later.saturating_sub(earlier);
            length.mul_f64(cores.get()).saturating_sub(used)
        };
        let free_host = free(self.host, host, host_before);
        let free_part = free(self.part, part, part_before);
        let used = length.mul_f64(self.part.get());
        self.total += used.saturating_sub(free_host.min(free_part));
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_free_memory_counts() {
        let level = |capacity, used| Level {
            capacity: Bytes::from_mib(capacity),
            used: Bytes::from_mib(used),
        };
        let busy_part = memory(level(8000, 1000), level(300, 250));
        assert_eq!(busy_part, Bytes::from_mib(250));
        let busy_host = memory(level(8000, 7900), level(300, 50));
        assert_eq!(busy_host, Bytes::from_mib(200));
        let full_host = memory(level(8000, 8000), level(300, 50));
        assert_eq!(full_host, Bytes::from_mib(300));
    }

    #[test]
    fn the_least_free_cpu_counts() {
        let cores = |cores| Cores::new(cores).unwrap();
        let seconds = Duration::from_secs_f64;
        let mut time = CpuTime::new(cores(4.0), cores(1.5));
        assert_eq!(
            time.advance(seconds(1.0), seconds(50.0), Some(seconds(7.0))),
            Duration::ZERO
        );
        // The host has plenty, of its quota the part has used one core.
        let after = time.advance(seconds(1.0), seconds(51.2), Some(seconds(8.0)));
        assert_eq!(after, seconds(1.0));
        // The part is idle, and the host has half a core left for it.
        let after = time.advance(seconds(1.0), seconds(54.7), Some(seconds(8.0)));
        assert_eq!(after, seconds(2.0));
        // A counter that could not be read counts as unchanged.
        let after = time.advance(seconds(1.0), seconds(54.7), None);
        assert_eq!(after, seconds(2.0));
        // Counters that go back count as none.
        let after = time.advance(seconds(1.0), seconds(0.0), Some(seconds(0.0)));
        assert_eq!(after, seconds(2.0));
    }
}
