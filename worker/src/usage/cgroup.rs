//! Finds the worker's control group and reads its files, version 1 and 2.
//!
//! A host may mount both versions; each resource is read where its controller is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rolecast_common::unit::{Bytes, Cores};

/// Where the files of each resource are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locations {
    pub cpu: Option<Place>,
    /// CPU limits; in version 1 another controller than the one that counts.
    pub cpu_limit: Option<Place>,
    pub memory: Option<Place>,
    pub disk: Option<Place>,
}

/// The directory of a control group in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub version: Version,
    pub directory: PathBuf,
    /// Where the hierarchy is mounted; limits of the directories between hold too.
    pub mount: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

impl Place {
    /// Returns the group's directory and those above it, up to the mount.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        let mount = self.mount.as_path();
        self.directory
            .ancestors()
            .take_while(move |directory| directory.starts_with(mount))
    }
}

/// Finds the group from `/proc/self/cgroup` and `/proc/self/mountinfo`.
pub fn locate(cgroup: &str, mountinfo: &str) -> Locations {
    let mounts: Vec<Mount<'_>> = mountinfo.lines().filter_map(Mount::parse).collect();
    let find = |controller: &str| {
        let v1 = path_of(cgroup, controller).and_then(|path| {
            let mount = mounts.iter().find(|mount| mount.is_v1_of(controller))?;
            mount.place(Version::V1, path)
        });
        v1.or_else(|| {
            let mount = mounts.iter().find(|mount| mount.kind == "cgroup2")?;
            mount.place(Version::V2, path_of(cgroup, "")?)
        })
    };
    Locations {
        cpu: find("cpuacct"),
        cpu_limit: find("cpu"),
        memory: find("memory"),
        disk: find("blkio"),
    }
}

/// Returns the group's path in the hierarchy of this controller; version 2 has no name.
fn path_of<'a>(cgroup: &'a str, controller: &str) -> Option<&'a str> {
    cgroup.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers
            .split(',')
            .any(|name| name == controller)
            .then_some(path)
    })
}

struct Mount<'a> {
    /// What part of the hierarchy is mounted.
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        Some(Self {
            root: before.next()?,
            point: before.next()?,
            kind: after.next()?,
            options: after.nth(1)?,
        })
    }

    fn is_v1_of(&self, controller: &str) -> bool {
        self.kind == "cgroup" && self.options.split(',').any(|option| option == controller)
    }

    fn place(&self, version: Version, path: &str) -> Option<Place> {
        // Without a namespace of its own a container sees its full path, and
        // only its own part mounted.
        let path = path.strip_prefix(self.root).unwrap_or(path);
        let mount = PathBuf::from(self.point);
        Some(Place {
            version,
            directory: mount.join(path.trim_start_matches('/')),
            mount,
        })
    }
}

/// Reads `cpuacct.usage`, in nanoseconds.
pub fn parse_cpu_v1(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_nanos)
}

/// Reads `cpu.stat`.
pub fn parse_cpu_v2(text: &str) -> Option<Duration> {
    value(text, "usage_usec").map(Duration::from_micros)
}

/// Reads `cpu.max`; `None` without a limit.
pub fn parse_cpu_max(text: &str) -> Option<Cores> {
    let (quota, period) = text.trim().split_once(' ')?;
    cores(quota.parse().ok()?, period.parse().ok()?)
}

/// Reads `cpu.cfs_quota_us` and `cpu.cfs_period_us`; `None` without a limit.
pub fn parse_cpu_quota(quota: &str, period: &str) -> Option<Cores> {
    cores(quota.trim().parse().ok()?, period.trim().parse().ok()?)
}

fn cores(quota: f64, period: f64) -> Option<Cores> {
    let cores = Cores::new(quota / period).ok()?;
    (cores > Cores::ZERO).then_some(cores)
}

/// Reads a limit such as `memory.max`; `None` for `max`.
pub fn parse_bytes(text: &str) -> Option<Bytes> {
    text.trim().parse().ok().map(Bytes::new)
}

/// Reads from `memory.stat` what the group holds only as a cache that can go:
/// `inactive_file`, in version 1 with those below it.
pub fn parse_reclaimable(text: &str) -> Option<Bytes> {
    let found = value(text, "total_inactive_file").or_else(|| value(text, "inactive_file"));
    found.map(Bytes::new)
}

/// Reads `io.stat`: bytes read and written of all devices.
pub fn parse_disk_v2(text: &str) -> Bytes {
    let fields = text.split_ascii_whitespace();
    let bytes = fields.filter_map(|field| {
        let number = field
            .strip_prefix("rbytes=")
            .or(field.strip_prefix("wbytes="))?;
        number.parse().ok().map(Bytes::new)
    });
    bytes.sum()
}

/// Reads `blkio.throttle.io_service_bytes`: bytes read and written of all devices.
pub fn parse_disk_v1(text: &str) -> Bytes {
    let bytes = text.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_counted = matches!(fields.next()?, "Read" | "Write");
        let number = fields.next()?.parse().ok()?;
        is_counted.then_some(Bytes::new(number))
    });
    bytes.sum()
}

/// Finds the number behind a name in a file of `<name> <number>` lines.
fn value(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (found, number) = line.split_once(' ')?;
        if found != name {
            return None;
        }
        number.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CGROUP_HYBRID: &str = "4:memory:/batch/7\n2:cpuacct:/\n1:cpu:/\n7:blkio:/\n0::/\n";
    const MOUNTS_HYBRID: &str = "\
        30 20 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:7 - cgroup cgroup rw,cpu\n\
        31 20 0:27 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n\
        32 20 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        33 20 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

    #[test]
    fn each_resource_is_found_in_the_hierarchy_of_its_controller() {
        let found = locate(CGROUP_HYBRID, MOUNTS_HYBRID);
        let memory = found.memory.unwrap();
        assert_eq!(memory.version, Version::V1);
        assert_eq!(memory.directory, Path::new("/sys/fs/cgroup/memory/batch/7"));
        let directories: Vec<&Path> = memory.directories().collect();
        assert_eq!(directories.len(), 3);
        assert_eq!(directories[2], Path::new("/sys/fs/cgroup/memory"));
        assert_eq!(
            found.cpu.unwrap().directory,
            Path::new("/sys/fs/cgroup/cpuacct/")
        );
        assert_eq!(found.disk.unwrap().version, Version::V2);
    }

    #[test]
    fn version_2_has_everything_in_one_place() {
        let mounts =
            "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = locate("0::/system.slice/w.service\n", mounts);
        let directory = Path::new("/sys/fs/cgroup/system.slice/w.service");
        for place in [found.cpu, found.memory, found.disk] {
            assert_eq!(place.unwrap().directory, directory);
        }
    }

    #[test]
    fn a_container_without_its_own_namespace_sees_its_part_only() {
        let mounts = "40 30 0:28 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let found = locate("4:memory:/docker/ab\n", mounts);
        assert_eq!(
            found.memory.unwrap().directory,
            Path::new("/sys/fs/cgroup/memory/")
        );
        assert_eq!(found.cpu, None);
        assert_eq!(locate("", ""), Locations::default());
    }

    #[test]
    fn the_files_of_both_versions_are_read() {
        let stat = "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n";
        assert_eq!(parse_cpu_v2(stat), Some(Duration::from_millis(2500)));
        assert_eq!(
            parse_cpu_v1("2500000000\n"),
            Some(Duration::from_millis(2500))
        );
        assert_eq!(parse_bytes("1048576\n"), Some(Bytes::from_mib(1)));
        assert_eq!(parse_bytes("max\n"), None);
        let stat = "cache 9\ninactive_file 5\ntotal_cache 9\ntotal_inactive_file 7\n";
        assert_eq!(parse_reclaimable(stat), Some(Bytes::new(7)));
        assert_eq!(
            parse_reclaimable("anon 1\ninactive_file 5\n"),
            Some(Bytes::new(5))
        );
        let stat =
            "8:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=5 wbytes=0\n";
        assert_eq!(parse_disk_v2(stat), Bytes::new(125));
        let stat = "8:0 Read 100\n8:0 Write 20\n8:0 Sync 20\n8:0 Total 120\nTotal 120\n";
        assert_eq!(parse_disk_v1(stat), Bytes::new(120));
    }

    #[test]
    fn a_cpu_limit_is_a_number_of_cores() {
        assert_eq!(parse_cpu_max("150000 100000\n"), Cores::new(1.5).ok());
        assert_eq!(parse_cpu_max("max 100000\n"), None);
        assert_eq!(parse_cpu_quota("-1\n", "100000\n"), None);
        assert_eq!(parse_cpu_quota("50000\n", "100000\n"), Cores::new(0.5).ok());
        assert_eq!(parse_cpu_max("0 0"), None);
    }
}
