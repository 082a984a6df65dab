//! Logins of the demonstration's server: one for each party, with its own rights.
//!
//! Nothing is secret there, so each password is the user's name.

use rolecast_common::id::NodeId;
use rolecast_common::rights::{Action, Login, Party, Right, authorization};
use rolecast_common::subjects;

use super::fleet::FLEET;

pub(crate) const DISPATCHER: &str = "dispatcher";
/// User that submits jobs and reads their states, as an operator does.
pub(crate) const OPERATOR: &str = "operator";
/// User that receives heartbeats, to choose the worker that is killed.
pub(crate) const AUDIENCE: &str = "audience";
pub(crate) const ADMIN: &str = "admin";

/// Returns the block of nats.conf.
pub(crate) fn block() -> String {
    let mut parties = vec![Party::dispatcher(), Party::Operator];
    let nodes = FLEET.iter().flat_map(|member| NodeId::new(member.node));
    parties.extend(nodes.map(Party::Worker));
    let logins = parties.iter().map(|party| Login::new(party, party.user()));
    let others = [audience(), Login::admin()];
    let logins: Vec<Login> = logins
        .chain(others)
        .map(|login| {
            let password = login.user.clone();
            login.with_password(&password)
        })
        .collect();
    authorization(&logins)
}

fn audience() -> Login {
    Login {
        user: AUDIENCE.to_owned(),
        password: String::new(),
        about: "the demonstration, which kills a worker with jobs in hand".to_owned(),
        rights: vec![Right {
            action: Action::Subscribe,
            subject: subjects::HEARTBEATS.to_owned(),
            purpose: "what each worker has in hand",
        }],
    }
}

/// Returns the server's URL with a user's login.
pub(crate) fn url_as(url: &str, user: &str) -> String {
    url.replacen("://", &format!("://{user}:{user}@"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_has_a_login_of_its_own() {
        let text = block();
        for member in FLEET {
            let node = member.node;
            assert!(text.contains(&format!("user: \"{node}\", password: \"{node}\"")));
            assert!(text.contains(&format!("\"rolecast.node.{node}.>\"")));
        }
        assert_eq!(
            url_as("nats://127.0.0.1:4000", "oak"),
            "nats://oak:oak@127.0.0.1:4000"
        );
    }
}
