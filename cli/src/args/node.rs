//! Arguments of `rolecast node`, which lists nodes and takes them out of service and back.

use clap::{Args, Subcommand, ValueEnum};
use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::label::Requirement;

pub(super) const EXAMPLES: &str = "\
Examples:
  rolecast node ls --role follower --health ready --sort cpu
  rolecast node show n2
  rolecast node drain n2 && rolecast status --watch   # until its jobs are done
  rolecast node undrain n2

A drained node gets no jobs and holds no managed role; other nodes get its roles. It stays
drained until undrain, even if the node or the dispatcher restarts. Running jobs continue,
and so does the worker: to stop it, send it SIGTERM.";

/// Commands for nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// List nodes by role, label, health and category
    Ls(NodeList),
    /// Show everything about a node: its health, capacity, use, jobs in hand and refusals
    Show {
        /// The node's id
        node: NodeId,
    },
    /// Send the node no more jobs, and move its managed roles to others
    Drain {
        /// The node's id
        node: NodeId,
    },
    /// Allow jobs and managed roles on the node again
    Undrain {
        /// The node's id
        node: NodeId,
    },
}

/// A list of nodes.
#[derive(Args, Debug)]
pub(crate) struct NodeList {
    /// Only nodes that hold this role
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<Role>,
    /// Only nodes with these labels, such as "gpu=a100, zone=eu"; a name alone matches any value
    #[arg(long, value_name = "LABELS", value_parser = labels)]
    pub(crate) label: Option<Requirement>,
    /// Only nodes in this state
    #[arg(long, value_name = "STATE")]
    pub(crate) health: Option<Health>,
    /// Only nodes that run this category
    #[arg(long, value_name = "NAME")]
    pub(crate) category: Option<Category>,
    /// The order of the nodes; figures from the largest on
    #[arg(long, value_name = "BY", default_value = "name")]
    pub(crate) sort: Sort,
    /// The most nodes to list (default: all)
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
}

/// The health of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Health {
    Ready,
    Draining,
    Gone,
}

/// The order of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// By name
    Name,
    /// By the share of its CPU in use
    Cpu,
    /// By the share of its memory in use
    Memory,
    /// By the number of jobs in hand
    Jobs,
    /// By measured over predicted run time of jobs
    Feedback,
    /// By the time of a message to it and its answer
    RoundTrip,
    /// By the age of the last heartbeat
    Heartbeat,
    /// By the number of failed jobs
    Failed,
}

fn labels(text: &str) -> Result<Requirement, String> {
    let labels = Requirement::parse(text).filter(|labels| !labels.is_empty());
    labels.ok_or_else(|| "expected labels, such as gpu=a100, zone=eu".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn nodes_are_selected_by_what_they_are_and_sorted_by_one_figure() {
        assert!(parse("rolecast node ls --label gpu=a100 --sort round-trip --limit 5").is_ok());
        assert!(parse("rolecast node ls --role leader --health gone --category ocr").is_ok());
        assert!(parse("rolecast node ls --label GPU").is_err());
        assert!(parse("rolecast node ls --sort age").is_err());
        assert!(parse("rolecast node show").is_err());
    }

    #[test]
    fn one_node_at_a_time_is_drained() {
        assert!(parse("rolecast node drain").is_err());
        assert!(parse("rolecast node drain n1 n2").is_err());
        assert!(parse("rolecast node drain n1 --json").is_ok());
        assert!(parse("rolecast node undrain n1").is_ok());
    }
}
