//! Finds a process's descendants and sums their use.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecast_common::unit::Bytes;

/// One process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: u32,
    pub(crate) parent: u32,
    /// Its process group.
    pub(crate) group: u32,
    /// Of itself and of those children that it has waited for.
    pub(crate) cpu: Duration,
    pub(crate) memory: Bytes,
}

/// The units of the numbers in `/proc/<pid>/stat`.
#[cfg(any(target_os = "linux", test))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatUnits {
    pub(crate) ticks_per_second: u64,
    pub(crate) page_bytes: u64,
}

/// Reads `/proc/<pid>/stat`; `None` if it is not one.
#[cfg(any(target_os = "linux", test))]
pub(crate) fn parse_stat(text: &str, units: StatUnits) -> Option<Process> {
    // The name in brackets may itself hold brackets and spaces.
    let (id, rest) = text.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc(5) counts from 1 and these begin with the third field, the state.
    let field = |number: usize| -> Option<u64> { fields.get(number - 3)?.parse().ok() };
    let id_of = |number: usize| u32::try_from(field(number)?).ok();
    // utime, stime, and the same of children waited for.
    let ticks = field(14)? + field(15)? + field(16)? + field(17)?;
    let micros = ticks.saturating_mul(1_000_000) / units.ticks_per_second.max(1);
    Some(Process {
        id: id.parse().ok()?,
        parent: id_of(4)?,
        group: id_of(5)?,
        cpu: Duration::from_micros(micros),
        memory: Bytes::new(field(24)?.saturating_mul(units.page_bytes)),
    })
}

/// Returns the bytes read from and written to disks, out of `/proc/<pid>/io`.
#[cfg(any(target_os = "linux", test))]
pub(crate) fn parse_io(text: &str) -> Option<Bytes> {
    let value = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    };
    let read = value("read_bytes:")?;
    Some(Bytes::new(read.saturating_add(value("write_bytes:")?)))
}

/// Returns, for each root that exists, the ids of itself, its descendants and the members
/// of its process group.
pub(crate) fn trees(processes: &[Process], roots: &BTreeSet<u32>) -> BTreeMap<u32, Vec<u32>> {
    let by_id: BTreeMap<u32, &Process> = processes.iter().map(|p| (p.id, p)).collect();
    let mut trees = BTreeMap::<u32, Vec<u32>>::new();
    for process in processes {
        if let Some(root) = find_root(process, &by_id, roots) {
            trees.entry(root).or_default().push(process.id);
        }
    }
    trees
}

fn find_root(
    process: &Process,
    by_id: &BTreeMap<u32, &Process>,
    roots: &BTreeSet<u32>,
) -> Option<u32> {
    let mut ancestor = process;
    // The table is not read at one moment, so a loop in it is possible.
    for _ in 0..by_id.len() {
        if roots.contains(&ancestor.id) {
            return Some(ancestor.id);
        }
        if roots.contains(&ancestor.group) {
            return Some(ancestor.group);
        }
        ancestor = by_id.get(&ancestor.parent)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str = "11498 (we (i) rd) S 11483 11480 9322 0 -1 4194304 106 0 0 0 \
        150 50 30 20 20 0 1 0 180725 2998272 417 18446744073709551615 94760612843520 \
        94760612867625 140727837724352 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0";
    const UNITS: StatUnits = StatUnits {
        ticks_per_second: 100,
        page_bytes: 4096,
    };

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let expected = Process {
            id: 11498,
            parent: 11483,
            group: 11480,
            cpu: Duration::from_millis(2500),
            memory: Bytes::new(417 * 4096),
        };
        assert_eq!(parse_stat(CAPTURED, UNITS), Some(expected));
        assert_eq!(parse_stat("", UNITS), None);
        assert_eq!(parse_stat("1 (x) S 2", UNITS), None);
    }

    #[test]
    fn disk_bytes_are_read_and_written_together() {
        let text = "rchar: 6976\nwchar: 9\nread_bytes: 4096\nwrite_bytes: 100\n\
                    cancelled_write_bytes: 7\n";
        assert_eq!(parse_io(text), Some(Bytes::new(4196)));
        assert_eq!(parse_io("rchar: 1\n"), None);
    }

    #[test]
    fn a_tree_holds_descendants_and_the_group_even_of_orphans() {
        let processes = [
            process(10, 1, 1),
            process(20, 10, 20),
            process(21, 20, 20),
            process(22, 21, 99),
            process(23, 1, 20),
            process(30, 10, 30),
        ];
        let trees = trees(&processes, &BTreeSet::from([20, 30, 40]));
        assert_eq!(trees[&20], [20, 21, 22, 23]);
        assert_eq!(trees[&30], [30]);
        assert!(!trees.contains_key(&40));
    }

    #[test]
    fn a_loop_of_parents_ends() {
        let processes = [process(5, 6, 5), process(6, 5, 6)];
        assert!(trees(&processes, &BTreeSet::from([9])).is_empty());
    }

    fn process(id: u32, parent: u32, group: u32) -> Process {
        Process {
            id,
            parent,
            group,
            cpu: Duration::ZERO,
            memory: Bytes::ZERO,
        }
    }
}
