//! Categories: jobs that no node runs, can take or takes in time.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::Category;
use rolecast_common::label::Requirement;
use rolecast_common::subjects::{STREAM_JOBS, Source};
use rolecast_common::time::WallTime;
use rolecast_common::unit::Bytes;
use rolecast_common::wire::{CategoryStatus, NodeHealth, Status};

use crate::doctor::area::Area;
use crate::doctor::catalogue::work::{
    BACKLOG_UNREAD, CATEGORY_LATE, CATEGORY_NOT_RUN, CATEGORY_NOT_SERVED, JOBS_UNPLACEABLE,
    LABEL_MISSING, MEMORY_TOO_LARGE,
};
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Report};
use crate::quantity::{counted, seconds};
use crate::style::one_line;

/// The dispatcher's word for nodes that do not run a category.
pub(super) const NOT_RUNNING: &str = "not running it";
/// Time within which a dispatcher finds a new category, and a little.
const DISCOVERY_MAX: Duration = Duration::from_secs(10);
const TEXT_CHARS_MAX: usize = 300;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let Some(status) = facts.status() else {
        return;
    };
    let backlog = status
        .categories
        .iter()
        .map(|category| category.backlog)
        .sum();
    let count = u64::try_from(status.categories.len()).unwrap_or(u64::MAX);
    let what = format!(
        "{}, {} not ended",
        counted(count, "category"),
        counted(backlog, "job")
    );
    report.checked(Area::Categories, what);
    if let Some(why) = &status.unread {
        let why = one_line(why, TEXT_CHARS_MAX);
        report.find(Finding::new(&BACKLOG_UNREAD, why));
    }
    let categories = || status.categories.iter();
    report.find_all(categories().filter_map(|category| stuck(status, category)));
    report.find_all(categories().flat_map(|category| labels(status, category)));
    report.find_all(categories().filter_map(|category| memory(status, category)));
    report.find_all(categories().filter_map(|category| late(status, category)));
    report.find_all(not_served(facts, status));
}

/// Returns the time since when the first job of a category waits.
fn since(status: &Status, category: &CategoryStatus) -> Option<WallTime> {
    let age = category.oldest_ms?;
    let at = status.at_ms.as_millis().saturating_sub(age);
    Some(WallTime::from_millis(at))
}

fn is_stuck(category: &CategoryStatus) -> bool {
    category.backlog > 0 && category.nodes_eligible == 0
}

fn stuck(status: &Status, category: &CategoryStatus) -> Option<Finding> {
    if !is_stuck(category) {
        return None;
    }
    let name = &category.category;
    let jobs = counted(category.backlog, "job");
    let obstacles = &category.obstacles;
    let is_offered = obstacles.keys().any(|what| what != NOT_RUNNING);
    let finding = match is_offered {
        false => {
            let what = format!(
                "{name}: {jobs} and no node runs {name}; add [categories.{name}] to a worker.toml"
            );
            Finding::new(&CATEGORY_NOT_RUN, what).by(format!("rolecast category show {name}"))
        }
        true => {
            let nodes = obstacles
                .iter()
                .map(|(what, count)| format!("{count} {what}"));
            let nodes: Vec<String> = nodes.collect();
            let what = format!("{name}: {jobs}, and of the nodes {}", nodes.join(", "));
            let command = format!("rolecast explain --dry-run {name}");
            Finding::new(&JOBS_UNPLACEABLE, what).by(command)
        }
    };
    let since = since(status, category);
    Some(Finding { since, ..finding })
}

/// Returns the findings about required labels that no present node has.
fn labels(status: &Status, category: &CategoryStatus) -> Vec<Finding> {
    let name = &category.category;
    let required = category.required.iter().filter(|(text, _)| {
        let Some(requirement) = Requirement::parse(text) else {
            return false;
        };
        let mut present = status
            .nodes
            .iter()
            .filter(|node| node.health != NodeHealth::Gone);
        !present.any(|node| node.is_cut || requirement.matches(&node.labels))
    });
    let finding = |(text, jobs): (&String, &u32)| {
        let text = one_line(text, TEXT_CHARS_MAX);
        let jobs = counted(u64::from(*jobs), "job");
        let what = format!("{name}: {jobs} require {text}, which no node has");
        let command = format!("rolecast explain --dry-run {name} --require '{text}'");
        let since = since(status, category);
        Finding {
            since,
            ..Finding::new(&LABEL_MISSING, what).by(command)
        }
    };
    required.map(finding).collect()
}

fn memory(status: &Status, category: &CategoryStatus) -> Option<Finding> {
    let peak = category
        .profile
        .peak
        .memory
        .max(category.profile.average.memory);
    let largest = status.nodes.iter().map(|node| node.capacity.memory).max()?;
    if largest == Bytes::ZERO || peak <= largest {
        return None;
    }
    let name = &category.category;
    let what = format!("{name} is declared to need {peak}, and the largest node has {largest}");
    Some(Finding::new(&MEMORY_TOO_LARGE, what).by(format!("rolecast category show {name}")))
}

fn late(status: &Status, category: &CategoryStatus) -> Option<Finding> {
    if !category.late || is_stuck(category) {
        return None;
    }
    let name = &category.category;
    let age = category.oldest_ms.map(Duration::from_millis);
    let age = age.map(|age| format!(", the first for {}", seconds(age)));
    let jobs = counted(category.backlog, "job");
    let what = format!("{name}: {jobs} not ended{}", age.unwrap_or_default());
    let since = since(status, category);
    Some(Finding {
        since,
        ..Finding::new(&CATEGORY_LATE, what).by(format!("rolecast explain --dry-run {name}"))
    })
}

/// Returns the categories with jobs in the queue that the dispatcher does not list.
fn not_served(facts: &Facts, status: &Status) -> Vec<Finding> {
    let Some(jobs) = facts.stream(STREAM_JOBS) else {
        return Vec::new();
    };
    if jobs.at.since(jobs.times.first_write) < DISCOVERY_MAX {
        return Vec::new();
    }
    let mut waiting: BTreeMap<Category, u64> = BTreeMap::new();
    for (subject, count) in &jobs.held {
        if let Ok(source) = Source::parse(subject) {
            *waiting.entry(source.category).or_default() += count;
        }
    }
    let is_served = |name: &Category| {
        let mut served = status.categories.iter();
        served.any(|category| category.category == *name)
    };
    let waiting = waiting.into_iter().filter(|(name, _)| !is_served(name));
    let finding = |(name, count)| {
        let what = format!(
            "{name}: {} in the queue, and it is not served",
            counted(count, "job")
        );
        Finding::new(&CATEGORY_NOT_SERVED, what)
    };
    waiting.map(finding).collect()
}
