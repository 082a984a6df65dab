//! Harness: a server that is killed keeps its data, and nothing outlives a test.

use std::path::Path;
use std::time::Duration;

use async_nats::{ConnectOptions, jetstream};
use futures_util::StreamExt;
use rolecast_tests::directory::Directory;
use rolecast_tests::leads::{Group, Leads};
use rolecast_tests::process::Process;
use rolecast_tests::server::Server;
use rolecast_tests::servers::{Options, Servers};
use rolecast_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_server_that_is_killed_and_restarted_keeps_its_data() {
    let mut server = Server::start().await;
    let client = server.client().await;
    let jetstream = jetstream::new(client);
    let config = jetstream::stream::Config {
        name: "KEPT".to_owned(),
        ..Default::default()
    };
    let stream = jetstream.create_stream(config).await.unwrap();
    let sent = jetstream.publish("KEPT", "payload".into()).await.unwrap();
    assert_eq!(sent.await.unwrap().sequence, 1);

    server.kill();
    server.restart().await;

    wait_until("the message is there", LIMIT, async || {
        let message = stream.get_raw_message(1).await;
        message.is_ok_and(|message| message.payload == "payload")
    })
    .await;
}

#[tokio::test]
async fn three_servers_lead_by_turns_and_one_that_is_isolated_does_not() {
    let options = Options {
        has_links: true,
        ..Options::replicas(3)
    };
    let mut servers = Servers::start(&options).await;
    let first = servers.leader(&Group::Meta).await.expect("one leads");
    servers.kill(first);
    wait_until("another server leads", LIMIT, async || {
        let leader = servers.leader(&Group::Meta).await;
        leader.is_some_and(|leader| leader != first)
    })
    .await;
    servers.start_again(first);
    wait_until("it listens again", LIMIT, async || servers.listens(first)).await;
    let second = servers.leader(&Group::Meta).await.expect("one leads");
    let third = 3 - first - second;
    servers.isolate(second, true);
    wait_until("a third time another leads", LIMIT, async || {
        let leads = (servers.leads(first).await, servers.leads(third).await);
        let has = |leads: Option<Leads>| leads.is_some_and(|leads| leads.has(&Group::Meta));
        has(leads.0) || has(leads.1)
    })
    .await;
}

#[tokio::test]
async fn a_user_is_held_to_the_permissions_that_a_test_gave() {
    let users = r#"{ user: mute, password: pass, permissions: { publish: { deny: ">" } } }"#;
    let server = Server::start_with_users(users).await;
    let mut received = server.client().await.subscribe("a").await.unwrap();
    let login = ConnectOptions::with_user_and_password("mute".into(), "pass".into());
    let mute = login.connect(server.url()).await.unwrap();
    mute.publish("a", "from mute".into()).await.unwrap();
    mute.flush().await.unwrap();
    let admin = server.client().await;
    admin.publish("a", "from admin".into()).await.unwrap();
    assert_eq!(received.next().await.unwrap().payload, "from admin");
}

#[tokio::test]
async fn a_process_that_is_frozen_goes_on_afterwards() {
    let directory = Directory::new();
    let arguments = ["-c", "while true; do echo tick; sleep 0.02; done"];
    let process = Process::spawn("ticks", directory.path(), Path::new("sh"), arguments);
    let count = || process.log().lines().count();
    wait_until("it ticks", LIMIT, async || count() > 1).await;
    process.stop();
    let frozen = count();
    process.cont();
    wait_until("it goes on", LIMIT, async || count() > frozen + 1).await;
}

#[tokio::test]
async fn nothing_that_runs_in_a_directory_outlives_it() {
    if !Path::new("/proc/self/cwd").exists() {
        return;
    }
    let directory = Directory::new();
    // A child in a session of its own escapes the process group, as jobs do.
    let script = "setsid sleep 1000 & echo $! > pid; wait";
    let mut process = Process::spawn("parent", directory.path(), Path::new("sh"), ["-c", script]);
    let file = directory.path().join("pid");
    let read = || std::fs::read_to_string(&file).unwrap_or_default();
    wait_until("the child runs", LIMIT, async || read().ends_with('\n')).await;
    let child = Path::new("/proc").join(read().trim());
    process.kill();
    assert!(child.exists());
    drop((process, directory));
    wait_until("the child ends", LIMIT, async || {
        // If nobody reaps it, it stays as a zombie, which has no command line.
        std::fs::read(child.join("cmdline")).map_or(true, |line| line.is_empty())
    })
    .await;
}
