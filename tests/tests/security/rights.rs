//! The rights of each party, as `rolecast permissions` prints them.

use rolecast_common::id::{Category, NodeId};
use rolecast_common::rights::{Action, Party, Place, Right, rights};

/// Subjects that a party may publish and subscribe to.
pub(crate) struct Rights {
    pub(crate) publish: Vec<String>,
    pub(crate) subscribe: Vec<String>,
}

impl Rights {
    /// Returns the rights of a party; every name of no other party is a node.
    pub(crate) fn of(name: &str) -> Rights {
        let party = match name {
            "dispatcher" => Party::dispatcher(),
            "operator" => Party::Operator,
            "producer" => Party::Producer {
                categories: vec![Category::new("thumbnail").expect("it is a category")],
                reads_outcomes: true,
            },
            node => Party::Worker(NodeId::new(node).expect("it is a node's name")),
        };
        let rights = rights(&party, &Place::of(name));
        let of = |action: Action| {
            let meant = rights
                .iter()
                .filter(|right: &&Right| right.action == action);
            meant.map(|right| right.subject.clone()).collect()
        };
        Rights {
            publish: of(Action::Publish),
            subscribe: of(Action::Subscribe),
        }
    }

    /// Returns them in the form of nats-server's configuration.
    pub(crate) fn block(&self) -> String {
        let Self { publish, subscribe } = self;
        format!("{{ publish: {publish:?}, subscribe: {subscribe:?} }}")
    }
}
