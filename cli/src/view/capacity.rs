//! Role capacity map as text: free capacity of the nodes of each role, and the needs of
//! the jobs expected there.

use rolecast_common::id::Role;
use rolecast_common::unit::{Bytes, BytesPerSecond, Resources};
use rolecast_common::wire::{CapacityAt, CapacityMap, RoleCapacity};
use rolecast_common::words::{ahead, amounts, rate};

use crate::quantity::{cores, counted};
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};

const ROLE_COLUMNS: [(&str, Align); 10] = [
    ("role", Align::Left),
    ("nodes", Align::Right),
    ("within", Align::Right),
    ("cpu", Align::Right),
    ("cpu likely", Align::Right),
    ("memory", Align::Right),
    ("network", Align::Right),
    ("disk", Align::Right),
    ("demand", Align::Left),
    ("shortage", Align::Left),
];

const NODE_COLUMNS: [(&str, Align); 7] = [
    ("role", Align::Left),
    ("within", Align::Right),
    ("node", Align::Left),
    ("cpu", Align::Right),
    ("memory", Align::Right),
    ("network", Align::Right),
    ("disk", Align::Right),
];

/// Shows the free capacity of each role.
pub(crate) fn page(map: &CapacityMap, palette: Palette) -> String {
    let mut text = format!(
        "forecasts {}, epoch {}, {}\n\n",
        palette.paint(Tone::Strong, map.mode.name()),
        map.epoch,
        map.at_ms,
    );
    if map.roles.is_empty() {
        text.push_str("no roles yet: no node that takes jobs is known\n");
        return text;
    }
    let roles = map.roles.iter();
    let rows = roles.flat_map(|(role, of_role)| role_rows(role, of_role));
    text.push_str(&table(palette, &ROLE_COLUMNS, rows.collect()));
    let percent = map.quantile * 100.0;
    let legend = format!(
        "free at all times until then, with a probability of {percent:.0} % (cpu likely: \
         50 %); -: nothing, or capacity unknown"
    );
    text.push_str(&format!("\n{}\n", palette.paint(Tone::Faint, &legend)));
    if map.roles_left_out > 0 {
        let roles = counted(u64::from(map.roles_left_out), "role");
        text.push_str(&format!("{roles} with fewer nodes left out\n"));
    }
    let shortages = shortages(map);
    if !shortages.is_empty() {
        text.push('\n');
    }
    for line in shortages {
        text.push_str(&palette.paint(Tone::Bad, &format!("! {line}")));
        text.push('\n');
    }
    text
}

/// Shows the free capacity of each node of each role.
pub(crate) fn nodes(map: &CapacityMap, palette: Palette) -> String {
    let mut rows = Vec::new();
    let mut missing = Vec::new();
    for (role, of_role) in &map.roles {
        for at in &of_role.horizons {
            rows.extend(at.nodes.iter().map(|node| {
                let mut row = vec![
                    (role.to_string(), Tone::Strong),
                    plain(ahead(at.seconds)),
                    plain(&node.node),
                ];
                row.extend(free(&node.available));
                row
            }));
        }
        let listed = of_role.horizons.iter().map(|at| at.nodes.len()).min();
        let listed = u64::try_from(listed.unwrap_or(0)).unwrap_or(u64::MAX);
        let left_out = u64::from(of_role.nodes).saturating_sub(listed);
        if left_out > 0 {
            missing.push(format!("{role}: {} more", counted(left_out, "node")));
        }
    }
    if rows.is_empty() {
        return "no nodes yet\n".to_owned();
    }
    let mut text = table(palette, &NODE_COLUMNS, rows);
    text.push('\n');
    for line in missing {
        text.push_str(&palette.paint(Tone::Faint, &line));
        text.push('\n');
    }
    text
}

/// Returns the first shortage with its horizon, a line for each role.
fn shortages(map: &CapacityMap) -> Vec<String> {
    let mut lines = Vec::new();
    for (role, of_role) in &map.roles {
        let mut horizons = of_role.horizons.iter();
        if let Some(at) = horizons.find(|at| is_short(at)) {
            let (shortage, within) = (amounts(&at.shortage), ahead(at.seconds));
            lines.push(format!("{role}: {shortage} short within {within}"));
        }
    }
    lines
}

fn is_short(at: &CapacityAt) -> bool {
    at.shortage != Resources::default()
}

fn role_rows(role: &Role, of_role: &RoleCapacity) -> Vec<Vec<Text>> {
    let row = |(index, at): (usize, &CapacityAt)| {
        let is_first = index == 0;
        let name = if is_first {
            (role.to_string(), Tone::Strong)
        } else {
            plain("")
        };
        let nodes = if is_first {
            plain(of_role.nodes)
        } else {
            plain("")
        };
        let mut row = vec![name, nodes, plain(ahead(at.seconds))];
        let [cpu, memory, network, disk] = free(&at.available.safe);
        row.push(cpu);
        row.push(plain(cores(at.available.likely.cpu)));
        row.extend([memory, network, disk]);
        row.push(plain(amounts(&at.demand)));
        let tone = if is_short(at) { Tone::Bad } else { Tone::Plain };
        row.push((amounts(&at.shortage), tone));
        row
    };
    of_role.horizons.iter().enumerate().map(row).collect()
}

/// Shows the free amount of each resource.
fn free(resources: &Resources) -> [Text; 4] {
    let free_rate = |free: BytesPerSecond| {
        if free == BytesPerSecond::ZERO {
            return plain("-");
        }
        plain(rate(free.get()))
    };
    let is_empty = |is_none: bool| if is_none { Tone::Warning } else { Tone::Plain };
    [
        (cores(resources.cpu), is_empty(resources.cpu.get() <= 0.0)),
        (
            resources.memory.to_string(),
            is_empty(resources.memory == Bytes::ZERO),
        ),
        free_rate(resources.network),
        free_rate(resources.disk),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rolecast_common::id::{Epoch, NodeId};
    use rolecast_common::time::WallTime;
    use rolecast_common::unit::Cores;
    use rolecast_common::wire::{ForecastMode, NodeCapacity, ResourceBand, VERSION};

    use super::*;

    #[test]
    fn each_role_has_a_row_for_each_horizon() {
        let text = page(&map(), Palette::PLAIN);
        let expected = "\
forecasts on, epoch 3, 1970-01-01T00:00:09.000Z

ROLE    NODES  WITHIN   CPU  CPU LIKELY   MEMORY     NETWORK  DISK  DEMAND                SHORTAGE
leader      2     10s  3.50        4.00  1.0 GiB  10.0 KiB/s     -  0.50 cores, 64.0 MiB  -
                   1h  1.00        2.00  1.0 GiB  10.0 KiB/s     -  1.50 cores, 64.0 MiB  0.50 cores
free at all times until then, with a probability of 90 % (cpu likely: 50 %); -: nothing, or capacity unknown

! leader: 0.50 cores short within 1h
";
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn a_shortage_stands_out() {
        let painted = page(&map(), Palette::new(true));
        assert!(painted.contains("\x1b[31m! leader"), "{painted}");
        let mut map = map();
        for role in map.roles.values_mut() {
            role.horizons.pop();
        }
        let text = page(&map, Palette::PLAIN);
        assert!(!text.contains('!'), "{text}");
    }

    #[test]
    fn nodes_that_were_left_out_are_counted() {
        let text = nodes(&map(), Palette::PLAIN);
        let expected = "\
ROLE    WITHIN  NODE   CPU   MEMORY     NETWORK  DISK
leader     10s  oak   3.50  1.0 GiB  10.0 KiB/s     -
leader      1h  oak   1.00  1.0 GiB  10.0 KiB/s     -
leader: 1 node more
";
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn without_nodes_there_are_no_roles() {
        let mut map = map();
        map.roles.clear();
        assert!(page(&map, Palette::PLAIN).contains("no roles yet"));
        assert_eq!(nodes(&map, Palette::PLAIN), "no nodes yet\n");
    }

    fn map() -> CapacityMap {
        let at = |seconds, safe: f64, likely: f64, demand: f64| CapacityAt {
            seconds,
            available: ResourceBand {
                likely: resources(likely, 1024, 20),
                safe: resources(safe, 1024, 10),
            },
            nodes: vec![NodeCapacity {
                node: NodeId::new("oak").unwrap(),
                available: resources(safe, 1024, 10),
            }],
            demand: resources(demand, 64, 0),
            shortage: resources((demand - safe).max(0.0), 0, 0),
        };
        let leader = RoleCapacity {
            nodes: 2,
            horizons: vec![at(10, 3.5, 4.0, 0.5), at(3600, 1.0, 2.0, 1.5)],
        };
        CapacityMap {
            v: VERSION,
            at_ms: WallTime::from_millis(9000),
            epoch: Epoch::new(3),
            mode: ForecastMode::On,
            quantile: 0.9,
            roles: BTreeMap::from([(Role::new("leader").unwrap(), leader)]),
            roles_left_out: 0,
        }
    }

    fn resources(cpu: f64, mib: u64, network_kib: u32) -> Resources {
        Resources {
            cpu: Cores::clamped(cpu),
            memory: Bytes::from_mib(mib),
            network: BytesPerSecond::clamped(f64::from(network_kib) * 1024.0),
            disk: BytesPerSecond::ZERO,
        }
    }
}
