//! Status as text: nodes and categories as the dispatcher sees them, and warnings.

pub(crate) mod attention;
mod selection;

use std::time::Duration;

use rolecast_common::id::Role;
use rolecast_common::time::format_duration;
use rolecast_common::wire::{CategoryStatus, NodeHealth, NodeStatus, Status};

use self::attention::attention;
use self::selection::{note, select};
use crate::quantity::cores;
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};

const NODE_COLUMNS: [(&str, Align); 11] = [
    ("node", Align::Left),
    ("roles", Align::Left),
    ("health", Align::Left),
    ("cpu", Align::Right),
    ("memory", Align::Right),
    ("jobs", Align::Right),
    ("reserved cpu", Align::Right),
    ("reserved memory", Align::Right),
    ("heartbeat", Align::Right),
    ("completed", Align::Right),
    ("failed", Align::Right),
];

const CATEGORY_COLUMNS: [(&str, Align); 12] = [
    ("category", Align::Left),
    ("roles", Align::Left),
    ("backlog", Align::Right),
    ("waiting", Align::Right),
    ("running", Align::Right),
    ("expected", Align::Right),
    ("nodes", Align::Right),
    ("oldest", Align::Right),
    ("completed", Align::Right),
    ("retried", Align::Right),
    ("expired", Align::Right),
    ("dead letters", Align::Right),
];

/// Nodes named from which jobs were diverted.
const DIVERTED_NODES: usize = 5;

/// Shows everything on a page; of a large fleet not each node, unless `is_all`.
pub(crate) fn page(status: &Status, is_all: bool, palette: Palette) -> String {
    let mut text = format!(
        "dispatcher {}, epoch {}, forecasts {}, {}\n\n",
        palette.paint(Tone::Strong, &status.dispatcher),
        status.epoch,
        status.forecast_mode,
        status.at_ms,
    );
    if status.nodes.is_empty() {
        text.push_str("no nodes yet\n");
    } else {
        let nodes = select(&status.nodes, is_all);
        let shown = nodes.len();
        let rows = nodes.into_iter().map(node_row).collect();
        text.push_str(&table(palette, &NODE_COLUMNS, rows));
        text.push('\n');
        text.extend(note(&status.nodes, shown));
    }
    text.push('\n');
    if status.categories.is_empty() {
        text.push_str("no categories yet\n");
    } else {
        let rows = status.categories.iter().map(category_row).collect();
        text.push_str(&table(palette, &CATEGORY_COLUMNS, rows));
        text.push('\n');
    }
    text.push_str(&diversions(status));
    let attention = attention(status, is_all);
    if !attention.is_empty() {
        text.push('\n');
    }
    for line in attention {
        text.push_str(&palette.paint(Tone::Warning, &format!("! {line}")));
        text.push('\n');
    }
    text
}

/// Returns whether the dispatcher can do its work, as far as it knows.
pub(crate) fn is_in_order(status: &Status) -> bool {
    !status.is_lapsed && status.unread.is_none()
}

/// Returns how many jobs forecasts kept away, and from which nodes.
fn diversions(status: &Status) -> String {
    let counters = &status.counters;
    if counters.diverted == 0 {
        return String::new();
    }
    let mut nodes: Vec<&NodeStatus> = status.nodes.iter().filter(|n| n.diverted > 0).collect();
    nodes.sort_by_key(|node| std::cmp::Reverse(node.diverted));
    let names = nodes.iter().take(DIVERTED_NODES);
    let names: Vec<String> = names
        .map(|n| format!("{} from {}", n.diverted, n.node))
        .collect();
    format!(
        "\nforecasts sent {} of {} jobs elsewhere than the last heartbeats would have: {}\n",
        counters.diverted,
        counters.compared,
        names.join(", ")
    )
}

fn node_row(node: &NodeStatus) -> Vec<Text> {
    let health = match node.health {
        NodeHealth::Ready => "ready",
        NodeHealth::Draining => "draining",
        NodeHealth::Gone => "gone",
    };
    let age = Duration::from_millis(node.heartbeat_age_ms);
    let usage = &node.usage.total;
    vec![
        (node.node.to_string(), Tone::Strong),
        plain(roles_of_node(&node.roles)),
        (health.to_owned(), Tone::of_health(node.health)),
        plain(format!("{}/{}", cores(usage.cpu), cores(node.capacity.cpu))),
        plain(format!("{}/{}", usage.memory, node.capacity.memory)),
        plain(format!("{}/{}", node.jobs, node.jobs_max)),
        plain(cores(node.reserved.cpu)),
        plain(node.reserved.memory),
        plain(format!("{} ago", seconds(age))),
        plain(node.completed),
        (
            node.failed.to_string(),
            Tone::of_trouble(node.failed, Tone::Warning),
        ),
    ]
}

fn category_row(category: &CategoryStatus) -> Vec<Text> {
    let is_stuck = is_stuck(category);
    let nodes_tone = if is_stuck { Tone::Bad } else { Tone::Plain };
    let oldest_tone = if category.late {
        Tone::Warning
    } else {
        Tone::Plain
    };
    let oldest = category.oldest_ms.map(Duration::from_millis);
    let name = if category.declared {
        category.category.to_string()
    } else {
        format!("{} (undeclared)", category.category)
    };
    vec![
        (name, Tone::Strong),
        plain(role_list(&category.roles)),
        plain(category.backlog),
        plain(category.waiting),
        plain(category.running),
        plain(arrivals(category.expected_per_minute)),
        (category.nodes_eligible.to_string(), nodes_tone),
        (oldest.map_or("-".to_owned(), seconds), oldest_tone),
        plain(category.completed),
        plain(category.retried),
        (
            category.expired.to_string(),
            Tone::of_trouble(category.expired, Tone::Warning),
        ),
        match category.dead_letters {
            None => plain("-"),
            Some(count) => (count.to_string(), Tone::of_trouble(count, Tone::Bad)),
        },
    ]
}

/// Shows the number of expected jobs; small ones with a fraction.
pub(crate) fn arrivals(per_minute: Option<f64>) -> String {
    match per_minute {
        None => "-".to_owned(),
        Some(rate) if rate < 9.95 => format!("{rate:.1}/min"),
        Some(rate) => format!("{rate:.0}/min"),
    }
}

pub(crate) fn role_list(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "any".to_owned();
    }
    let names: Vec<&str> = roles.iter().map(Role::as_str).collect();
    names.join(",")
}

/// Lists the roles that a node acts in; `none` if it has no role.
fn roles_of_node(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "none".to_owned();
    }
    role_list(roles)
}

pub(super) fn seconds(length: Duration) -> String {
    if length < Duration::from_secs(60) {
        return format!("{:.1} s", length.as_secs_f64());
    }
    format_duration(length)
}

fn is_stuck(category: &CategoryStatus) -> bool {
    category.backlog > 0 && category.nodes_eligible == 0
}

#[cfg(test)]
pub(super) mod tests;
