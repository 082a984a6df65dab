//! Finds the worker's control group and reads its files, version 1 and 2.
//!
//! A host may mount both versions; each resource is read where its controller is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rolecast_common::unit::{Bytes, Cores};

/// Directories of the files of each resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Locations {
    pub(crate) cpu: Option<Place>,
    /// CPU limits; in version 1 another controller than the one that counts.
    pub(crate) cpu_limit: Option<Place>,
    pub(crate) memory: Option<Place>,
    pub(crate) disk: Option<Place>,
}

/// The directory of a control group in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) version: Version,
    pub(crate) directory: PathBuf,
    /// Mount point of the hierarchy; limits of the directories between hold too.
    pub(crate) mount: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The files that hold a group's limit of memory: above the second the kernel makes its
/// processes wait, above the others it kills them.
pub(crate) const MEMORY_LIMITS: [&str; 3] = ["memory.max", "memory.high", "memory.limit_in_bytes"];

impl Place {
    /// Returns the place of a directory's group in another hierarchy, in which groups have
    /// the same paths.
    pub(crate) fn with_path_of(&self, directory: &Path, of: &Place) -> Option<Place> {
        let path = directory.strip_prefix(&of.mount).ok()?;
        Some(Place {
            directory: self.mount.join(path),
            ..self.clone()
        })
    }

    /// Returns the group's directory and those above it, up to the mount.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        let mount = self.mount.as_path();
        self.directory
            .ancestors()
            .take_while(move |directory| directory.starts_with(mount))
    }
}

/// Finds the group from `/proc/self/cgroup` and `/proc/self/mountinfo`.
pub(crate) fn locate(cgroup: &str, mountinfo: &str) -> Locations {
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

/// Finds the group in the hierarchy of version 2 alone.
pub(crate) fn locate_v2(cgroup: &str, mountinfo: &str) -> Option<Place> {
    let mut mounts = mountinfo.lines().filter_map(Mount::parse);
    let mount = mounts.find(|mount| mount.kind == "cgroup2")?;
    mount.place(Version::V2, path_of(cgroup, "")?)
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
    /// The part of the hierarchy that is mounted.
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
pub(crate) fn parse_cpu_v1(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_nanos)
}

/// Reads `cpu.stat`.
pub(crate) fn parse_cpu_v2(text: &str) -> Option<Duration> {
    value(text, "usage_usec").map(Duration::from_micros)
}

/// Reads `cpu.max`; `None` without a limit.
pub(crate) fn parse_cpu_max(text: &str) -> Option<Cores> {
    let (quota, period) = text.trim().split_once(' ')?;
    cores(quota.parse().ok()?, period.parse().ok()?)
}

/// Reads `cpu.cfs_quota_us` and `cpu.cfs_period_us`; `None` without a limit.
pub(crate) fn parse_cpu_quota(quota: &str, period: &str) -> Option<Cores> {
    cores(quota.trim().parse().ok()?, period.trim().parse().ok()?)
}

fn cores(quota: f64, period: f64) -> Option<Cores> {
    let cores = Cores::new(quota / period).ok()?;
    (cores > Cores::ZERO).then_some(cores)
}

/// Reads a limit such as `memory.max`; `None` for `max`.
pub(crate) fn parse_bytes(text: &str) -> Option<Bytes> {
    text.trim().parse().ok().map(Bytes::new)
}

/// Reads from `memory.stat` the memory that the group holds only as reclaimable caches,
/// in version 1 with the groups below it: files that are not mapped (a file read twice is
/// on the active list, and can be reclaimed as well as one read once), and slab that the
/// kernel calls reclaimable.
pub(crate) fn parse_reclaimable(text: &str) -> Option<Bytes> {
    let find = |name: &str| value(text, &format!("total_{name}")).or_else(|| value(text, name));
    let inactive = find("inactive_file")?;
    let mapped = find("file_mapped").or_else(|| find("mapped_file"));
    let active = find("active_file").unwrap_or(0);
    // Programs and libraries at work are mapped: they would be read again at once.
    let active = active.saturating_sub(mapped.unwrap_or(0));
    let slab = find("slab_reclaimable").unwrap_or(0);
    Some(Bytes::new(
        inactive.saturating_add(active).saturating_add(slab),
    ))
}

/// Reads `io.stat`: bytes read and written of all devices.
pub(crate) fn parse_disk_v2(text: &str) -> Bytes {
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
pub(crate) fn parse_disk_v1(text: &str) -> Bytes {
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
        let found = locate_v2(CGROUP_HYBRID, MOUNTS_HYBRID).unwrap();
        assert_eq!(found.directory, Path::new("/sys/fs/cgroup/unified/"));
        assert_eq!(locate_v2("4:memory:/\n", MOUNTS_HYBRID), None);
        assert_eq!(locate_v2(CGROUP_HYBRID, ""), None);
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
        let stat =
            "8:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=5 wbytes=0\n";
        assert_eq!(parse_disk_v2(stat), Bytes::new(125));
        let stat = "8:0 Read 100\n8:0 Write 20\n8:0 Sync 20\n8:0 Total 120\nTotal 120\n";
        assert_eq!(parse_disk_v1(stat), Bytes::new(120));
    }

    /// Version 2, after a file of 50 MiB was read three times; shortened.
    const STAT_V2: &str = "anon 1208320\nfile 52719616\nkernel 3055616\nshmem 0\n\
        file_mapped 262144\nfile_dirty 0\ninactive_anon 1167360\nactive_anon 4096\n\
        inactive_file 286720\nactive_file 52432896\nunevictable 0\n\
        slab_reclaimable 2621440\nslab_unreclaimable 204800\nslab 2826240\n";
    /// Version 1, in the same case; shortened.
    const STAT_V1: &str = "cache 52428800\nrss 135168\nmapped_file 0\ninactive_file 0\n\
        active_file 52428800\nhierarchical_memory_limit 67108864\ntotal_cache 52428800\n\
        total_rss 135168\ntotal_mapped_file 4096\ntotal_inactive_file 8192\n\
        total_active_file 52420608\n";

    #[test]
    fn page_cache_and_reclaimable_slab_are_free_but_for_what_is_mapped() {
        let expected = 286_720 + (52_432_896 - 262_144) + 2_621_440;
        assert_eq!(parse_reclaimable(STAT_V2), Some(Bytes::new(expected)));
        let expected = 8192 + (52_420_608 - 4096);
        assert_eq!(parse_reclaimable(STAT_V1), Some(Bytes::new(expected)));
        let all_mapped = "inactive_file 5\nactive_file 10\nfile_mapped 70\n";
        assert_eq!(parse_reclaimable(all_mapped), Some(Bytes::new(5)));
        assert_eq!(parse_reclaimable("anon 1\n"), None);
    }

    #[test]
    fn a_group_has_the_same_path_in_another_hierarchy() {
        let found = locate(CGROUP_HYBRID, MOUNTS_HYBRID);
        let (memory, cpu) = (found.memory.unwrap(), found.cpu.unwrap());
        let limited = Path::new("/sys/fs/cgroup/memory/batch");
        let place = cpu.with_path_of(limited, &memory).unwrap();
        assert_eq!(place.directory, Path::new("/sys/fs/cgroup/cpuacct/batch"));
        assert_eq!(place.version, cpu.version);
        assert_eq!(cpu.with_path_of(Path::new("/elsewhere"), &memory), None);
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
