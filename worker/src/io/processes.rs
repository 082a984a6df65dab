//! Reads the process table: `/proc` on Linux, sysinfo on other systems.

use rolecast_common::unit::Bytes;

use crate::usage::process::Process;

#[cfg(target_os = "linux")]
pub(super) use linux::{Table, disk_of_ended};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{Table, disk_of_ended};

#[cfg(target_os = "linux")]
mod linux {
    use std::fmt::Display;
    use std::fs;

    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
    use nix::unistd::{Pid, SysconfVar, sysconf};

    use super::{Bytes, Process};
    use crate::usage::process::{StatUnits, parse_io, parse_stat};

    /// One file for each process: an eighth of the time sysinfo takes for all it reads.
    #[derive(Debug)]
    pub(in super::super) struct Table {
        units: StatUnits,
    }

    impl Table {
        pub(in super::super) fn new() -> anyhow::Result<Self> {
            let setting = |variable, default: u64| {
                let value = sysconf(variable).ok().flatten();
                value
                    .and_then(|value| u64::try_from(value).ok())
                    .unwrap_or(default)
            };
            let units = StatUnits {
                ticks_per_second: setting(SysconfVar::CLK_TCK, 100),
                page_bytes: setting(SysconfVar::PAGE_SIZE, 4096),
            };
            Ok(Self { units })
        }

        pub(in super::super) fn all(&mut self) -> Vec<Process> {
            let Ok(entries) = fs::read_dir("/proc") else {
                return Vec::new();
            };
            let ids =
                entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
            ids.filter_map(|id| self.one(id)).collect()
        }

        pub(in super::super) fn one(&mut self, id: u32) -> Option<Process> {
            let text = fs::read(format!("/proc/{id}/stat")).ok()?;
            parse_stat(&String::from_utf8_lossy(&text), self.units)
        }

        /// Returns the bytes moved to and from disks; zero if the system does not report
        /// them.
        pub(in super::super) fn disk(&mut self, id: u32) -> Bytes {
            read_disk(id)
        }
    }

    /// Returns the bytes that a child that ended and was not waited for moved to and from
    /// disks, with those of its descendants that it waited for itself.
    pub(in super::super) fn disk_of_ended(child: Pid) -> Option<Bytes> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(child), look) {
            Ok(WaitStatus::StillAlive) | Err(_) => None,
            Ok(_) => Some(read_disk(child)),
        }
    }

    fn read_disk(id: impl Display) -> Bytes {
        let text = fs::read_to_string(format!("/proc/{id}/io"));
        text.ok()
            .and_then(|text| parse_io(&text))
            .unwrap_or_default()
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::time::Duration;

    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

    use super::{Bytes, Process};

    #[derive(Debug)]
    pub(in super::super) struct Table {
        system: System,
    }

    impl Table {
        pub(in super::super) fn new() -> anyhow::Result<Self> {
            let system = System::new()?;
            Ok(Self { system })
        }

        pub(in super::super) fn all(&mut self) -> Vec<Process> {
            self.refresh(ProcessesToUpdate::All);
            self.system.processes().values().map(read).collect()
        }

        pub(in super::super) fn one(&mut self, id: u32) -> Option<Process> {
            self.refresh(ProcessesToUpdate::Some(&[Pid::from_u32(id)]));
            self.system.process(Pid::from_u32(id)).map(read)
        }

        pub(in super::super) fn disk(&mut self, id: u32) -> Bytes {
            let process = self.system.process(Pid::from_u32(id));
            process.map_or(Bytes::ZERO, |process| {
                let moved = process.disk_usage();
                Bytes::new(
                    moved
                        .total_read_bytes
                        .saturating_add(moved.total_written_bytes),
                )
            })
        }

        fn refresh(&mut self, which: ProcessesToUpdate<'_>) {
            let what = ProcessRefreshKind::nothing()
                .with_cpu()
                .with_memory()
                .with_disk_usage();
            self.system.refresh_processes_specifics(which, true, what);
        }
    }

    pub(in super::super) fn disk_of_ended(_: nix::unistd::Pid) -> Option<Bytes> {
        None
    }

    fn read(process: &sysinfo::Process) -> Process {
        let id = process.pid().as_u32();
        Process {
            id,
            parent: process.parent().map_or(0, Pid::as_u32),
            group: id,
            cpu: Duration::from_millis(process.accumulated_cpu_time()),
            memory: Bytes::new(process.memory()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_in_the_table_and_uses_something() {
        let mut table = Table::new().unwrap();
        let id = std::process::id();
        let own = table.one(id).unwrap();
        assert!(own.memory > Bytes::from_kib(100), "{own:?}");
        assert!(table.all().iter().any(|process| process.id == id));
    }
}
