//! Settings that nobody uses, and a configuration that the dispatcher has not read.

use std::collections::BTreeSet;

use rolecast_common::id::Category;
use rolecast_common::wire::{CategoryStatus, Status};
use rolecast_dispatcher::config::Config;

use super::work::NOT_RUNNING;
use crate::doctor::area::Area;
use crate::doctor::catalogue::work::{CATEGORY_UNUSED, CONFIG_NOT_LOADED, NODES_ENTRY_UNUSED};
use crate::doctor::facts::{Facts, Part};
use crate::doctor::finding::{Finding, Report};

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let Some(status) = facts.status() else {
        return report.not_checked(Area::Settings, facts.why_no_status());
    };
    let unused = status
        .categories
        .iter()
        .filter(|category| is_unused(status, category));
    report.find_all(unused.map(|category| {
        let name = &category.category;
        let what = format!("category {name} is declared, and no node runs it and no job was sent");
        Finding::new(&CATEGORY_UNUSED, what)
    }));
    let Some(config) = &facts.config else {
        return report.checked(
            Area::Settings,
            "as far as the fleet shows them; --config FILE \
            compares a rolecast.toml",
        );
    };
    report.checked(Area::Settings, "the file and the fleet");
    report.find_all(
        differences(facts, config, status)
            .into_iter()
            .map(|what| Finding::new(&CONFIG_NOT_LOADED, what)),
    );
    let nodes: Vec<_> = status.nodes.iter().map(|node| &node.node).collect();
    report.find_all(
        config
            .allowances
            .unmatched(&nodes)
            .into_iter()
            .map(|pattern| {
                let what = format!(
                    "[nodes.\"{pattern}\"] matches none of {} nodes",
                    nodes.len()
                );
                Finding::new(&NODES_ENTRY_UNUSED, what)
            }),
    );
}

/// Whether no node lists the category and nothing was ever seen of it.
fn is_unused(status: &Status, category: &CategoryStatus) -> bool {
    let ended = category.completed
        + category.retried
        + category.dead
        + category.expired
        + category.cancelled;
    let is_seen = ended + category.backlog + category.profile.learned.jobs > 0;
    let is_offered = category.obstacles.keys().any(|what| what != NOT_RUNNING);
    let is_run = category.nodes_eligible > 0 || is_offered || category.is_cut;
    category.declared && !is_seen && !is_run && !status.nodes.is_empty()
}

/// Returns the differences between the file and the running dispatcher.
fn differences(facts: &Facts, config: &Config, status: &Status) -> Vec<String> {
    let mut found = Vec::new();
    let declared: BTreeSet<&Category> = config
        .policies
        .iter()
        .map(|policy| &policy.category)
        .collect();
    let running = status
        .categories
        .iter()
        .filter(|category| category.declared);
    let running: BTreeSet<&Category> = running.map(|category| &category.category).collect();
    for name in declared.difference(&running) {
        found.push(format!(
            "category {name} is in the file, and the dispatcher does not know it"
        ));
    }
    for name in running.difference(&declared) {
        found.push(format!(
            "the dispatcher knows category {name}, and the file has no such section"
        ));
    }
    if let Part::Known(view) = &facts.roles {
        for name in config
            .roles
            .managed
            .keys()
            .filter(|name| !view.roles.contains_key(*name))
        {
            found.push(format!(
                "role {name} is in the file, and the dispatcher does not manage it"
            ));
        }
    }
    let mode = config.forecast.mode;
    if mode != status.forecast_mode {
        let running = status.forecast_mode;
        found.push(format!(
            "[forecast] mode is {mode} in the file, and {running} in the dispatcher"
        ));
    }
    found
}
