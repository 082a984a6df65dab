//! Fleet of the demonstration: four nodes, three categories of jobs, and their configs.
//!
//! Every worker offers every category; roles alone decide where each runs. Leader and
//! backup are managed: the two nodes that offer them may exchange roles.

use std::time::Duration;

use super::logins;

/// The role that moves in the last act.
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
pub(crate) struct Kind {
    pub(crate) category: &'static str,
    /// Its action, for the introduction.
    pub(crate) does: &'static str,
    command: &'static [&'static str],
    /// Best first; two of four nodes or more, so that one may die.
    pub(crate) roles: &'static [&'static str],
    cpu: &'static str,
    duration: &'static str,
    /// Bytes of input, chosen by measuring: 85, 15 and 3 ms on a current core.
    pub(crate) payload_len: usize,
}

pub(crate) const COMPRESS: Kind = Kind {
    category: "compress",
    does: "gzip -9",
    command: &["gzip", "-9", "-c"],
    roles: &["leader", "backup"],
    cpu: "1.0",
    duration: "100ms",
    payload_len: 768 * 1024,
};

pub(crate) const COUNT: Kind = Kind {
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

pub(crate) const HASH: Kind = Kind {
    category: "hash",
    does: "cksum",
    command: &["cksum"],
    roles: &["follower", "backup"],
    cpu: "0.5",
    duration: "5ms",
    payload_len: 256 * 1024,
};

pub(crate) const KINDS: [Kind; 3] = [COMPRESS, COUNT, HASH];

/// The label by which a producer can require a node.
pub(crate) const LABEL_NAME: &str = "name";

/// Returns the text of nats.conf; paths are relative to the directory the server runs in.
pub(crate) fn nats_conf() -> String {
    let authorization = logins::block();
    format!(
        "# nats-server of the demonstration: any free port, told in a file *.ports.\n\
         listen: \"127.0.0.1:-1\"\n\
         server_name: rolecast-demo\n\
         ports_file_dir: \".\"\n\
         jetstream {{\n  store_dir: \"jetstream\"\n  max_memory_store: 64MB\n  \
         max_file_store: 4GB\n}}\n{authorization}"
    )
}

/// Returns the text of rolecast.toml.
pub(crate) fn dispatcher_toml() -> String {
    // Short steps, because the demonstration ends within a minute.
    let mut text = format!(
        "name = \"demo\"\n\n[roles.leader]\nholders = 1\nfrom = \"backup\"\n\
         prefer = [\"oak\"]\ncost = {{ cpu = 0.2 }}\nchange_cost = \"2s\"\n\
         term = \"{}s\"\n[roles.backup]\nholders = 1\n[roles.follower]\n\n\
         [forecast]\nstep = \"1s\"\n",
        TERM.as_secs()
    );
    for kind in KINDS {
        text.push_str(&format!(
            "\n[categories.{}]\nroles = [{}]\ncpu = {}\nmemory = \"16MiB\"\nduration = \"{}\"\n\
             max_attempts = 5\nretry_min = \"200ms\"\nretry_max = \"2s\"\n",
            kind.category,
            quoted(kind.roles),
            kind.cpu,
            kind.duration,
        ));
    }
    text
}

/// Returns the text of a worker.toml.
pub(crate) fn worker_toml(member: &Member) -> String {
    let Member { node, role, .. } = member;
    let roles = match *role {
        "follower" => "roles = [\"follower\"]",
        _ => "offers = [\"leader\", \"backup\"]\nstate_directory = \"state\"",
    };
    // Confined to one core on any machine; and labelled, so that a producer can require a
    // node.
    let mut text = format!(
        "node = \"{node}\"\n{roles}\n\
         # Four workers share this machine, so each reports its own processes.\n\
         usage_scope = \"process\"\nmax_jobs = 2\ngrace = \"2s\"\n\n\
         [labels]\n{LABEL_NAME} = \"{node}\"\n\n\
         [capacity]\ncpu = 1\nmemory = \"512MiB\"\n"
    );
    for kind in KINDS {
        // Without a locale, because a piece of text may end within a character.
        text.push_str(&format!(
            "\n[categories.{}]\ncommand = [{}]\nenv = [\"PATH\"]\n\
             time_limit = \"30s\"\noutput_max = \"512KiB\"\n",
            kind.category,
            quoted(kind.command),
        ));
    }
    text
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    words.join(", ")
}

/// Returns whether the roles let a category run on a node.
pub(crate) fn is_eligible(category: &str, node: &str) -> bool {
    let kind = KINDS.iter().find(|kind| kind.category == category);
    let member = FLEET.iter().find(|member| member.node == node);
    match (kind, member) {
        (Some(kind), Some(member)) => kind.roles.contains(&member.role),
        (Some(_) | None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_read_the_configs() {
        let config = rolecast_dispatcher::config::parse(&dispatcher_toml(), "host");
        assert!(config.is_ok(), "{config:?}");
        for member in FLEET {
            let config = rolecast_worker::config::Config::read(&worker_toml(&member));
            assert!(config.is_ok(), "{config:?}");
        }
    }

    #[test]
    fn any_node_may_die_without_leaving_a_category_alone() {
        for kind in KINDS {
            let eligible = FLEET
                .iter()
                .filter(|member| is_eligible(kind.category, member.node));
            assert!(eligible.count() >= 2, "{}", kind.category);
        }
        assert!(!is_eligible("hash", "oak"));
        assert!(!is_eligible("unknown", "oak"));
    }

    #[test]
    fn a_payload_fits_into_a_message() {
        for kind in KINDS {
            assert!(kind.payload_len < rolecast_common::wire::MESSAGE_LEN_MAX);
        }
    }
}
