//! Metrics of nodes.

use std::sync::Arc;

use rolecast_http::metrics::{Kind, Row};

use super::figures::Figures;

/// Series of a metric by node.
const BY_NODE: &str = "nodes; none if there are more than 250";

pub(super) static ROWS: [Row<Arc<Figures>>; 7] = [
    Row {
        name: "rolecast_nodes",
        kind: Kind::Gauge,
        help: "Nodes, by health: ready, draining or gone",
        labels: &["health"],
        bound: "3",
        read: |figures, samples| {
            samples.count(&["ready"], figures.nodes.ready)?;
            samples.count(&["draining"], figures.nodes.draining)?;
            samples.count(&["gone"], figures.nodes.gone)
        },
    },
    Row {
        name: "rolecast_node_jobs",
        kind: Kind::Gauge,
        help: "Jobs that were sent to the node and have not ended",
        labels: &["node"],
        bound: BY_NODE,
        read: |figures, samples| {
            let mut nodes = figures.nodes.each.iter();
            nodes.try_for_each(|node| samples.count(&[node.node.as_str()], node.jobs))
        },
    },
    Row {
        name: "rolecast_node_jobs_max",
        kind: Kind::Gauge,
        help: "The most jobs that the node runs at once",
        labels: &["node"],
        bound: BY_NODE,
        read: |figures, samples| {
            let mut nodes = figures.nodes.each.iter();
            nodes.try_for_each(|node| samples.count(&[node.node.as_str()], node.jobs_max))
        },
    },
    Row {
        name: "rolecast_node_reserved_cpu_cores",
        kind: Kind::Gauge,
        help: "CPU reserved on the node for jobs that were sent there",
        labels: &["node"],
        bound: BY_NODE,
        read: |figures, samples| {
            let mut nodes = figures.nodes.each.iter();
            nodes.try_for_each(|node| samples.value(&[node.node.as_str()], node.reserved.cpu.get()))
        },
    },
    Row {
        name: "rolecast_node_reserved_memory_bytes",
        kind: Kind::Gauge,
        help: "Memory reserved on the node for jobs that were sent there",
        labels: &["node"],
        bound: BY_NODE,
        read: |figures, samples| {
            let mut nodes = figures.nodes.each.iter();
            nodes.try_for_each(|node| {
                samples.count(&[node.node.as_str()], node.reserved.memory.get())
            })
        },
    },
    Row {
        name: "rolecast_heartbeats_total",
        kind: Kind::Counter,
        help: "Heartbeats that were received, refused ones included",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.heartbeats),
    },
    Row {
        name: "rolecast_nodes_distrusted_total",
        kind: Kind::Counter,
        help: "Findings that a node fails jobs that other nodes complete",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.nodes_distrusted),
    },
];
