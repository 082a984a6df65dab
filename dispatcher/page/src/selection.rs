//! Selection of nodes: those that an address asks for, in its order, on its page.

use std::cmp::Ordering;

use rolecast_common::alarm::urgency;
use rolecast_common::wire::{NodeStatus, Status};

use crate::ask::{Health, Query, Sort};

/// Nodes on a page: each has a fan, and a page stays below 100 kB.
const PAGE_LEN: usize = 50;

/// Nodes that were selected, those on one page.
#[derive(Debug)]
pub(crate) struct PageOf<'a> {
    pub(crate) nodes: Vec<&'a NodeStatus>,
    /// The number on all pages.
    pub(crate) found: usize,
    /// Counted from 0.
    pub(crate) page: usize,
    pub(crate) pages: usize,
}

/// Returns the nodes of the page that is asked for, or of the last one.
pub(crate) fn page_of<'a>(status: &'a Status, query: &Query) -> PageOf<'a> {
    let mut nodes: Vec<&NodeStatus> = status
        .nodes
        .iter()
        .filter(|node| is_match(node, query))
        .collect();
    nodes.sort_by(|a, b| compare(a, b, query.sort).then_with(|| a.node.cmp(&b.node)));
    if query.is_reversed {
        nodes.reverse();
    }
    let found = nodes.len();
    let pages = found.div_ceil(PAGE_LEN).max(1);
    let page = (query.page as usize).min(pages - 1);
    let nodes = nodes.into_iter().skip(page * PAGE_LEN).take(PAGE_LEN);
    PageOf {
        nodes: nodes.collect(),
        found,
        page,
        pages,
    }
}

fn is_match(node: &NodeStatus, query: &Query) -> bool {
    let has_role = query
        .role
        .as_ref()
        .is_none_or(|role| node.roles.contains(role));
    let has_health = query
        .health
        .is_none_or(|health| Health::of(node.health) == health);
    let text = query.text.as_str();
    let is_label =
        |(name, value): (&str, &str)| format!("{name}={value}").to_lowercase().contains(text);
    let has_text =
        text.is_empty() || node.node.as_str().contains(text) || node.labels.iter().any(is_label);
    has_role && has_health && has_text
}

/// Orders nodes, those that need attention first.
fn compare(a: &NodeStatus, b: &NodeStatus, sort: Sort) -> Ordering {
    let largest = |of: fn(&NodeStatus) -> f64| of(b).total_cmp(&of(a));
    match sort {
        Sort::Trouble => urgency(a).cmp(&urgency(b)),
        Sort::Name => Ordering::Equal,
        Sort::Cpu => largest(|node| share(node.usage.total.cpu.get(), node.capacity.cpu.get())),
        Sort::Memory => largest(|node| {
            share(
                bytes(node.usage.total.memory.get()),
                bytes(node.capacity.memory.get()),
            )
        }),
        Sort::Jobs => b.jobs.cmp(&a.jobs),
        Sort::Reserved => largest(|node| node.reserved.cpu.get()),
        Sort::Feedback => largest(|node| node.feedback),
        Sort::Trip => b.round_trip_us.cmp(&a.round_trip_us),
        Sort::Heartbeat => b.heartbeat_age_ms.cmp(&a.heartbeat_age_ms),
        Sort::Failed => b.failed.cmp(&a.failed),
    }
}

fn share(used: f64, whole: f64) -> f64 {
    if whole > 0.0 { used / whole } else { 0.0 }
}

#[allow(clippy::cast_precision_loss, reason = "a share needs few digits")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}
