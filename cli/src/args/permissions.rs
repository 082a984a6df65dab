//! Arguments of `rolecast permissions`: the rights of each party.

use clap::Args;
use rolecast_common::id::{Category, NodeId};
use rolecast_common::rights::Party;

pub(super) const HELP: &str = "\
Examples:
  rolecast permissions --all --node n1 --node n2 --producer thumbnail ocr > nats.conf
  rolecast permissions --node n3
  rolecast permissions --producer thumbnail --login shop --nsc

The programs need exactly these permissions: their tests run under them. No server is
contacted. Each permission has a comment with its purpose. Without --all, only the block
`authorization` is printed; copy its users into yours, and replace the text between < and >.

Each login has inboxes of its own, _INBOX.<login>, so that no login reads the answers of
another. A login with user and password uses them by default; with an nkey, credentials or
a certificate, set inbox_prefix in the configuration, or NATS_INBOX_PREFIX.

A request in NATS contains the subject for its answer, and NATS does not check it. So a
producer can have the server's confirmation of a stored job, or a record that it may read,
sent to a subject on which it may not publish. If you do not trust producers that far, give
them an account of their own that imports these subjects. The subjects of records contain no
category, so a producer that reads outcomes can read those of others; --submit-only omits
this right.";

/// Selection of parties.
#[derive(Args, Debug)]
pub(crate) struct Permissions {
    /// The worker of this node; may be repeated
    #[arg(long, value_name = "NODE")]
    node: Vec<NodeId>,
    /// A producer of jobs of these categories, which also reads outcomes
    #[arg(long, value_name = "CATEGORY", num_args = 1..)]
    producer: Vec<Category>,
    /// The producer only submits jobs, and reads no outcomes
    #[arg(long)]
    submit_only: bool,
    /// The dispatchers, which share one login
    #[arg(long)]
    dispatcher: bool,
    /// Operators, who use all commands of rolecast
    #[arg(long)]
    operator: bool,
    /// Viewers, who query the dispatcher and change nothing
    #[arg(long)]
    viewer: bool,
    /// A complete configuration of nats-server: all parties, and a login to administer NATS
    #[arg(long)]
    pub(crate) all: bool,
    /// The login name, if there is only one party [default: the node, or dispatcher,
    /// producer, operator, viewer]
    #[arg(long, value_name = "NAME")]
    pub(crate) login: Option<String>,
    /// Print commands of nsc instead, for a server in operator mode (JWTs)
    #[arg(long)]
    pub(crate) nsc: bool,
}

impl Permissions {
    /// Returns the selected parties.
    pub(crate) fn parties(&self) -> Vec<Party> {
        let mut parties = Vec::new();
        if self.dispatcher || self.all {
            parties.push(Party::dispatcher());
        }
        let mut nodes = self.node.clone();
        let mut categories = self.producer.clone();
        if self.all {
            // Examples to copy.
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
