//! Nodes and categories as the dispatcher sees them, and what needs attention.

use std::time::Duration;

use rolecast_common::id::Role;
use rolecast_common::time::format_duration;
use rolecast_common::unit::Resources;
use rolecast_common::wire::{CategoryStatus, NodeHealth, NodeStatus, RoleStatus, Status, Trouble};

use super::forecast::{ahead, amounts};
use crate::quantity::{cores, counted};
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
    ("dead", Align::Right),
    ("expired", Align::Right),
];

/// Nodes named from which jobs were diverted.
const DIVERTED_NODES: usize = 5;

/// Shows everything on a page.
pub(crate) fn page(status: &Status, palette: Palette) -> String {
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
        let rows = status.nodes.iter().map(node_row).collect();
        text.push_str(&table(palette, &NODE_COLUMNS, rows));
        text.push('\n');
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
    let attention = attention(status);
    if !attention.is_empty() {
        text.push('\n');
    }
    for line in attention {
        text.push_str(&palette.paint(Tone::Warning, &format!("! {line}")));
        text.push('\n');
    }
    text
}

/// Says how many jobs forecasts kept away, and from whom.
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
        plain(role_list(&node.roles)),
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
            category.dead.to_string(),
            Tone::of_trouble(category.dead, Tone::Bad),
        ),
        (
            category.expired.to_string(),
            Tone::of_trouble(category.expired, Tone::Warning),
        ),
    ]
}

/// Shows how many jobs are expected; few ones with a fraction.
pub(super) fn arrivals(per_minute: Option<f64>) -> String {
    match per_minute {
        None => "-".to_owned(),
        Some(rate) if rate < 9.95 => format!("{rate:.1}/min"),
        Some(rate) => format!("{rate:.0}/min"),
    }
}

pub(super) fn role_list(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "any".to_owned();
    }
    let names: Vec<&str> = roles.iter().map(Role::as_str).collect();
    names.join(",")
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

fn trouble(trouble: &Trouble) -> String {
    let Trouble {
        what,
        why,
        remedy,
        since_ms,
        count: _,
    } = trouble;
    format!("{what}: {why} (since {since_ms}); {remedy}")
}

/// Returns what an operator should look at, one line each.
pub(crate) fn attention(status: &Status) -> Vec<String> {
    let mut lines: Vec<String> = status.troubles.iter().map(trouble).collect();
    for category in &status.categories {
        if is_stuck(category) {
            lines.push(format!(
                "{}: {} and no ready node that may run them (roles: {})",
                category.category,
                counted(category.backlog, "job"),
                role_list(&category.roles),
            ));
        } else if category.late {
            lines.push(format!(
                "{}: jobs wait long; rolecast explain --dry-run {} tells for what",
                category.category, category.category,
            ));
        }
        if category.dead + category.expired > 0 {
            lines.push(format!(
                "{}: {} dead, {} expired; see rolecast dead ls --category {}",
                category.category, category.dead, category.expired, category.category,
            ));
        }
    }
    lines.extend(status.roles.iter().filter_map(shortage));
    for node in &status.nodes {
        if node.health == NodeHealth::Gone {
            let age = seconds(Duration::from_millis(node.heartbeat_age_ms));
            lines.push(format!("{}: gone, last heartbeat {age} ago", node.node));
        }
    }
    let refused = status.counters.heartbeats_refused;
    if refused > 0 {
        lines.push(format!(
            "{} refused; the dispatcher's log says why",
            counted(refused, "heartbeat"),
        ));
    }
    let malformed = status.counters.outcomes_malformed;
    if malformed > 0 {
        lines.push(format!(
            "{} not understood; the dispatcher's log says why",
            counted(malformed, "outcome"),
        ));
    }
    lines
}

/// Says what jobs expected on nodes of a role will lack.
fn shortage(role: &RoleStatus) -> Option<String> {
    if role.shortage == Resources::default() {
        return None;
    }
    let lack = amounts(&role.shortage);
    let within = role
        .at_horizon_s
        .map(|seconds| format!(" within {}", ahead(seconds)));
    let nodes = counted(u64::from(role.nodes), "node");
    Some(format!(
        "role {} ({nodes}): {lack} short{} for the jobs expected; see rolecast capacity",
        role.role,
        within.unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::{Category, Epoch, NodeId};
    use rolecast_common::label::Labels;
    use rolecast_common::time::WallTime;
    use rolecast_common::unit::{Bytes, Cores, Resources, Speed};
    use rolecast_common::wire::{Counters, ForecastMode, ProfileView, Usage, VERSION};

    use super::*;

    #[test]
    fn a_healthy_system_needs_no_attention() {
        let status = status();
        assert_eq!(attention(&status), Vec::<String>::new());
        let text = page(&status, Palette::PLAIN);
        let expected = "\
dispatcher main, epoch 3, forecasts advisory, 1970-01-01T00:00:09.000Z

NODE  ROLES          HEALTH        CPU           MEMORY  JOBS  RESERVED CPU  RESERVED MEMORY  HEARTBEAT  COMPLETED  FAILED
oak   leader,backup  ready   0.50/2.00  1.0 MiB/2.0 MiB   1/4          1.00              0 B  0.3 s ago         12       0

CATEGORY  ROLES   BACKLOG  WAITING  RUNNING  EXPECTED  NODES  OLDEST  COMPLETED  RETRIED  DEAD  EXPIRED
ocr       leader        3        2        1   2.5/min      1   1.5 s         12        0     0        0
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_needs_attention_is_said() {
        let mut status = status();
        status.nodes[0].health = NodeHealth::Gone;
        status.categories[0].nodes_eligible = 0;
        status.categories[0].dead = 2;
        status.roles[0].shortage.cpu = Cores::clamped(1.5);
        status.roles[0].at_horizon_s = Some(900);
        status.counters.heartbeats_refused = 1;
        let lines = attention(&status).join("\n");
        for part in [
            "ocr: 3 jobs and no ready node that may run them (roles: leader)",
            "ocr: 2 dead, 0 expired",
            "role leader (1 node): 1.50 cores short within 15m for the jobs expected",
            "oak: gone, last heartbeat 0.3 s ago",
            "1 heartbeat refused",
        ] {
            assert!(lines.contains(part), "{part:?} not in {lines}");
        }
        status.troubles.push(Trouble {
            what: "stream ROLECAST_RESULTS".to_owned(),
            why: "it is missing".to_owned(),
            remedy: "it is made anew".to_owned(),
            since_ms: WallTime::from_millis(8000),
            count: 2,
        });
        let lines = attention(&status);
        assert_eq!(
            lines[0],
            "stream ROLECAST_RESULTS: it is missing (since 1970-01-01T00:00:08.000Z); it is made anew"
        );
        status.categories[0].nodes_eligible = 1;
        status.categories[0].late = true;
        let lines = attention(&status).join("\n");
        assert!(lines.contains("ocr: jobs wait long"), "{lines}");
        assert!(page(&status, Palette::new(true)).contains("\x1b["));
        assert!(!page(&status, Palette::PLAIN).contains('\x1b'));
    }

    fn status() -> Status {
        let resources = |cpu: f64, mib: u64| Resources {
            cpu: Cores::clamped(cpu),
            memory: Bytes::from_mib(mib),
            ..Resources::default()
        };
        let role = |name: &str| Role::new(name).unwrap();
        Status {
            v: VERSION,
            dispatcher: "main".to_owned(),
            epoch: Epoch::new(3),
            at_ms: WallTime::from_millis(9000),
            forecast_mode: ForecastMode::Advisory,
            roles: vec![RoleStatus {
                role: role("leader"),
                nodes: 1,
                shortage: Resources::default(),
                at_horizon_s: None,
            }],
            nodes: vec![NodeStatus {
                node: NodeId::new("oak").unwrap(),
                roles: vec![role("leader"), role("backup")],
                health: NodeHealth::Ready,
                heartbeat_age_ms: 300,
                round_trip_us: Some(250),
                clock_skew_ms: None,
                labels: Labels::default(),
                speed: Speed::default(),
                learned_speed: 1.0,
                feedback: 1.0,
                capacity: resources(2.0, 2),
                usage: Usage {
                    total: resources(0.5, 1),
                    ..Usage::default()
                },
                reserved: resources(1.0, 0),
                jobs: 1,
                jobs_max: 4,
                sent: 0,
                advised: 0,
                diverted: 0,
                completed: 12,
                failed: 0,
            }],
            categories: vec![CategoryStatus {
                category: Category::new("ocr").unwrap(),
                declared: true,
                roles: vec![role("leader")],
                backlog: 3,
                waiting: 2,
                running: 1,
                nodes_eligible: 1,
                oldest_ms: Some(1500),
                late: false,
                completed: 12,
                retried: 0,
                dead: 0,
                expired: 0,
                profile: ProfileView::default(),
                expected_per_minute: Some(2.5),
            }],
            counters: Counters::default(),
            troubles: Vec::new(),
        }
    }
}
