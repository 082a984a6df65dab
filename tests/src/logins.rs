//! Logins of the end-to-end tests: one for each party, with the rights that
//! `rolecast permissions` prints and no more. The password of each is its name.

use std::time::Duration;

use async_nats::ConnectOptions;
use rolecast_common::id::NodeId;
use rolecast_common::rights::{Login, Party, authorization, inbox};

use crate::process::Process;

/// User that may do anything: the harness itself, and actions of a test that no party may
/// do.
pub const ADMIN: &str = "admin";
pub const DISPATCHER: &str = "dispatcher";
pub const OPERATOR: &str = "operator";

/// The nodes that tests start workers for; each is a login of every server.
const NODES: [&str; 17] = [
    "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "one", "two", "leader", "backup",
    "follower", "large", "small",
];
/// A node whose name is doubtful.
const DOUBTFUL: &str = "localhost";
/// Delay between reconnects of the harness's own clients.
const RECONNECT_DELAY: Duration = Duration::from_millis(50);

/// Returns the block `authorization` of a server, with further entries for its list.
pub(crate) fn block(more: &str) -> String {
    fill(&authorization(&all()), more)
}

/// Returns an account with these limits of JetStream, in which all users are.
pub(crate) fn account(limits: &str) -> String {
    let users = entries(&all());
    format!("accounts {{ A: {{ jetstream: {limits}\nusers: [\n{users}] }} }}\n")
}

fn all() -> Vec<Login> {
    let mut parties = vec![Party::dispatcher(), Party::Operator, Party::Viewer];
    let nodes = NODES.iter().chain([&DOUBTFUL]);
    let nodes = nodes.map(|node| NodeId::new(node));
    parties.extend(nodes.flatten().map(Party::Worker));
    let logins = parties.iter().map(|party| Login::new(party, party.user()));
    let mut logins: Vec<Login> = logins.collect();
    logins.push(Login::admin());
    logins
}

/// Returns logins as further entries for a server's list of users.
pub fn entries(logins: &[Login]) -> String {
    let block = fill(&authorization(logins), "");
    let (_, entries) = block.split_once("users: [\n").expect("a block has users");
    let (entries, _) = entries.rsplit_once("  ]\n}").expect("the list has an end");
    entries.to_owned()
}

/// Fills a printed block with its passwords, and with further entries for its list.
pub fn fill(block: &str, more: &str) -> String {
    let mut filled = String::new();
    let mut rest = block;
    while let Some((before, after)) = rest.split_once("<password of ") {
        let (user, after) = after.split_once('>').expect("a placeholder has an end");
        filled.push_str(before);
        filled.push_str(user);
        rest = after;
    }
    filled.push_str(rest);
    if more.is_empty() {
        return filled;
    }
    filled.replacen("users: [\n", &format!("users: [\n{more}\n"), 1)
}

/// Returns the URL of a server on this machine for one of its users.
pub fn url(port: u16, user: &str) -> String {
    format!("nats://{user}:{user}@127.0.0.1:{port}")
}

/// Fails a test that starts a worker without a login.
pub(crate) fn assert_node(node: &str) {
    assert!(
        NODES.contains(&node) || node == DOUBTFUL,
        "node {node} has no login: add it to NODES"
    );
}

/// Fails a test in which a server refused something because of a missing right.
pub(crate) fn assert_nothing_was_refused(server: &Process) {
    let log = server.log();
    let refused: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(" Violation "))
        .collect();
    assert!(
        refused.is_empty(),
        "a party lacks a right, or the test must declare that it tries what it may not: {refused:#?}"
    );
}

/// Returns the options with which the harness connects as a user; the client reconnects
/// by itself.
pub fn options(user: &str) -> ConnectOptions {
    ConnectOptions::with_user_and_password(user.to_owned(), user.to_owned())
        .name("rolecast-test")
        .custom_inbox_prefix(inbox(user).expect("users of tests have plain names"))
        .max_reconnects(None)
        .reconnect_delay_callback(|_| RECONNECT_DELAY)
}
