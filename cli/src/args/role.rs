//! Arguments of `rolecast role`: managed roles, their holders, past changes and orders.

use clap::{Args, Subcommand};
use rolecast_common::id::{Group, NodeId, Role as Name};

pub(super) const EXAMPLES: &str = "\
Examples:
  rolecast role ls
  rolecast role history --role leader
  rolecast role swap leader n2
  rolecast role set backup n4

A role is managed if it has `holders` in the dispatcher's configuration. It moves in two
steps: first its holder gives it up and confirms this, or its lease expires; then the next
holder takes it on and confirms this. So two nodes never act at the same time in a role
with one holder.";

const SET_EXAMPLES: &str = "\
Examples:
  rolecast role set leader n2   # the present holder gives it up
  rolecast role set backup n4   # a free place, or that of its only holder

The node must offer the role in its worker.toml. If it held another role of the group, the
former holder takes that one over. The command waits for the end of the change, at most
--timeout (default: 30s).";

const SWAP_EXAMPLES: &str = "\
Examples:
  rolecast role swap leader n2             # n2 replaces the only holder
  rolecast role swap backup --from n3 n4   # n4 replaces n3, one of several holders

The command waits for the end of the change, at most --timeout (default: 30s).";

const HISTORY_EXAMPLES: &str = "\
Examples:
  rolecast role history
  rolecast role history --group search
  rolecast role history --role leader --json

The last 50 changes are kept. Below a change because of load are the figures of the
decision, such as the expected saving and cost of the change.";

/// Commands for managed roles.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// List the managed roles: holders, candidates, and changes in progress
    Ls {
        /// Show all figures that decide whether a holder is relieved
        #[arg(long, short)]
        verbose: bool,
    },
    /// List finished changes with their causes and results, the newest last
    #[command(after_help = HISTORY_EXAMPLES)]
    History(History),
    /// Give a role to a node
    #[command(after_help = SET_EXAMPLES)]
    Set {
        /// The role
        role: Name,
        /// The next holder
        node: NodeId,
    },
    /// Move a role from one node to another
    #[command(after_help = SWAP_EXAMPLES)]
    Swap {
        /// The role
        role: Name,
        /// The holder that gives the role up; required if there are several
        #[arg(long, value_name = "NODE")]
        from: Option<NodeId>,
        /// The next holder
        to: NodeId,
    },
}

/// Selection of finished changes.
#[derive(Args, Debug)]
pub(crate) struct History {
    /// Only changes of this role
    #[arg(long)]
    pub(crate) role: Option<Name>,
    /// Only changes in this group
    #[arg(long)]
    pub(crate) group: Option<Group>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn an_order_names_a_role_and_a_node() {
        assert!(parse("rolecast role set leader").is_err());
        assert!(parse("rolecast role set leader N2").is_err());
        assert!(parse("rolecast role set leader n2 --timeout 1m").is_ok());
        assert!(parse("rolecast role swap leader").is_err());
        assert!(parse("rolecast role swap leader n2").is_ok());
        assert!(parse("rolecast role swap backup --from n3 n4").is_ok());
        assert!(parse("rolecast role swap backup n3 n4").is_err());
        assert!(parse("rolecast role history --role leader --group search").is_ok());
        assert!(parse("rolecast role ls").is_ok());
        assert!(parse("rolecast role ls --verbose").is_ok());
    }
}
