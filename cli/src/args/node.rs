//! Arguments of `rolecast node`, which takes nodes out of service and back.

use clap::Subcommand;
use rolecast_common::id::NodeId;

pub(super) const EXAMPLES: &str = "\
Examples:
  rolecast node drain n2 && rolecast status --watch   # until its jobs are done
  rolecast node undrain n2

A drained node gets no jobs and holds no managed role; other nodes get its roles. It stays
drained until undrain, even if the node or the dispatcher restarts. Running jobs continue,
and so does the worker: to stop it, send it SIGTERM.";

/// Commands for a node.
#[derive(Debug, Subcommand)]
pub(crate) enum Node {
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

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn one_node_at_a_time_is_drained() {
        assert!(parse("rolecast node drain").is_err());
        assert!(parse("rolecast node drain n1 n2").is_err());
        assert!(parse("rolecast node drain n1 --json").is_ok());
        assert!(parse("rolecast node undrain n1").is_ok());
    }
}
