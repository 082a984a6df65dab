//! Metrics of the process, with the names that every Prometheus client uses for them.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid};

use super::samples::Kind;
use super::table::Row;

/// Figures of this process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    cpu_seconds: f64,
    resident_bytes: u64,
    open_files: u64,
    open_files_max: u64,
    start_seconds: u64,
}

impl Process {
    /// Reads them; what the system does not report is zero.
    pub fn read() -> Self {
        get_current_pid().ok().and_then(read).unwrap_or_default()
    }
}

fn read(pid: Pid) -> Option<Process> {
    let mut system = System::new().ok()?;
    let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
    let processes = ProcessesToUpdate::Some(&[pid]);
    system.refresh_processes_specifics(processes, false, what.without_tasks());
    let process = system.process(pid)?;
    let count = |count: Option<usize>| count.and_then(|count| u64::try_from(count).ok());
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of one process")]
    let cpu_seconds = process.accumulated_cpu_time() as f64 / 1000.0;
    Some(Process {
        cpu_seconds,
        resident_bytes: process.memory(),
        open_files: count(process.open_files()).unwrap_or(0),
        open_files_max: count(process.open_files_limit()).unwrap_or(0),
        start_seconds: process.start_time(),
    })
}

/// The table.
pub const ROWS: [Row<Process>; 5] = [
    Row {
        name: "process_cpu_seconds_total",
        kind: Kind::Counter,
        help: "User and system CPU time of the process",
        labels: &[],
        bound: "1",
        read: |process, samples| samples.value(&[], process.cpu_seconds),
    },
    Row {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        help: "Resident memory of the process",
        labels: &[],
        bound: "1",
        read: |process, samples| samples.count(&[], process.resident_bytes),
    },
    Row {
        name: "process_open_fds",
        kind: Kind::Gauge,
        help: "Open file descriptors of the process",
        labels: &[],
        bound: "1",
        read: |process, samples| samples.count(&[], process.open_files),
    },
    Row {
        name: "process_max_fds",
        kind: Kind::Gauge,
        help: "The most file descriptors that the process may open",
        labels: &[],
        bound: "1",
        read: |process, samples| samples.count(&[], process.open_files_max),
    },
    Row {
        name: "process_start_time_seconds",
        kind: Kind::Gauge,
        help: "Start of the process, in seconds since 1970",
        labels: &[],
        bound: "1",
        read: |process, samples| samples.count(&[], process.start_seconds),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_of_this_test_uses_memory_and_files() {
        let process = Process::read();
        assert!(process.resident_bytes > 1024 * 1024, "{process:?}");
        assert!(process.open_files >= 3, "{process:?}");
        assert!(process.open_files_max > process.open_files, "{process:?}");
        assert!(process.start_seconds > 1_700_000_000, "{process:?}");
    }
}
