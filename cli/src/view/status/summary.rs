//! Sums over the fleet: the first lines of a status, and a table by role of large fleets.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::unit::Resources;
use rolecast_common::wire::{DispatcherState, NodeHealth, NodeStatus, Status};

use crate::quantity::{counted, length};
use crate::style::{Palette, Tone, one_line};
use crate::table::{Align, Text, plain, table};
use crate::view::nodes::share_of_cpu;

/// Roles that are listed; a node may claim any.
const ROLES_MAX: usize = 20;

const COLUMNS: [(&str, Align); 7] = [
    ("role", Align::Left),
    ("ready", Align::Right),
    ("draining", Align::Right),
    ("gone", Align::Right),
    ("cpu", Align::Right),
    ("memory", Align::Right),
    ("jobs", Align::Right),
];

/// The sum over some nodes; use and capacity are of those that are not gone.
#[derive(Debug, Default)]
struct Sum {
    ready: u32,
    draining: u32,
    gone: u32,
    used: Resources,
    capacity: Resources,
    jobs: u64,
    slots: u64,
}

impl Sum {
    fn add(&mut self, node: &NodeStatus) {
        match node.health {
            NodeHealth::Ready => self.ready += 1,
            NodeHealth::Draining => self.draining += 1,
            NodeHealth::Gone => {
                self.gone += 1;
                return;
            }
        }
        self.used = self.used + node.usage.total;
        self.capacity = self.capacity + node.capacity;
        self.jobs += u64::from(node.jobs);
        self.slots += u64::from(node.jobs_max);
    }

    fn count(&self) -> u32 {
        self.ready + self.draining + self.gone
    }

    fn cpu(&self) -> String {
        share_of_cpu(self.used.cpu, self.capacity.cpu)
    }

    fn memory(&self) -> String {
        format!("{}/{}", self.used.memory, self.capacity.memory)
    }
}

/// Returns the first lines: the dispatchers, NATS, and the fleet as a whole.
pub(super) fn head(status: &Status, palette: Palette) -> String {
    let mut lines = vec![format!(
        "dispatcher {}, epoch {}, forecasts {}, {}{}",
        palette.paint(Tone::Strong, &one_line(&status.dispatcher, 64)),
        status.epoch,
        status.forecast_mode,
        status.at_ms,
        standbys(status),
    )];
    lines.extend(nats(status));
    if !status.nodes.is_empty() {
        lines.push(fleet(&status.nodes));
    }
    lines.join("\n") + "\n"
}

fn standbys(status: &Status) -> String {
    let others = status.dispatchers.iter();
    let others = others.filter(|other| other.state == DispatcherState::StandsBy);
    let names: Vec<String> = others.map(|other| one_line(&other.name, 64)).collect();
    match names.as_slice() {
        [] if status.dispatchers.is_empty() => String::new(),
        [] => "; no standby".to_owned(),
        names => format!("; standing by: {}", names.join(", ")),
    }
}

fn nats(status: &Status) -> Option<String> {
    let nats = status.nats.as_ref()?;
    let answer = match nats.round_trip_us {
        Some(micros) => format!("answers in {}", length(Duration::from_micros(micros))),
        None => "does not answer".to_owned(),
    };
    let copies = nats.streams.iter().map(|stream| stream.replicas).max();
    let copies = copies.filter(|copies| *copies > 1);
    let copies = copies.map_or(String::new(), |copies| format!(", {copies} copies"));
    let version = one_line(&nats.version, 32);
    let streams = counted(
        u64::try_from(nats.streams.len()).unwrap_or(u64::MAX),
        "stream",
    );
    Some(format!("nats {version} {answer}, {streams}{copies}"))
}

fn fleet(nodes: &[NodeStatus]) -> String {
    let mut sum = Sum::default();
    nodes.iter().for_each(|node| sum.add(node));
    let states = [
        (sum.ready, "ready"),
        (sum.draining, "draining"),
        (sum.gone, "gone"),
    ];
    let states = states.iter().filter(|(count, _)| *count > 0);
    let states: Vec<String> = states
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!(
        "{}: {}; {} of {} slots taken, cpu {}, memory {}",
        counted(u64::from(sum.count()), "node"),
        states.join(", "),
        sum.jobs,
        sum.slots,
        sum.cpu(),
        sum.memory(),
    )
}

/// Returns a line for each role; a node of several roles counts in each.
pub(super) fn by_role(nodes: &[NodeStatus], palette: Palette) -> String {
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for node in nodes {
        for role in &node.roles {
            sums.entry(role.as_str()).or_default().add(node);
        }
        if node.roles.is_empty() {
            sums.entry("none").or_default().add(node);
        }
    }
    let mut sums: Vec<(&str, Sum)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.count()));
    let left_out = sums.len().saturating_sub(ROLES_MAX);
    let rows = sums
        .iter()
        .take(ROLES_MAX)
        .map(|(role, sum)| row(role, sum));
    let mut text = table(palette, &COLUMNS, rows.collect());
    text.push('\n');
    if left_out > 0 {
        let more = counted(u64::try_from(left_out).unwrap_or(u64::MAX), "more role");
        text.push_str(&format!("{more} with fewer nodes\n"));
    }
    text
}

fn row(role: &str, sum: &Sum) -> Vec<Text> {
    vec![
        (role.to_owned(), Tone::Strong),
        plain(sum.ready),
        (
            sum.draining.to_string(),
            Tone::of_trouble(u64::from(sum.draining), Tone::Warning),
        ),
        (
            sum.gone.to_string(),
            Tone::of_trouble(u64::from(sum.gone), Tone::Bad),
        ),
        plain(sum.cpu()),
        plain(sum.memory()),
        plain(format!("{}/{}", sum.jobs, sum.slots)),
    ]
}
