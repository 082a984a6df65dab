//! Words and figures that several views show.

use std::time::Duration;

use rolecast_common::id::Role;
use rolecast_common::unit::{Bytes, Cores};
use rolecast_common::wire::{NodeHealth, Status};
pub(crate) use rolecast_common::words::{arrivals, seconds};
use rolecast_common::words::{cores, rate};

pub(crate) fn role_list(roles: &[Role], empty: &str) -> String {
    if roles.is_empty() {
        return empty.to_owned();
    }
    let names: Vec<&str> = roles.iter().map(Role::as_str).collect();
    names.join(", ")
}

pub(crate) fn age(millis: u64) -> String {
    seconds(Duration::from_millis(millis))
}

pub(crate) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Returns the number of nodes that run anything.
pub(crate) fn ready(status: &Status) -> usize {
    let nodes = status.nodes.iter();
    nodes
        .filter(|node| node.health == NodeHealth::Ready)
        .count()
}

/// Writes an amount of a resource in its unit.
pub(crate) fn amount(name: &str, value: f64) -> String {
    match name {
        "cpu" => cores(Cores::clamped(value)),
        "memory" => Bytes::clamped(value.round()).to_string(),
        _ => rate(value),
    }
}
