//! Keys and shards by node: where jobs with a key went lately.

use std::collections::BTreeMap;

use maud::{Markup, html};
use rolecast_common::id::NodeId;
use rolecast_common::wire::{Status, Verdict};
use rolecast_common::words::counted;

use super::node_link;
use crate::picture::Picture;
use crate::svg::bar::bar;
use crate::table::{number, table, text};
use crate::words::count;

/// Keys that are named for a node.
const KEYS_MAX: usize = 6;

/// The jobs with a key that went to a node.
#[derive(Debug, Default)]
struct Share {
    jobs: usize,
    /// Jobs of each key, by its hash.
    keys: BTreeMap<u64, usize>,
}

pub(super) fn view(picture: &Picture, status: &Status) -> Markup {
    let mut shares: BTreeMap<&NodeId, Share> = BTreeMap::new();
    let mut nodes_of: BTreeMap<u64, Vec<&NodeId>> = BTreeMap::new();
    for choice in &picture.course.decisions {
        let decision = &choice.decision;
        let (Verdict::Sent, Some(key), Some(node)) =
            (decision.verdict, decision.key, &decision.node)
        else {
            continue;
        };
        let share = shares.entry(node).or_default();
        share.jobs += 1;
        *share.keys.entry(key).or_default() += 1;
        let nodes = nodes_of.entry(key).or_default();
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    let all: usize = shares.values().map(|share| share.jobs).sum();
    let split = nodes_of.values().filter(|nodes| nodes.len() > 1).count();
    html! {
        p { "Jobs with the same key (the header Rolecast-Key) prefer the same node, whose caches know the key; another node gets them if that one is too busy or gone. No shard is stored: the preference follows from the key and the nodes alone, so it is known for the keys of recent decisions only." }
        @if all == 0 {
            p.faint { "None of the latest " (counted(count(picture.course.decisions.len()), "recorded decision")) " followed a key. " code { "rolecast submit CATEGORY --key KEY" } " submits a job with one; there are " (counted(count(status.nodes.len()), "node")) "." }
        } @else {
            p { (counted(count(nodes_of.len()), "key")) " in " (counted(count(all), "recorded job")) "; "
                @if split == 0 { "each key on one node" } @else { (counted(count(split), "key")) " on more than one node" } "."
            }
            (shares_table(&shares, all))
        }
    }
}

fn shares_table(shares: &BTreeMap<&NodeId, Share>, all: usize) -> Markup {
    let columns = [
        text("node"),
        text("share"),
        number("jobs"),
        number("keys"),
        text("keys with the most jobs, by their hash"),
    ];
    let mut rows: Vec<(&NodeId, &Share)> =
        shares.iter().map(|(node, share)| (*node, share)).collect();
    rows.sort_by_key(|(_, share)| std::cmp::Reverse(share.jobs));
    let rows = rows.into_iter().map(|(node, share)| {
        let mut keys: Vec<(&u64, &usize)> = share.keys.iter().collect();
        keys.sort_by_key(|(_, jobs)| std::cmp::Reverse(**jobs));
        let named: Vec<String> = keys
            .iter()
            .take(KEYS_MAX)
            .map(|(key, jobs)| format!("{key:016x} ({jobs})"))
            .collect();
        let title = format!("{} of {all} jobs with a key", share.jobs);
        vec![
            node_link(node),
            bar(&title, whole(all), &[("jobs", whole(share.jobs))]),
            html! { (share.jobs) },
            html! { (share.keys.len()) },
            html! { code { (named.join(" ")) } },
        ]
    });
    table(
        "Recent jobs with a key, by node",
        &columns,
        None,
        rows.collect(),
    )
}

#[allow(clippy::cast_precision_loss, reason = "jobs are counted in hundreds")]
fn whole(count: usize) -> f64 {
    count as f64
}
