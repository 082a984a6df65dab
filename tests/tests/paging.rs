//! Status of thousands of nodes, on a server that takes short messages only.

use std::collections::BTreeSet;

use async_nats::Message;
use rolecast_common::id::{BootId, NodeId};
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, HEADER_ERROR, Heartbeat, Status, StatusCursor};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_for;
use serde_json::json;

const NODES: u32 = 2_000;
/// An eighth of the default limit of servers: no page of 500 nodes fits.
const MAX_PAYLOAD: usize = 128 * 1024;

#[tokio::test]
async fn a_status_of_thousands_of_nodes_is_read_page_by_page_and_whole() {
    let server = Server::start_with_config(&format!("max_payload: {MAX_PAYLOAD}")).await;
    let cluster = Cluster::on(server, "[categories.echo]\nroles = [\"follower\"]\n").await;
    let names = join(&cluster).await;

    let first = wait_for("all nodes are known", LIMIT, async || {
        let page = read(&ask(&cluster, "").await);
        Some(page).filter(|page| page.totals.nodes == NODES)
    });
    let first = first.await;
    assert!(
        (50..500).contains(&first.nodes.len()),
        "{}",
        first.nodes.len()
    );
    assert_eq!((first.categories.len(), first.roles.len()), (1, 1));
    assert!(matches!(first.next, Some(StatusCursor::Node(_))));

    // As the command reads it, once the streams can be read too.
    let shown = wait_for("the command shows the status", LIMIT, async || {
        let (shown, code) = cluster.rolecast(&["status", "--json"]).await;
        (code == 0).then_some(shown)
    });
    let shown = shown.await;
    assert!(shown.len() > 5 * MAX_PAYLOAD);
    let whole: Status = serde_json::from_str(&shown).unwrap();
    assert_eq!(listed(&whole), names);
    assert_eq!((whole.nodes.len(), whole.next), (names.len(), None));
    assert_eq!((whole.categories.len(), whole.totals.nodes), (1, NODES));
    let (text, _) = cluster.rolecast(&["status"]).await;
    assert!(
        text.contains("2000 nodes: ") && text.lines().count() < 200,
        "{text}"
    );

    // As any other client does: from a name that nobody has, and with a limit.
    let mut request = json!({"v": 1, "after": {"node": "f1989x"}, "limit": 4});
    let mut read_on = Vec::new();
    loop {
        let page = read(&ask(&cluster, &request.to_string()).await);
        assert!(page.nodes.len() <= 4 && page.totals.nodes == NODES);
        read_on.extend(page.nodes.iter().map(|node| node.node.to_string()));
        let Some(next) = page.next else {
            break;
        };
        request["after"] = serde_json::to_value(next).unwrap();
    }
    let last: Vec<String> = (1990..2000).map(|n| format!("f{n}")).collect();
    assert_eq!(read_on, last);

    for (body, part) in [
        ("page 2", "cannot be decoded"),
        (r#"{"v": 1, "limit": 0}"#, "cannot be decoded"),
        (r#"{"v": 2}"#, "version 2"),
        (r#"{"v": 1, "after": {"node": "A*"}}"#, "node id"),
    ] {
        let answer = ask(&cluster, body).await;
        let headers = answer.headers.expect("it is refused");
        let why = headers
            .get(HEADER_ERROR)
            .expect("the reason is given")
            .as_str();
        assert!(
            why.contains(part) && why.contains(r#""limit": 100"#),
            "{why}"
        );
        assert!(answer.payload.is_empty());
    }
}

/// Sends a heartbeat of each of many nodes; returns their names.
async fn join(cluster: &Cluster) -> BTreeSet<String> {
    let beat = json!({"v": 1, "node": "x", "boot": "b", "seq": 1, "interval_ms": 10_000,
        "roles": ["follower"], "capacity": {"cpu": 4.0, "memory": 1_000_000_000}, "usage": {"total": {}},
        "jobs_max": 4, "categories": {"echo": 4}, "labels": {"zone": "eu"}});
    let mut beat: Heartbeat =
        wire::decode(Encoding::Json, beat.to_string().as_bytes()).expect("it is a heartbeat");
    let client = cluster.client();
    let names: BTreeSet<String> = (0..NODES).map(|n| format!("f{n:04}")).collect();
    for name in &names {
        beat.node = NodeId::new(name).expect("it is a node's name");
        beat.boot = BootId::new(name).expect("it is a boot's name");
        let payload = wire::encode(Encoding::MessagePack, &beat).into();
        client
            .publish(subjects::heartbeat(&beat.node), payload)
            .await
            .expect("the server is there");
    }
    client.flush().await.expect("the server is there");
    names
}

async fn ask(cluster: &Cluster, body: &str) -> Message {
    let asked = async || {
        let body = body.to_owned().into();
        let asked = cluster.client().request(subjects::API_STATUS, body);
        asked.await.ok()
    };
    wait_for("the dispatcher answers", LIMIT, asked).await
}

fn read(answer: &Message) -> Status {
    assert!(answer.payload.len() <= MAX_PAYLOAD);
    wire::decode(Encoding::Json, &answer.payload).expect("it is a page")
}

fn listed(status: &Status) -> BTreeSet<String> {
    status
        .nodes
        .iter()
        .map(|node| node.node.to_string())
        .collect()
}
