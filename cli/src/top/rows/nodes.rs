//! Rows of the list of nodes.

use std::time::Duration;

use rolecast_common::unit::Cores;
use rolecast_common::wire::{NodeHealth, NodeStatus};

use super::super::list::{Column, Item, Rank};
use super::super::picture::Picture;
use super::super::trail::Trail;
use crate::quantity::{cores, length};
use crate::style::Tone;
use crate::table::plain;
use crate::view::nodes::role_list;

/// Bars of the use in the last minutes.
const BARS: u16 = 8;

/// A node with what is known of it besides its status.
#[derive(Debug)]
pub(in super::super) struct Row<'a> {
    pub(in super::super) node: &'a NodeStatus,
    trail: Option<&'a Trail>,
    free: Option<Cores>,
}

impl Item for Row<'_> {
    fn key(&self) -> &str {
        self.node.node.as_str()
    }

    fn contains(&self, part: &str) -> bool {
        let node = self.node;
        let is_in = |text: &str| text.to_lowercase().contains(part);
        is_in(node.node.as_str())
            || is_in(state(node).0)
            || node.roles.iter().any(|role| is_in(role.as_str()))
            || has_label(node, part)
    }
}

/// Returns the rows in no particular order.
pub(in super::super) fn rows(picture: &Picture) -> Vec<Row<'_>> {
    let nodes = picture.status.iter().flat_map(|status| &status.nodes);
    let row = |node| Row {
        node,
        trail: picture.trails.get(&node.node),
        free: picture.free.get(&node.node).copied(),
    };
    nodes.map(row).collect()
}

/// The column by which nodes are sorted at first: those with trouble are above.
pub(in super::super) const FIRST_SORT: usize = 1;

pub(in super::super) fn columns<'a>() -> Vec<Column<Row<'a>>> {
    let mut columns = usual();
    columns.extend(further());
    columns
}

fn usual<'a>() -> Vec<Column<Row<'a>>> {
    let name = |r: &Row<'_>| (r.node.node.to_string(), Tone::Strong);
    let word = |r: &Row<'_>| {
        let (text, _, tone) = state(r.node);
        (text.to_owned(), tone)
    };
    let cpu = |r: &Row<'_>| {
        let (used, all) = (r.node.usage.total.cpu, r.node.capacity.cpu);
        plain(format!("{}/{}", cores(used), cores(all)))
    };
    let bars = |r: &Row<'_>| {
        let bars = |trail: &Trail| trail.bars(usize::from(BARS), Some(1.0));
        plain(r.trail.map_or_else(String::new, bars))
    };
    let by_name = |r: &Row<'_>| Rank::Text(r.node.node.to_string());
    let by_state = |r: &Row<'_>| Rank::Least(f64::from(state(r.node).1));
    let by_cpu = |r: &Row<'_>| Rank::Most(share(r.node));
    let by_free = |r: &Row<'_>| Rank::Least(r.free.map_or(f64::MAX, Cores::get));
    vec![
        Column::left("node", (10, 0), name, by_name),
        Column::left("state", (8, 1), word, by_state),
        Column::left(
            "roles",
            (10, 5),
            |r| plain(roles(r.node)),
            |r| Rank::Text(roles(r.node)),
        ),
        Column::right("cpu", (10, 2), cpu, by_cpu),
        Column::right("last", (BARS, 7), bars, by_cpu),
        Column::right("free 1m", (8, 6), |r| free(r.free), by_free),
        Column::right(
            "mem",
            (4, 4),
            |r| plain(format!("{:.0}%", 100.0 * memory(r.node))),
            |r| Rank::Most(memory(r.node)),
        ),
        Column::right(
            "jobs",
            (6, 3),
            |r| plain(format!("{}/{}", r.node.jobs, r.node.jobs_max)),
            |r| Rank::Most(f64::from(r.node.jobs)),
        ),
    ]
}

fn further<'a>() -> Vec<Column<Row<'a>>> {
    let beat = |r: &Row<'_>| plain(age(r.node.heartbeat_age_ms));
    let failed = |r: &Row<'_>| {
        let count = r.node.failed;
        (count.to_string(), Tone::of_trouble(count, Tone::Warning))
    };
    let trip = |r: &Row<'_>| {
        let trip = r.node.round_trip_us.map(Duration::from_micros);
        plain(trip.map_or("-".to_owned(), length))
    };
    let by_trip = |r: &Row<'_>| Rank::Most(r.node.round_trip_us.map_or(-1.0, count));
    vec![
        Column::right("beat", (5, 8), beat, |r| {
            Rank::Most(count(r.node.heartbeat_age_ms))
        }),
        Column::right("failed", (7, 9), failed, |r| {
            Rank::Most(count(r.node.failed))
        }),
        Column::right(
            "reserved",
            (9, 10),
            |r| plain(cores(r.node.reserved.cpu)),
            |r| Rank::Most(r.node.reserved.cpu.get()),
        ),
        Column::right(
            "done",
            (7, 11),
            |r| plain(r.node.completed),
            |r| Rank::Most(count(r.node.completed)),
        ),
        Column::right(
            "feedback",
            (9, 12),
            |r| plain(format!("{:.2}", r.node.feedback)),
            |r| Rank::Most(r.node.feedback),
        ),
        Column::right("trip", (8, 13), trip, by_trip),
    ]
}

/// Returns the state in a word, its gravity, and its tone.
pub(in super::super) fn state(node: &NodeStatus) -> (&'static str, u8, Tone) {
    match node.health {
        NodeHealth::Gone => ("gone", 0, Tone::Bad),
        NodeHealth::Ready | NodeHealth::Draining if !node.distrusted.is_empty() => {
            ("failing", 1, Tone::Bad)
        }
        NodeHealth::Draining => ("draining", 2, Tone::Warning),
        NodeHealth::Ready => ("ready", 3, Tone::Good),
    }
}

pub(in super::super) fn roles(node: &NodeStatus) -> String {
    match node.roles.as_slice() {
        [] => "none".to_owned(),
        roles => role_list(roles),
    }
}

/// Returns whether the node has this label: `name`, or `name=value`.
fn has_label(node: &NodeStatus, part: &str) -> bool {
    match part.split_once('=') {
        Some((name, value)) => node
            .labels
            .get(name)
            .is_some_and(|found| found.to_lowercase().starts_with(value)),
        None => node.labels.get(part).is_some(),
    }
}

fn share(node: &NodeStatus) -> f64 {
    node.usage.total.cpu.get() / node.capacity.cpu.get().max(f64::MIN_POSITIVE)
}

#[allow(clippy::cast_precision_loss, reason = "a share in percent")]
fn memory(node: &NodeStatus) -> f64 {
    node.usage.total.memory.get() as f64 / node.capacity.memory.get().max(1) as f64
}

fn free(free: Option<Cores>) -> (String, Tone) {
    match free {
        None => plain("-"),
        Some(free) if free.get() <= 0.0 => (cores(free), Tone::Warning),
        Some(free) => plain(cores(free)),
    }
}

/// Writes the age of a heartbeat in few characters.
pub(super) fn age(millis: u64) -> String {
    match millis / 1000 {
        0..10 => format!("{:.1}s", Duration::from_millis(millis).as_secs_f64()),
        seconds @ 10..100 => format!("{seconds}s"),
        seconds @ 100..6000 => format!("{}m", seconds / 60),
        seconds @ 6000..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[allow(clippy::cast_precision_loss, reason = "only an order")]
pub(super) fn count(count: u64) -> f64 {
    count as f64
}
