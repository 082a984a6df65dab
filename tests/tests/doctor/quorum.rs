//! Faults of a cluster of servers: some are away, frozen or outnumbered.

use std::time::Duration;

use rolecast_common::subjects::STREAM_JOBS;
use rolecast_tests::leads::Group;
use rolecast_tests::logins::{DISPATCHER, OPERATOR};
use rolecast_tests::process::{Process, program};
use rolecast_tests::servers::{Options, Servers};
use rolecast_tests::wait::{wait_for, wait_until};

use super::{Diagnosis, Fault, diagnose_at};

/// Three servers on a busy machine elect a leader for each of ten streams.
const CLUSTER_LIMIT: Duration = Duration::from_secs(90);

/// Runs the command against the first server alone.
async fn diagnose_first(servers: &Servers) -> Diagnosis {
    let url = servers.url_of(0, OPERATOR);
    diagnose_at(servers.directory().path(), &url, &[]).await
}

fn start_dispatcher(servers: &Servers, name: &str, replicas: u32) -> Process {
    let url = servers.url_as(DISPATCHER);
    start_dispatcher_at(servers, name, replicas, &url)
}

fn start_dispatcher_at(servers: &Servers, name: &str, replicas: u32, url: &str) -> Process {
    let config =
        format!("name = \"{name}\"\n[streams]\nreplicas = {replicas}\n[categories.echo]\n");
    let file = format!("{name}.toml");
    servers.directory().write(&file, &config);
    Process::spawn(
        name,
        servers.directory().path(),
        &program("rolecast-dispatcher"),
        ["--config", &file, "--nats-url", url],
    )
}

/// Waits until nothing is found but that there is no node, and what these expect.
async fn wait_well(servers: &Servers, expected: &[&str]) {
    wait_until("it is at work", CLUSTER_LIMIT, async || {
        let diagnosis = diagnose_first(servers).await;
        let is_expected = |id: &str| ["nodes-none", "server-faults"].contains(&id);
        let mut ids = diagnosis.ids().into_iter();
        ids.all(|id| is_expected(id) || expected.contains(&id))
    })
    .await;
}

async fn wait_found(servers: &Servers, fault: Fault) -> Diagnosis {
    let mut found = None;
    wait_until(&format!("{fault:?}"), CLUSTER_LIMIT, async || {
        let diagnosis = diagnose_first(servers).await;
        super::report(
            fault,
            &diagnosis
                .ids()
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        );
        let is_made = diagnosis.has_all(fault);
        found = Some(diagnosis);
        is_made
    })
    .await;
    found.expect("it was waited for")
}

#[tokio::test]
async fn a_cluster_that_loses_a_server_is_seen() {
    let mut servers = Servers::start(&Options::replicas(3)).await;
    let _dispatcher = start_dispatcher(&servers, "d1", 3);
    wait_well(&servers, &["standby-none"]).await;
    servers.kill(2);
    wait_found(&servers, Fault::ClusterLosesServer).await;
}

/// Diagnoses while a server hangs: the first before the others elect a leader, the last
/// after that.
const ROUNDS_FROZEN: usize = 6;

#[tokio::test]
async fn the_replicas_on_a_server_that_hangs_are_behind() {
    let servers = Servers::start(&Options::replicas(3)).await;
    let url = servers.url_of(0, DISPATCHER);
    let _dispatcher = start_dispatcher_at(&servers, "d1", 3, &url);
    wait_well(&servers, &["standby-none"]).await;
    let client = servers.client().await;
    let group = Group::Stream(STREAM_JOBS.to_owned());
    // The queue is led by the one that hangs, and all are connected to another.
    let led_elsewhere = async || {
        let leader = servers.leader(&group).await;
        if leader == Some(0) {
            let request = format!("$JS.API.STREAM.LEADER.STEPDOWN.{STREAM_JOBS}");
            client.request(request, "".into()).await.ok();
        }
        leader.filter(|leader| *leader > 0)
    };
    let mut open = Fault::FrozenServer.findings().to_vec();
    // A doctor waits for a system that was just set up, and then the others have elected a
    // leader: so it hangs once more.
    wait_until("all are found", CLUSTER_LIMIT, async || {
        let leader = wait_for("another server leads", CLUSTER_LIMIT, led_elsewhere).await;
        servers.stop(leader);
        for _ in 0..ROUNDS_FROZEN {
            let diagnosis = diagnose_first(&servers).await;
            open.retain(|id| !diagnosis.ids().contains(id));
        }
        servers.cont(leader);
        open.is_empty()
    })
    .await;
}

#[tokio::test]
async fn without_a_quorum_the_streams_and_the_servers_are_named_and_then_that_nobody_leads() {
    let mut servers = Servers::start(&Options::replicas(3)).await;
    let mut leader = start_dispatcher(&servers, "d1", 3);
    wait_well(&servers, &["standby-none"]).await;
    let _second = start_dispatcher(&servers, "d2", 3);
    // With a standby nothing is to be found.
    wait_well(&servers, &[]).await;
    servers.kill(1);
    servers.kill(2);
    let lost = wait_found(&servers, Fault::ClusterLosesQuorum).await;
    assert_eq!(lost.code, 8);
    assert!(
        !lost.ids().contains("replica-behind"),
        "{:#}",
        lost.document
    );
    leader.kill();
    let headless = wait_found(&servers, Fault::NobodyLeads).await;
    let finding = headless.finding("nobody-leads");
    assert_eq!(finding["what"], "d2 stands by, and nobody leads");
    assert!(!headless.ids().contains("dispatcher-missing"));
}

#[tokio::test]
async fn one_copy_in_a_cluster_is_found() {
    let servers = Servers::start(&Options::replicas(3)).await;
    let _dispatcher = start_dispatcher(&servers, "d1", 1);
    wait_found(&servers, Fault::OneCopy).await;
}
