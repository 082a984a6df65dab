//! The rights of each party, as docs/protocol.md gives them.

use rolecast_tests::document::blocks;

/// What a party may publish and subscribe to.
pub(crate) struct Rights {
    pub(crate) publish: Vec<String>,
    pub(crate) subscribe: Vec<String>,
}

impl Rights {
    /// Returns those of a party; every party that is no other is a node.
    pub(crate) fn of(party: &str) -> Rights {
        if party == "operator" {
            let all = || vec![">".to_owned()];
            return Rights {
                publish: all(),
                subscribe: all(),
            };
        }
        let is_node = !["dispatcher", "producer"].contains(&party);
        let user = if is_node { "one" } else { party };
        let config = blocks("docs/protocol.md", "nats").remove(0);
        let start = config.find(&format!("{{ user: \"{user}\""));
        let entry = &config[start.expect("the document names the party")..];
        let list = |key: &str| {
            let start = entry.find(key).expect("a party has this right");
            let (_, list) = entry[start..].split_once('[').expect("it is a list");
            let (list, _) = list.split_once(']').expect("it ends");
            let subjects = list.split('"').skip(1).step_by(2);
            let own = |subject: &str| match is_node {
                true => subject.replace(".one", &format!(".{party}")),
                false => subject.to_owned(),
            };
            subjects.map(own).collect()
        };
        Rights {
            publish: list("publish:"),
            subscribe: list("subscribe:"),
        }
    }

    /// Returns them as nats-server's configuration has them.
    pub(crate) fn block(&self) -> String {
        let Self { publish, subscribe } = self;
        format!("{{ publish: {publish:?}, subscribe: {subscribe:?} }}")
    }
}
