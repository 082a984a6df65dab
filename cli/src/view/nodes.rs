//! Nodes as a list.

use std::time::Duration;

use rolecast_common::alarm::{FEEDBACK_HIGH, ROUND_TRIP_HIGH};
use rolecast_common::id::Role;
use rolecast_common::unit::{Bytes, Cores};
use rolecast_common::wire::{NodeHealth, NodeStatus};

use crate::args::node::{Health, NodeList, Sort};
use crate::quantity::{cores, length, seconds};
use crate::style::{Palette, Tone, one_line};
use crate::table::{Align, Text, plain, table};

pub(crate) const COLUMNS: [(&str, Align); 10] = [
    ("node", Align::Left),
    ("roles", Align::Left),
    ("health", Align::Left),
    ("cpu", Align::Right),
    ("memory", Align::Right),
    ("jobs", Align::Right),
    ("round trip", Align::Right),
    ("feedback", Align::Right),
    ("heartbeat", Align::Right),
    ("failed", Align::Right),
];

/// The characters of a list of roles in a row.
const ROLES_CHARS_MAX: usize = 24;

/// Returns the nodes that are wanted, in their order; all of them, whatever the limit.
pub(crate) fn select<'a>(nodes: &'a [NodeStatus], wanted: &NodeList) -> Vec<&'a NodeStatus> {
    let mut selected: Vec<&NodeStatus> = nodes.iter().filter(|n| is_wanted(n, wanted)).collect();
    selected.sort_by(|one, other| {
        let figures = figure(other, wanted.sort).total_cmp(&figure(one, wanted.sort));
        figures.then_with(|| one.node.cmp(&other.node))
    });
    selected
}

fn is_wanted(node: &NodeStatus, wanted: &NodeList) -> bool {
    let NodeList {
        role,
        label,
        health,
        category,
        sort: _,
        limit: _,
    } = wanted;
    let health = health.map(|health| match health {
        Health::Ready => NodeHealth::Ready,
        Health::Draining => NodeHealth::Draining,
        Health::Gone => NodeHealth::Gone,
    });
    role.as_ref().is_none_or(|role| node.roles.contains(role))
        && label
            .as_ref()
            .is_none_or(|label| label.matches(&node.labels))
        && health.is_none_or(|health| node.health == health)
        && category
            .as_ref()
            .is_none_or(|name| node.categories.contains(name))
}

/// Returns the figure by which nodes are sorted, the largest first.
#[allow(clippy::cast_precision_loss, reason = "the order needs few digits")]
fn figure(node: &NodeStatus, sort: Sort) -> f64 {
    let share = |used: f64, of: f64| if of > 0.0 { used / of } else { 0.0 };
    let bytes = |bytes: Bytes| bytes.get() as f64;
    match sort {
        Sort::Name => 0.0,
        Sort::Cpu => share(node.usage.total.cpu.get(), node.capacity.cpu.get()),
        Sort::Memory => share(bytes(node.usage.total.memory), bytes(node.capacity.memory)),
        Sort::Jobs => f64::from(node.jobs),
        Sort::Feedback => node.feedback,
        Sort::RoundTrip => node.round_trip_us.unwrap_or(0) as f64,
        Sort::Heartbeat => node.heartbeat_age_ms as f64,
        Sort::Failed => node.failed as f64,
    }
}

/// Lists nodes, as many as the limit allows.
pub(crate) fn list(nodes: &[&NodeStatus], limit: Option<usize>, palette: Palette) -> String {
    if nodes.is_empty() {
        return "no such nodes\n".to_owned();
    }
    let shown = limit.unwrap_or(nodes.len()).min(nodes.len());
    let rows = nodes.iter().take(shown).map(|node| row(node)).collect();
    let mut text = table(palette, &COLUMNS, rows);
    text.push('\n');
    if shown < nodes.len() {
        text.push_str(&format!(
            "\n{shown} of {}; more with --limit\n",
            nodes.len()
        ));
    }
    text
}

/// Returns the row of a node in a table with [`COLUMNS`].
pub(crate) fn row(node: &NodeStatus) -> Vec<Text> {
    let usage = &node.usage.total;
    let age = Duration::from_millis(node.heartbeat_age_ms);
    let trip = node.round_trip_us.map(Duration::from_micros);
    vec![
        (node.node.to_string(), Tone::Strong),
        plain(one_line(&roles_of_node(&node.roles), ROLES_CHARS_MAX)),
        (health(node.health).to_owned(), Tone::of_health(node.health)),
        plain(share_of_cpu(usage.cpu, node.capacity.cpu)),
        plain(format!("{}/{}", usage.memory, node.capacity.memory)),
        plain(format!("{}/{}", node.jobs, node.jobs_max)),
        (
            trip.map_or("-".to_owned(), length),
            warning_if(trip.is_some_and(|trip| trip >= ROUND_TRIP_HIGH)),
        ),
        (
            format!("{:.2}", node.feedback),
            warning_if(node.feedback >= FEEDBACK_HIGH),
        ),
        plain(format!("{} ago", seconds(age))),
        (
            node.failed.to_string(),
            Tone::of_trouble(node.failed, Tone::Warning),
        ),
    ]
}

/// Lists roles; none means any.
pub(crate) fn role_list(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "any".to_owned();
    }
    let names: Vec<&str> = roles.iter().map(Role::as_str).collect();
    names.join(",")
}

/// Lists the roles that a node acts in; `none` if it has no role.
pub(crate) fn roles_of_node(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "none".to_owned();
    }
    role_list(roles)
}

pub(crate) fn share_of_cpu(used: Cores, of: Cores) -> String {
    format!("{}/{}", cores(used), cores(of))
}

pub(crate) fn health(health: NodeHealth) -> &'static str {
    match health {
        NodeHealth::Ready => "ready",
        NodeHealth::Draining => "draining",
        NodeHealth::Gone => "gone",
    }
}

fn warning_if(is_so: bool) -> Tone {
    if is_so { Tone::Warning } else { Tone::Plain }
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::{Category, NodeId, Role};
    use rolecast_common::label::Requirement;

    use super::*;
    use crate::view::status::tests::status;

    fn nodes() -> Vec<NodeStatus> {
        let usual = status().nodes.remove(0);
        let named = |(number, name): (usize, &str)| {
            let mut node = NodeStatus {
                node: NodeId::new(name).unwrap(),
                jobs: [3, 9, 3][number],
                feedback: [1.0, 2.5, 1.0][number],
                categories: vec![Category::new("ocr").unwrap()],
                ..usual.clone()
            };
            node.labels
                .insert("zone", ["eu", "us", "eu"][number])
                .unwrap();
            node
        };
        let mut nodes: Vec<NodeStatus> = ["oak", "ash", "elm"]
            .into_iter()
            .enumerate()
            .map(named)
            .collect();
        nodes[2].health = NodeHealth::Gone;
        nodes[2].categories.clear();
        nodes
    }

    fn wanted() -> NodeList {
        NodeList {
            role: None,
            label: None,
            health: None,
            category: None,
            sort: Sort::Name,
            limit: None,
        }
    }

    fn names(wanted: &NodeList) -> String {
        let nodes = nodes();
        let selected = select(&nodes, wanted);
        let names: Vec<&str> = selected.iter().map(|node| node.node.as_str()).collect();
        names.join(" ")
    }

    #[test]
    fn nodes_are_filtered_by_each_property_and_sorted_by_one_figure() {
        assert_eq!(names(&wanted()), "ash elm oak");
        let by = |sort| names(&NodeList { sort, ..wanted() });
        assert_eq!(by(Sort::Jobs), "ash elm oak");
        assert_eq!(by(Sort::Feedback), "ash elm oak");
        let filters = [
            (
                NodeList {
                    label: Requirement::parse("zone=eu"),
                    ..wanted()
                },
                "elm oak",
            ),
            (
                NodeList {
                    health: Some(Health::Gone),
                    ..wanted()
                },
                "elm",
            ),
            (
                NodeList {
                    category: Category::new("ocr").ok(),
                    ..wanted()
                },
                "ash oak",
            ),
            (
                NodeList {
                    role: Role::new("leader").ok(),
                    ..wanted()
                },
                "ash elm oak",
            ),
            (
                NodeList {
                    role: Role::new("none").ok(),
                    ..wanted()
                },
                "",
            ),
        ];
        for (filter, expected) in filters {
            assert_eq!(names(&filter), expected, "{filter:?}");
        }
    }

    #[test]
    fn a_limited_list_counts_the_rest() {
        let nodes = nodes();
        let all: Vec<&NodeStatus> = nodes.iter().collect();
        let text = list(&all, Some(2), Palette::PLAIN);
        assert!(text.contains("\n2 of 3; more with --limit"), "{text}");
        assert!(text.contains("2.50") && text.contains("0.25 ms"), "{text}");
        assert_eq!(list(&[], None, Palette::PLAIN), "no such nodes\n");
    }
}
