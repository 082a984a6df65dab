//! Arguments of `rolecast permissions`: the rights of each party.

use clap::Args;
use rolecast_common::id::{Category, NodeId};
use rolecast_common::rights::Party;

pub(super) const HELP: &str = "\
Examples:
  rolecast permissions --all --node n1 --node n2 --producer thumbnail ocr > nats.conf
  rolecast permissions --node n3
  rolecast permissions --producer thumbnail --login shop --nsc

What is printed is what the programs use, and no more: their tests run under it. No login
is contacted. Each right has a comment that says what it is for. Without --all the block
`authorization` is printed, whose users go into yours; what is between < and > is for you.

Each login has inboxes of its own, _INBOX.<login>, so that none reads the answers of
another. Who logs in with user and password uses these by itself; with an nkey,
credentials or a certificate, set inbox_prefix in the configuration or NATS_INBOX_PREFIX.

NATS lets a requester choose where the answer goes, and does not check that. So a producer
can have the server's short word that a job is stored, or a record it may read, sent to a
subject on which it may not publish. Where producers are not trusted that far, give them
an account of their own that imports these subjects. Records have no category in their
subject: who reads outcomes reads those of others too; --submit-only leaves that out.";

/// Whose rights.
#[derive(Args, Debug)]
pub(crate) struct Permissions {
    /// The worker of this node; may be given more than once
    #[arg(long, value_name = "NODE")]
    node: Vec<NodeId>,
    /// A producer of jobs of these categories, who also waits for outcomes
    #[arg(long, value_name = "CATEGORY", num_args = 1..)]
    producer: Vec<Category>,
    /// The producer only submits, and reads no outcomes
    #[arg(long)]
    submit_only: bool,
    /// The dispatchers, which share a login
    #[arg(long)]
    dispatcher: bool,
    /// Operators: whoever uses all of the command rolecast
    #[arg(long)]
    operator: bool,
    /// Viewers: they ask the dispatcher, and change nothing
    #[arg(long)]
    viewer: bool,
    /// A whole configuration of nats-server: all of these, and a login to look after NATS
    #[arg(long)]
    pub(crate) all: bool,
    /// The name to log in with, if only one party is asked for [default: the node, or
    /// dispatcher, producer, operator, viewer]
    #[arg(long, value_name = "NAME")]
    pub(crate) login: Option<String>,
    /// Print commands of nsc instead, for a server with operators and JWTs
    #[arg(long)]
    pub(crate) nsc: bool,
}

impl Permissions {
    /// Returns the parties that are asked for.
    pub(crate) fn parties(&self) -> Vec<Party> {
        let mut parties = Vec::new();
        if self.dispatcher || self.all {
            parties.push(Party::dispatcher());
        }
        let mut nodes = self.node.clone();
        let mut categories = self.producer.clone();
        if self.all {
            // Something to copy.
            if nodes.is_empty() {
                nodes.extend(NodeId::new("node-1"));
            }
            if categories.is_empty() {
                categories.extend(Category::new("category-1"));
            }
        }
        parties.extend(nodes.into_iter().map(Party::Worker));
        if !categories.is_empty() {
            parties.push(Party::Producer {
                categories,
                reads_outcomes: !self.submit_only,
            });
        }
        if self.operator || self.all {
            parties.push(Party::Operator);
        }
        if self.viewer || self.all {
            parties.push(Party::Viewer);
        }
        parties
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::super::{Command, permissions::Permissions};

    fn users(line: &str) -> Vec<String> {
        let Command::Permissions(asked) = parse(line).unwrap().command else {
            panic!("another command");
        };
        let parties = Permissions::parties(&asked);
        parties
            .iter()
            .map(|party| party.user().to_owned())
            .collect()
    }

    #[test]
    fn all_has_every_party_and_something_to_copy() {
        assert_eq!(
            users("rolecast permissions --all"),
            ["dispatcher", "node-1", "producer", "operator", "viewer"]
        );
        assert_eq!(
            users("rolecast permissions --all --node n1 --node n2"),
            ["dispatcher", "n1", "n2", "producer", "operator", "viewer"]
        );
        assert_eq!(
            users("rolecast permissions --producer a b --viewer"),
            ["producer", "viewer"]
        );
        assert!(users("rolecast permissions").is_empty());
        assert!(parse("rolecast permissions --node A.b").is_err());
    }
}
