//! Reads what the host or the control group has and uses.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::Pressure;
use sysinfo::{CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, Networks, System};

use crate::usage::cgroup::{self, Locations, Place, Version};
use crate::usage::{Counters, pressure};

/// The host as sysinfo sees it. Within a container, networks are the container's.
#[derive(Debug)]
pub(super) struct Host {
    system: System,
    networks: Networks,
    disks: Disks,
    /// CPU time added up from the shares between looks.
    cpu: Duration,
    looked: Instant,
}

impl Host {
    pub(super) fn new() -> anyhow::Result<Self> {
        let what = DiskRefreshKind::nothing().with_io_usage();
        let mut host = Self {
            system: System::new().context("cannot read the state of this system")?,
            networks: Networks::new_with_refreshed_list().context("cannot list the networks")?,
            disks: Disks::new_with_refreshed_list_specifics(what)
                .context("cannot list the disks")?,
            cpu: Duration::ZERO,
            looked: Instant::now(),
        };
        host.system
            .refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
        host.refresh_memory();
        Ok(host)
    }

    fn refresh_memory(&mut self) {
        let what = MemoryRefreshKind::nothing().with_ram();
        self.system.refresh_memory_specifics(what);
    }

    pub(super) fn capacity(&self) -> Resources {
        let cores = u32::try_from(self.system.cpus().len()).unwrap_or(u32::MAX);
        Resources {
            cpu: Cores::clamped(f64::from(cores)),
            memory: Bytes::new(self.system.total_memory()),
            ..Resources::default()
        }
    }

    /// Returns the CPU time used since the start.
    pub(super) fn cpu(&mut self) -> Duration {
        self.system.refresh_cpu_usage();
        let now = Instant::now();
        let share = f64::from(self.system.global_cpu_usage()).clamp(0.0, 100.0) / 100.0;
        let length = now - std::mem::replace(&mut self.looked, now);
        self.cpu += length.mul_f64(share * self.capacity().cpu.get());
        self.cpu
    }

    pub(super) fn read(&mut self) -> Counters {
        self.refresh_memory();
        let total = Bytes::new(self.system.total_memory());
        Counters {
            cpu: self.cpu(),
            memory: total.minus(Bytes::new(self.system.available_memory())),
            network: self.network(),
            disk: self.disk(),
        }
    }

    /// Returns the bytes received and sent on all interfaces but the loopback.
    pub(super) fn network(&mut self) -> Bytes {
        self.networks.refresh(true);
        let real = self
            .networks
            .iter()
            .filter(|(name, _)| *name != "lo" && *name != "lo0");
        let moved = real.map(|(_, network)| {
            Bytes::new(network.total_received()) + Bytes::new(network.total_transmitted())
        });
        moved.sum()
    }

    /// Returns the bytes read and written; a disk mounted twice counts once.
    fn disk(&mut self) -> Bytes {
        let what = DiskRefreshKind::nothing().with_io_usage();
        self.disks.refresh_specifics(true, what);
        let by_name: BTreeMap<_, _> = self.disks.iter().map(|disk| (disk.name(), disk)).collect();
        let moved = by_name.values().map(|disk| {
            let usage = disk.usage();
            Bytes::new(usage.total_read_bytes) + Bytes::new(usage.total_written_bytes)
        });
        moved.sum()
    }
}

/// Returns the host's pressure, where the kernel tells it.
pub(super) fn host_pressure() -> Option<Pressure> {
    let read = |name: &str| read_pressure(&Path::new("/proc/pressure").join(name));
    Some(Pressure {
        cpu: read("cpu")?,
        memory: read("memory")?,
        io: read("io")?,
    })
}

fn read_pressure(path: &Path) -> Option<rolecast_common::wire::Share> {
    pressure::parse(&fs::read_to_string(path).ok()?)
}

/// The control group that the worker runs in.
#[derive(Debug)]
pub(super) struct Cgroup {
    locations: Locations,
}

impl Cgroup {
    pub(super) fn find() -> anyhow::Result<Self> {
        let advice =
            "usage_scope = \"cgroup\" needs Linux control groups; use \"host\" or \"process\"";
        let own = fs::read_to_string("/proc/self/cgroup").context(advice)?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").context(advice)?;
        let cgroup = Self {
            locations: cgroup::locate(&own, &mounts),
        };
        cgroup
            .cpu()
            .context("the control group tells no CPU time")
            .context(advice)?;
        cgroup
            .memory()
            .context("the control group tells no memory")
            .context(advice)?;
        Ok(cgroup)
    }

    /// Returns the limits of the group and of those above it.
    pub(super) fn limit(&self, host: Resources) -> Resources {
        let mut limit = host;
        for directory in directories(self.locations.memory.as_ref()) {
            let names = ["memory.max", "memory.limit_in_bytes"];
            let texts = names.into_iter().filter_map(|name| read(directory, name));
            let found = texts.filter_map(|text| cgroup::parse_bytes(&text));
            limit.memory = found.fold(limit.memory, Bytes::min);
        }
        for directory in directories(self.locations.cpu_limit.as_ref()) {
            let cores = read_cpu_limit(directory).unwrap_or(limit.cpu);
            if cores < limit.cpu {
                limit.cpu = cores;
            }
        }
        limit
    }

    pub(super) fn read(&self, network: Bytes) -> Counters {
        Counters {
            cpu: self.cpu().unwrap_or_default(),
            memory: self.memory().unwrap_or_default(),
            network,
            disk: self.disk().unwrap_or_default(),
        }
    }

    pub(super) fn cpu(&self) -> Option<Duration> {
        let place = self.locations.cpu.as_ref()?;
        match place.version {
            Version::V1 => cgroup::parse_cpu_v1(&read(&place.directory, "cpuacct.usage")?),
            Version::V2 => cgroup::parse_cpu_v2(&read(&place.directory, "cpu.stat")?),
        }
    }

    fn memory(&self) -> Option<Bytes> {
        let place = self.locations.memory.as_ref()?;
        let name = match place.version {
            Version::V1 => "memory.usage_in_bytes",
            Version::V2 => "memory.current",
        };
        let used = cgroup::parse_bytes(&read(&place.directory, name)?)?;
        let stat = read(&place.directory, "memory.stat").unwrap_or_default();
        Some(used.minus(cgroup::parse_reclaimable(&stat).unwrap_or_default()))
    }

    fn disk(&self) -> Option<Bytes> {
        let place = self.locations.disk.as_ref()?;
        Some(match place.version {
            Version::V1 => {
                let text = read(&place.directory, "blkio.throttle.io_service_bytes")?;
                cgroup::parse_disk_v1(&text)
            }
            Version::V2 => cgroup::parse_disk_v2(&read(&place.directory, "io.stat")?),
        })
    }

    /// Returns the group's own pressure (version 2), else the host's.
    pub(super) fn pressure(&self) -> Option<Pressure> {
        let own = self.locations.cpu.as_ref().and_then(|place| {
            let read = |name: &str| read_pressure(&place.directory.join(name));
            Some(Pressure {
                cpu: read("cpu.pressure")?,
                memory: read("memory.pressure")?,
                io: read("io.pressure")?,
            })
        });
        own.or_else(host_pressure)
    }
}

fn directories(place: Option<&Place>) -> impl Iterator<Item = &Path> {
    place.into_iter().flat_map(Place::directories)
}

fn read_cpu_limit(directory: &Path) -> Option<Cores> {
    if let Some(text) = read(directory, "cpu.max") {
        return cgroup::parse_cpu_max(&text);
    }
    let quota = read(directory, "cpu.cfs_quota_us")?;
    cgroup::parse_cpu_quota(&quota, &read(directory, "cpu.cfs_period_us")?)
}

fn read(directory: &Path, name: &str) -> Option<String> {
    fs::read_to_string(directory.join(name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_cores_and_memory_and_uses_some() {
        let mut host = Host::new().unwrap();
        let capacity = host.capacity();
        assert!(capacity.cpu >= Cores::clamped(1.0), "{capacity:?}");
        let counters = host.read();
        assert!(counters.memory > Bytes::ZERO && counters.memory < capacity.memory);
    }

    #[test]
    fn the_control_group_is_read_where_there_is_one() {
        let Ok(cgroup) = Cgroup::find() else {
            return;
        };
        let host = Host::new().unwrap().capacity();
        let limit = cgroup.limit(host);
        assert!(limit.cpu <= host.cpu && limit.memory <= host.memory);
        assert!(cgroup.read(Bytes::ZERO).memory > Bytes::ZERO);
    }
}
