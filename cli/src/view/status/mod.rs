//! Status as text: nodes and categories as the dispatcher sees them, and warnings.

mod selection;
mod summary;

use std::time::Duration;

use rolecast_common::alarm::{Alarm, Gravity, of_status};
use rolecast_common::wire::{CategoryStatus, NodeStatus, Status};
use rolecast_common::words::arrivals;

use self::summary::head;
use crate::quantity::seconds;
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};
use crate::view::nodes::{self, role_list};

const CATEGORY_COLUMNS: [(&str, Align); 9] = [
    ("category", Align::Left),
    ("roles", Align::Left),
    ("backlog", Align::Right),
    ("waiting", Align::Right),
    ("running", Align::Right),
    ("expected", Align::Right),
    ("nodes", Align::Right),
    ("oldest", Align::Right),
    ("completed", Align::Right),
];

/// Columns that are shown if any category has a figure there.
const FAILURE_COLUMNS: [(&str, Align); 3] = [
    ("retried", Align::Right),
    ("expired", Align::Right),
    ("dead letters", Align::Right),
];

/// Nodes named from which jobs were diverted.
const DIVERTED_NODES: usize = 5;

/// Shows everything on a page: what needs attention first. Of a large fleet not each node
/// and category is shown, unless `is_all`.
pub(crate) fn page(status: &Status, is_all: bool, palette: Palette) -> String {
    let mut text = head(status, palette);
    let alarms = of_status(status, is_all);
    if alarms.is_empty() {
        text.push_str(&palette.paint(Tone::Good, "all is well"));
        text.push('\n');
    }
    text.push_str(&lines(&alarms, palette));
    text.push('\n');
    text.push_str(&fleet(&status.nodes, is_all, palette));
    text.push('\n');
    text.push_str(&categories(&status.categories, is_all, palette));
    text.push_str(&diversions(status));
    text
}

/// Writes each alarm as a line.
pub(crate) fn lines(alarms: &[Alarm], palette: Palette) -> String {
    let line = |alarm: &Alarm| {
        let tone = match alarm.gravity {
            Gravity::Bad => Tone::Bad,
            Gravity::Warning => Tone::Warning,
        };
        palette.paint(tone, &format!("! {}", alarm.line())) + "\n"
    };
    alarms.iter().map(line).collect()
}

fn fleet(all: &[NodeStatus], is_all: bool, palette: Palette) -> String {
    if all.is_empty() {
        return "no nodes yet; start rolecast-worker\n".to_owned();
    }
    if selection::shows_all(all, is_all) {
        let rows = all.iter().map(nodes::row).collect();
        return format!("{}\n", table(palette, &nodes::COLUMNS, rows));
    }
    let mut text = summary::by_role(all, palette);
    let (worst, troubled) = selection::worst(all);
    if worst.is_empty() {
        return text;
    }
    let shown = worst.len();
    let rows = worst.into_iter().map(nodes::row).collect();
    text.push('\n');
    text.push_str(&table(palette, &nodes::COLUMNS, rows));
    text.push_str(&format!(
        "\n{shown} of {troubled} nodes with trouble; --all shows all nodes, rolecast node ls \
         some of them\n"
    ));
    text
}

fn categories(all: &[CategoryStatus], is_all: bool, palette: Palette) -> String {
    if all.is_empty() {
        return "no categories yet\n".to_owned();
    }
    let shown = selection::categories(all, is_all);
    let left_out = all.len() - shown.len();
    let has_failures = |category: &&CategoryStatus| {
        category.retried + category.expired + category.dead_letters.unwrap_or(0) > 0
    };
    let has_failures = shown.iter().any(has_failures);
    let mut columns = CATEGORY_COLUMNS.to_vec();
    if has_failures {
        columns.extend(FAILURE_COLUMNS);
    }
    let row = |category: &CategoryStatus| {
        let mut row = category_row(category);
        if has_failures {
            row.extend(failure_cells(category));
        }
        row
    };
    let rows = shown.into_iter().map(row).collect();
    let mut text = table(palette, &columns, rows);
    text.push('\n');
    if left_out > 0 {
        text.push_str(&format!(
            "{left_out} more, without jobs or with few; --all shows all\n"
        ));
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
    ]
}

fn failure_cells(category: &CategoryStatus) -> [Text; 3] {
    [
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

fn is_stuck(category: &CategoryStatus) -> bool {
    category.backlog > 0 && category.nodes_eligible == 0
}

#[cfg(test)]
pub(crate) mod tests;
