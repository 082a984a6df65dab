//! Details of one node, category, role or job.

use std::time::Duration;

use rolecast_common::id::{Category, JobId, NodeId, Role};
use rolecast_common::time::format_duration;
use rolecast_common::wire::{
    CapacityAt, Decision, DecisionNode, DistrustKind, ForecastView, NodeStatus, Status,
};
use rolecast_common::words::{ahead, amounts};

use super::picture::{JobAnswer, Picture};
use super::rows::{categories, nodes};
use crate::chart::{self, Area};
use crate::quantity::{cores, length};
use crate::style::{Palette, Tone, one_line};
use crate::table::{Align, Text, plain, table};
use crate::view;
use crate::view::forecast::amount;

/// The subject of the details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Node(NodeId),
    Category(Category),
    Role(Role),
    Job(JobId),
}

/// A part of a page.
#[derive(Debug)]
pub(super) enum Part {
    /// A name with a text, which is wrapped.
    Fact(&'static str, String, Tone),
    /// A text, which is wrapped.
    Text(String, Tone),
    /// A line, which is cut.
    Line(Vec<Text>),
}

/// Rows of a chart among others.
const CHART_ROWS: usize = 5;
/// The horizon whose figures stand above a chart, in seconds.
const AHEAD_S: u32 = 300;
/// Finished changes of a role that are shown.
const CHANGES_SHOWN: usize = 8;
/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 300;

/// Returns the name of the subject.
pub(super) fn title(subject: &Subject) -> String {
    match subject {
        Subject::Node(node) => format!("node {node}"),
        Subject::Category(category) => format!("category {category}"),
        Subject::Role(role) => format!("role {role}"),
        Subject::Job(job) => format!("job {job}"),
    }
}

/// Returns the page about a subject, for this many columns.
pub(super) fn page(picture: &Picture, subject: &Subject, columns: usize) -> Vec<Part> {
    let Some(status) = &picture.status else {
        return vec![text("nothing received yet")];
    };
    match subject {
        Subject::Node(node) => of_node(picture, status, node, columns),
        Subject::Category(category) => of_category(picture, status, category, columns),
        Subject::Role(role) => of_role(picture, status, role),
        Subject::Job(job) => match &picture.jobs.shown {
            Some(shown) if shown.job == *job => of_job(shown),
            Some(_) | None => vec![text("reading ...")],
        },
    }
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned(), Tone::Faint)
}

fn fact(name: &'static str, value: impl Into<String>) -> Part {
    Part::Fact(name, value.into(), Tone::Plain)
}

fn gap() -> Part {
    Part::Line(Vec::new())
}

fn lines(text: &str) -> impl Iterator<Item = Part> {
    text.lines().map(|line| Part::Line(vec![plain(line)]))
}

fn of_node(picture: &Picture, status: &Status, node: &NodeId, columns: usize) -> Vec<Part> {
    let Some(found) = status.nodes.iter().find(|found| found.node == *node) else {
        return vec![Part::Text(
            format!("node {node} is not known any more"),
            Tone::Warning,
        )];
    };
    let (state, _, tone) = nodes::state(found);
    let age = length(Duration::from_millis(found.heartbeat_age_ms));
    let mut parts = vec![
        Part::Fact("state", format!("{state}, last heartbeat {age} ago"), tone),
        fact("roles", nodes::roles(found)),
        fact("in use", in_use(found)),
        fact(
            "jobs",
            format!(
                "{} in hand of {}; {} sent, {} completed, {} failed; reserved {}",
                found.jobs,
                found.jobs_max,
                found.sent,
                found.completed,
                found.failed,
                amounts(&found.reserved),
            ),
        ),
        fact("speed", speed(found)),
    ];
    if found.diverted > 0 {
        let text = format!("forecasts kept {} jobs away from it", found.diverted);
        parts.push(fact("diverted", text));
    }
    for doubt in &found.distrusted {
        let fault = match doubt.kind {
            DistrustKind::Unable => "cannot start jobs",
            DistrustKind::Failing => "fails jobs that others complete",
        };
        let reason = one_line(&doubt.reason, REASON_CHARS_MAX);
        let text = format!(
            "{fault} of {}, since {}: {reason}",
            doubt.category, doubt.since_ms
        );
        parts.push(Part::Fact("trouble", text, Tone::Bad));
    }
    if let Some(free) = picture.free.get(node) {
        let text = format!("{} cores for sure, by the forecast", cores(*free));
        parts.push(fact("free 1m", text));
    }
    let forecast = picture.forecast.as_ref();
    match forecast.filter(|forecast| forecast.node == *node) {
        None => parts.push(text("reading its forecast ...")),
        Some(forecast) => {
            let rows = CHART_ROWS;
            for resource in ["cpu", "memory"] {
                parts.extend(fan(forecast, resource, Area { columns, rows }));
            }
            parts.push(text(chart::LEGEND));
        }
    }
    parts
}

/// Draws the last hour and the forecast of the use by others, below a line with the
/// present figures.
pub(super) fn fan(forecast: &ForecastView, resource: &'static str, area: Area) -> Vec<Part> {
    let Some(found) = forecast.resources.get(resource) else {
        return Vec::new();
    };
    let last = found.history.last();
    let last = last.map(|last| format!("used by others {}", amount(resource, *last)));
    let mut horizons = found.horizons.iter();
    let ahead = horizons.find(|at| at.seconds >= AHEAD_S).map(|at| {
        format!(
            "in {} {} expected, at most {} (90 %)",
            ahead(at.seconds),
            amount(resource, at.p50),
            amount(resource, at.p90),
        )
    });
    let figures: Vec<String> = last.into_iter().chain(ahead).collect();
    let heading = vec![
        (format!("{resource} "), Tone::Strong),
        plain(figures.join(", ")),
    ];
    let mut parts = vec![Part::Line(heading)];
    let label = |value| amount(resource, value);
    parts.extend(chart::lines(found, area, label).into_iter().map(Part::Line));
    parts
}

fn in_use(node: &NodeStatus) -> String {
    let (used, jobs) = (&node.usage.total, &node.usage.jobs);
    format!(
        "{} of {} cores, {} of {}; by jobs {}",
        cores(used.cpu),
        cores(node.capacity.cpu),
        used.memory,
        node.capacity.memory,
        amounts(jobs),
    )
}

fn speed(node: &NodeStatus) -> String {
    let mut text = format!(
        "{:.2} declared, {:.2} learned; jobs take {:.2} of the predicted time",
        node.speed.get(),
        node.learned_speed,
        node.feedback,
    );
    if let Some(trip) = node.round_trip_us {
        text.push_str(&format!(
            "; round trip {}",
            length(Duration::from_micros(trip))
        ));
    }
    if let Some(skew) = node.clock_skew_ms {
        let size = format_duration(Duration::from_millis(skew.unsigned_abs()));
        let sign = if skew < 0 { "-" } else { "+" };
        text.push_str(&format!("; clock {sign}{size}"));
    }
    text
}

fn of_category(
    picture: &Picture,
    status: &Status,
    category: &Category,
    columns: usize,
) -> Vec<Part> {
    let mut categories_known = status.categories.iter();
    let Some(found) = categories_known.find(|found| found.category == *category) else {
        let text = format!("category {category} is not known any more");
        return vec![Part::Text(text, Tone::Warning)];
    };
    let prefix = format!("{category}: ");
    let attention = picture
        .attention
        .iter()
        .filter(|line| line.starts_with(&prefix));
    let mut parts: Vec<Part> = attention
        .map(|line| Part::Text(format!("! {line}"), Tone::Warning))
        .collect();
    parts.extend(lines(&view::category::page(found, Palette::PLAIN)));
    if !found.obstacles.is_empty() {
        let obstacles = found
            .obstacles
            .iter()
            .map(|(why, count)| format!("{count} {why}"));
        let obstacles: Vec<String> = obstacles.collect();
        parts.push(fact("not on", obstacles.join(", ")));
    }
    if let Some(trail) = picture.flow.categories.get(category) {
        let rate = categories::rate(trail.last());
        let bars = trail.bars(columns.saturating_sub(24), None);
        parts.push(fact("ended/s", format!("{rate} {}", bars.trim_start())));
    }
    parts
}

fn of_role(picture: &Picture, status: &Status, role: &Role) -> Vec<Part> {
    let holders = status.nodes.iter().filter(|node| node.roles.contains(role));
    let holders: Vec<&str> = holders.map(|node| node.node.as_str()).collect();
    let mut parts = vec![fact(
        "acting",
        match holders.as_slice() {
            [] => "nobody".to_owned(),
            names => one_line(&names.join(", "), REASON_CHARS_MAX),
        },
    )];
    if let Some((view, managed)) = picture
        .roles
        .as_deref()
        .and_then(|view| Some((view, view.roles.get(role)?)))
    {
        let (held, tone) = view::role::holders(view, role, managed);
        let wanted = managed.holders_wanted;
        let text = format!("{held}; {wanted} wanted, in group {}", managed.group);
        parts.push(Part::Fact("holders", text, tone));
        if let Some(change) = view::role::change(view, role) {
            parts.push(Part::Fact("change", change, Tone::Warning));
        }
        let past = view
            .document
            .history
            .iter()
            .filter(|change| change.role == *role);
        for change in past.rev().take(CHANGES_SHOWN) {
            let (text, tone) = view::role::history::line(change);
            parts.push(Part::Fact("moved", text, tone));
        }
    }
    if let Some(capacity) = picture
        .capacity
        .as_ref()
        .and_then(|map| map.roles.get(role))
    {
        parts.push(gap());
        let rows = capacity.horizons.iter().map(horizon).collect();
        parts.extend(lines(&table(Palette::PLAIN, &HORIZON_COLUMNS, rows)));
        parts.push(text(
            "free at all times until then, with the certainty of the forecast",
        ));
    }
    parts
}

/// The columns that fit 80 characters; `rolecast capacity` shows all.
const HORIZON_COLUMNS: [(&str, Align); 6] = [
    ("within", Align::Right),
    ("cpu free", Align::Right),
    ("likely", Align::Right),
    ("memory", Align::Right),
    ("demand", Align::Left),
    ("short", Align::Left),
];

fn horizon(at: &CapacityAt) -> Vec<Text> {
    vec![
        plain(ahead(at.seconds)),
        plain(cores(at.available.safe.cpu)),
        plain(cores(at.available.likely.cpu)),
        plain(at.available.safe.memory),
        plain(amounts(&at.demand)),
        plain(amounts(&at.shortage)),
    ]
}

fn of_job(shown: &JobAnswer) -> Vec<Part> {
    let mut parts = Vec::new();
    match &shown.view {
        Err(why) => parts.push(Part::Text(why.clone(), Tone::Warning)),
        Ok(found) => {
            let text = match &found.record {
                Some(record) => view::job::record(record, Palette::PLAIN),
                None => view::job::view(found, Palette::PLAIN),
            };
            let state = Tone::of_state(found.state);
            let first = |index| if index == 0 { state } else { Tone::Plain };
            let all = text.lines().enumerate();
            parts.extend(all.map(|(index, line)| Part::Text(line.to_owned(), first(index))));
        }
    }
    parts.push(gap());
    match &shown.decision {
        Err(why) => parts.push(Part::Text(why.clone(), Tone::Faint)),
        Ok(decision) => parts.extend(explained(decision)),
    }
    parts
}

fn explained(decision: &Decision) -> Vec<Part> {
    let verdict = view::explain::verdict(decision, Palette::PLAIN);
    let mut parts = vec![Part::Text(verdict, Tone::Strong), gap()];
    if !decision.best.is_empty() {
        let rows = decision.best.iter();
        let rows = rows.map(|node| choice(node, decision.node.as_ref() == Some(&node.node)));
        parts.extend(lines(&table(
            Palette::PLAIN,
            &CHOICE_COLUMNS,
            rows.collect(),
        )));
        parts.push(gap());
    }
    let facts = view::explain::facts(decision, Palette::PLAIN).into_iter();
    parts.extend(facts.map(|(name, text)| fact(name, text)));
    parts
}

/// The columns that fit 80 characters; `rolecast explain` shows all.
const CHOICE_COLUMNS: [(&str, Align); 8] = [
    ("node", Align::Left),
    ("cost", Align::Right),
    ("slow", Align::Right),
    ("role", Align::Right),
    ("cpu now", Align::Right),
    ("reserved", Align::Right),
    ("feedback", Align::Right),
    ("beat", Align::Right),
];

fn choice(node: &DecisionNode, is_chosen: bool) -> Vec<Text> {
    let mark = if is_chosen { " *" } else { "" };
    vec![
        plain(format!("{}{mark}", node.node)),
        plain(format!("{:.2}", node.cost)),
        plain(format!("{:.2}", node.slow_down)),
        plain(u32::from(node.role_rank) + 1),
        plain(format!("{:.2}/{:.2}", node.present[0], node.capacity[0])),
        plain(format!("{:.2}", node.reserved[0])),
        plain(format!("{:.2}", node.feedback)),
        plain(length(Duration::from_millis(node.heartbeat_age_ms))),
    ]
}
