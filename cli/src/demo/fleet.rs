//! Fleet of the demonstration: four nodes, and three categories of jobs.
//!
//! Every worker offers every category; roles alone decide where each runs. Leader and
//! backup are managed: the two nodes that offer them may exchange roles.

use std::time::Duration;

/// The role that moves in the last part.
pub(crate) const LEADER: &str = "leader";
/// The time for which it stays away from a leader that was relieved.
pub(crate) const TERM: Duration = Duration::from_secs(15);

/// A worker of the demonstration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) node: &'static str,
    pub(crate) role: &'static str,
    /// Its own work: a core kept busy.
    pub(crate) load: Option<Load>,
}

/// Times of a node's own work while ways of placing are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    Constant,
    /// It begins and ends periodically.
    Periodic,
}

/// In an order in which two cores, taken in turn, get one node with work of its
/// own and one without for each category.
pub(crate) const FLEET: [Member; 4] = [
    Member {
        node: "oak",
        role: "leader",
        load: None,
    },
    Member {
        node: "elm",
        role: "backup",
        load: Some(Load::Constant),
    },
    Member {
        node: "ash",
        role: "follower",
        load: None,
    },
    Member {
        node: "fir",
        role: "follower",
        load: Some(Load::Periodic),
    },
];

/// A category of the demonstration: a tool every system has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    pub(crate) category: &'static str,
    /// Its action, for the introduction.
    pub(crate) does: &'static str,
    pub(crate) command: &'static [&'static str],
    /// Best first; two of four nodes or more, so that one may die.
    pub(crate) roles: &'static [&'static str],
    pub(crate) cpu: &'static str,
    pub(crate) duration: &'static str,
    /// Bytes of input, chosen by measuring: 85, 15 and 3 ms on a current core.
    pub(crate) payload_len: usize,
}

pub(crate) const COMPRESS: Tool = Tool {
    category: "compress",
    does: "gzip -9",
    command: &["gzip", "-9", "-c"],
    roles: &["leader", "backup"],
    cpu: "1.0",
    duration: "100ms",
    payload_len: 768 * 1024,
};

pub(crate) const COUNT: Tool = Tool {
    category: "count",
    does: "count distinct words",
    command: &[
        "awk",
        "{ for (i = 1; i <= NF; i++) seen[$i]++ } \
         END { for (word in seen) distinct++; print NR, distinct }",
    ],
    roles: &["follower", "backup"],
    cpu: "1.0",
    duration: "20ms",
    payload_len: 512 * 1024,
};

pub(crate) const HASH: Tool = Tool {
    category: "hash",
    does: "cksum",
    command: &["cksum"],
    roles: &["follower", "backup"],
    cpu: "0.5",
    duration: "5ms",
    payload_len: 256 * 1024,
};

pub(crate) const TOOLS: [Tool; 3] = [COMPRESS, COUNT, HASH];

/// The label by which a producer can require a node.
pub(crate) const LABEL_NAME: &str = "name";

/// Returns whether the roles let a category run on a node.
pub(crate) fn is_eligible(category: &str, node: &str) -> bool {
    let tool = TOOLS.iter().find(|tool| tool.category == category);
    let member = FLEET.iter().find(|member| member.node == node);
    match (tool, member) {
        (Some(tool), Some(member)) => tool.roles.contains(&member.role),
        (Some(_) | None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_node_may_die_without_leaving_a_category_alone() {
        for tool in TOOLS {
            let eligible = FLEET
                .iter()
                .filter(|member| is_eligible(tool.category, member.node));
            assert!(eligible.count() >= 2, "{}", tool.category);
        }
        assert!(!is_eligible("hash", "oak"));
        assert!(!is_eligible("unknown", "oak"));
    }

    #[test]
    fn a_payload_fits_into_a_message() {
        for tool in TOOLS {
            assert!(tool.payload_len < rolecast_common::wire::MESSAGE_LEN_MAX);
        }
    }
}
