//! Readings of the capacity and use of the host or the control group.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::Pressure;
use sysinfo::{Cpu, CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, Networks, System};

use crate::usage::cgroup::{self, Locations, Place, Version};
use crate::usage::{Counters, pressure};

/// The host as sysinfo sees it, with only those CPUs that this program may run on. Within
/// a container, networks are the container's.
#[derive(Debug)]
pub(crate) struct Host {
    system: System,
    /// The names of the CPUs that this program may run on, if not on all.
    allowed: Option<BTreeSet<String>>,
    networks: Networks,
    disks: Disks,
    /// CPU time, summed from the shares between readings.
    cpu: Duration,
    looked: Instant,
}

impl Host {
    /// Returns the host with those CPUs that this program may run on.
    pub(crate) fn usable() -> anyhow::Result<Self> {
        let host = Self::new()?;
        Ok(Self {
            allowed: allowed_cpus(),
            ..host
        })
    }

    /// Returns the whole host.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let what = DiskRefreshKind::nothing().with_io_usage();
        let mut host = Self {
            system: System::new().context("cannot read the state of this system")?,
            allowed: None,
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

    pub(crate) fn capacity(&self) -> Resources {
        let cores = self.system.cpus().iter().filter(|cpu| self.is_allowed(cpu));
        let cores = u32::try_from(cores.count()).unwrap_or(u32::MAX);
        Resources {
            cpu: Cores::clamped(f64::from(cores)),
            memory: Bytes::new(self.system.total_memory()),
            ..Resources::default()
        }
    }

    /// Returns the CPU time used since the start.
    pub(crate) fn cpu(&mut self) -> Duration {
        self.system.refresh_cpu_usage();
        let now = Instant::now();
        let percent = match &self.allowed {
            None => {
                let percent = f64::from(self.system.global_cpu_usage());
                percent.clamp(0.0, 100.0) * self.capacity().cpu.get()
            }
            Some(_) => {
                let cpus = self.system.cpus().iter();
                let cpus = cpus.filter(|cpu| self.is_allowed(cpu));
                cpus.map(|cpu| f64::from(cpu.usage()).clamp(0.0, 100.0))
                    .sum()
            }
        };
        let length = now - std::mem::replace(&mut self.looked, now);
        self.cpu += length.mul_f64(percent / 100.0);
        self.cpu
    }

    fn is_allowed(&self, cpu: &Cpu) -> bool {
        let allowed = self.allowed.as_ref();
        allowed.is_none_or(|names| names.contains(cpu.name()))
    }

    /// Returns the memory in use.
    pub(crate) fn memory(&mut self) -> Bytes {
        self.refresh_memory();
        let total = Bytes::new(self.system.total_memory());
        total.minus(Bytes::new(self.system.available_memory()))
    }

    pub(crate) fn read(&mut self) -> Counters {
        Counters {
            cpu: self.cpu(),
            memory: self.memory(),
            network: self.network(),
            disk: self.disk(),
        }
    }

    /// Returns the bytes received and sent on all interfaces except the loopback.
    pub(crate) fn network(&mut self) -> Bytes {
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
    pub(crate) fn disk(&mut self) -> Bytes {
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

/// Returns the names of the CPUs that the calling thread may run on, as `taskset` and
/// cpusets limit them; `None` if the system does not report it.
#[cfg(target_os = "linux")]
fn allowed_cpus() -> Option<BTreeSet<String>> {
    use nix::sched::{CpuSet, sched_getaffinity};
    use nix::unistd::Pid;

    let set = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let numbers = (0..CpuSet::count()).filter(|number| set.is_set(*number).unwrap_or(false));
    let names: BTreeSet<String> = numbers.map(|number| format!("cpu{number}")).collect();
    (!names.is_empty()).then_some(names)
}

#[cfg(not(target_os = "linux"))]
fn allowed_cpus() -> Option<BTreeSet<String>> {
    None
}

/// Returns the cores that this program may keep busy: by affinity, cpusets and quotas.
pub(crate) fn usable_cores() -> Option<Cores> {
    let host = Host::usable().ok()?.capacity();
    let limit = Cgroup::find().map(|cgroup| cgroup.limit(host));
    Some(limit.map_or(host.cpu, |limit| limit.cpu))
}

/// Returns the host's pressure, where the kernel reports it.
pub(crate) fn host_pressure() -> Option<Pressure> {
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
pub(crate) struct Cgroup {
    locations: Locations,
}

impl Cgroup {
    pub(crate) fn find() -> anyhow::Result<Self> {
        let advice =
            "usage_scope = \"cgroup\" needs Linux control groups; use \"host\" or \"process\"";
        let own = fs::read_to_string("/proc/self/cgroup").context(advice)?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").context(advice)?;
        let cgroup = Self {
            locations: cgroup::locate(&own, &mounts),
        };
        cgroup
            .cpu()
            .context("the control group reports no CPU time")
            .context(advice)?;
        cgroup
            .memory()
            .context("the control group reports no memory")
            .context(advice)?;
        Ok(cgroup)
    }

    /// Returns the smallest limits of the group and of those above it.
    pub(crate) fn limit(&self, host: Resources) -> Resources {
        Resources {
            memory: self.memory_limit(host.memory).0,
            cpu: self.cpu_limit(host.cpu).0,
            ..host
        }
    }

    fn memory_limit(&self, host: Bytes) -> (Bytes, Option<PathBuf>) {
        let mut limit = (host, None);
        for directory in directories(self.locations.memory.as_ref()) {
            let names = cgroup::MEMORY_LIMITS.into_iter();
            let texts = names.filter_map(|name| read(directory, name));
            let found = texts.filter_map(|text| cgroup::parse_bytes(&text)).min();
            if let Some(found) = found.filter(|found| *found < limit.0) {
                limit = (found, Some(directory.to_owned()));
            }
        }
        limit
    }

    fn cpu_limit(&self, host: Cores) -> (Cores, Option<PathBuf>) {
        let mut limit = (host, None);
        for directory in directories(self.locations.cpu_limit.as_ref()) {
            if let Some(found) = read_cpu_limit(directory).filter(|found| *found < limit.0) {
                limit = (found, Some(directory.to_owned()));
            }
        }
        limit
    }

    /// Counts the use of the groups whose limits are the smallest: others in them, beside
    /// or above this program's own, share these limits.
    pub(crate) fn measure_at_limits(&mut self, host: Resources) {
        let locations = &self.locations;
        let memory = match (self.memory_limit(host.memory).1, &locations.memory) {
            (Some(directory), Some(own)) => own.with_path_of(&directory, own),
            (Some(_) | None, _) => None,
        };
        let cpu_limit = self.cpu_limit(host.cpu).1;
        let cpu = match (cpu_limit, &locations.cpu_limit, &locations.cpu) {
            (Some(directory), Some(limit), Some(own)) => own.with_path_of(&directory, limit),
            (Some(_) | None, _, _) => None,
        };
        let places = [
            (memory, &mut self.locations.memory),
            (cpu, &mut self.locations.cpu),
        ];
        for (found, place) in places {
            if let Some(found) = found.filter(|found| found.directory.is_dir()) {
                *place = Some(found);
            }
        }
    }

    pub(crate) fn read(&self, network: Bytes) -> Counters {
        Counters {
            cpu: self.cpu().unwrap_or_default(),
            memory: self.memory().unwrap_or_default(),
            network,
            disk: self.disk().unwrap_or_default(),
        }
    }

    pub(crate) fn cpu(&self) -> Option<Duration> {
        let place = self.locations.cpu.as_ref()?;
        match place.version {
            Version::V1 => cgroup::parse_cpu_v1(&read(&place.directory, "cpuacct.usage")?),
            Version::V2 => cgroup::parse_cpu_v2(&read(&place.directory, "cpu.stat")?),
        }
    }

    pub(crate) fn memory(&self) -> Option<Bytes> {
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

    /// Returns the group's own pressure (version 2), otherwise the host's.
    pub(crate) fn pressure(&self) -> Option<Pressure> {
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

    /// Affinity is a thread's own, so this one limits itself only.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_bound_to_one_cpu_believes_in_one_core_and_in_its_use() {
        use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
        use nix::unistd::Pid;

        let bound = std::thread::spawn(|| {
            let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
            let first = (0..CpuSet::count()).find(|number| all.is_set(*number).unwrap());
            let mut one = CpuSet::new();
            one.set(first.unwrap()).unwrap();
            sched_setaffinity(Pid::from_raw(0), &one).unwrap();
            let mut host = Host::usable().unwrap();
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(500) {}
            let used = host.cpu();
            (
                host.capacity().cpu,
                used,
                host.looked - start,
                usable_cores(),
            )
        });
        let (cores, used, length, usable) = bound.join().unwrap();
        assert_eq!(cores, Cores::clamped(1.0));
        assert!(usable.unwrap() <= Cores::clamped(1.0), "{usable:?}");
        assert!(used <= length.mul_f64(1.2), "{used:?} of {length:?}");
        // sysinfo measured before and after, and this thread kept the CPU busy between.
        assert!(used > length / 4, "{used:?} of {length:?}");
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

    /// A group below this program's own, where the host allows making one.
    #[cfg(target_os = "linux")]
    struct Group(Cgroup, PathBuf);

    #[cfg(target_os = "linux")]
    impl Group {
        fn create() -> Option<Self> {
            let mut cgroup = Cgroup::find().ok()?;
            let place = cgroup.locations.memory.as_mut()?;
            let directory = place.directory.clone();
            let own = directory.join(format!("rolecast-test-{}", std::process::id()));
            fs::create_dir(&own).ok()?;
            place.directory.clone_from(&own);
            let group = Self(cgroup, own);
            group
                .set("memory.high", "max")
                .or_else(|| group.set("memory.limit_in_bytes", "-1"))?;
            Some(group)
        }

        fn set(&self, name: &str, value: &str) -> Option<()> {
            let path = self.1.join(name);
            path.exists().then(|| fs::write(path, value).ok())?
        }
    }

    #[cfg(target_os = "linux")]
    impl Drop for Group {
        fn drop(&mut self) {
            let _ = fs::remove_dir(&self.1);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn in_a_real_group_the_limit_counts_and_page_cache_does_not() {
        const LIMIT: Bytes = Bytes::from_mib(64);
        // Where no group may be made, the recorded files of `usage::cgroup` test the
        // same.
        let Some(group) = Group::create() else {
            return;
        };
        let limit = LIMIT.get().to_string();
        group
            .set("memory.high", &limit)
            .or_else(|| group.set("memory.limit_in_bytes", &limit))
            .unwrap();
        let host = Host::new().unwrap().capacity();
        assert_eq!(group.0.limit(host).memory, LIMIT);

        // On the disk of the build, because a file system in memory is no cache.
        let program = std::env::current_exe().unwrap();
        let file = tempfile::NamedTempFile::new_in(program.parent().unwrap()).unwrap();
        fs::write(file.path(), vec![1; 51 << 20]).unwrap();
        file.as_file().sync_all().unwrap();
        // Pages cached on another group's account are not charged to this one.
        nix::fcntl::posix_fadvise(
            file.as_file(),
            0,
            0,
            nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED,
        )
        .unwrap();
        let (procs, path) = (group.1.join("cgroup.procs"), file.path());
        let script = format!(
            "echo $$ > {procs} && cat {path} {path} {path} > /dev/null",
            procs = procs.display(),
            path = path.display()
        );
        let read_thrice = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .status();
        assert!(read_thrice.unwrap().success());
        let name = match group.0.locations.memory.as_ref().unwrap().version {
            Version::V1 => "memory.usage_in_bytes",
            Version::V2 => "memory.current",
        };
        let charged = cgroup::parse_bytes(&read(&group.1, name).unwrap()).unwrap();
        assert!(
            charged > Bytes::from_mib(40),
            "the cache is charged: {charged}"
        );
        let used = group.0.memory().unwrap();
        assert!(used < Bytes::from_mib(8), "{used} of {charged}");
    }
}
