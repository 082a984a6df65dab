//! Faults of dispatchers and nodes.

use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, Heartbeat, NodeHealth};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::wait::wait_until;
use serde_json::json;

use super::{Fault, WORKER, diagnose, wait_made};

#[tokio::test]
async fn a_dispatcher_that_hangs_is_silent_and_not_missing() {
    let mut cluster = super::dispatcher().await;
    cluster.dispatcher().stop();
    let diagnosis = diagnose(&cluster).await;
    cluster.dispatcher().cont();
    assert!(
        diagnosis.has_all(Fault::FrozenDispatcher),
        "{:#}",
        diagnosis.document
    );
    assert!(!diagnosis.ids().contains("dispatcher-missing"));
    assert_eq!(diagnosis.code, 8);
    // What needs no dispatcher was checked.
    let not_checked = diagnosis.not_checked();
    assert!(!not_checked.contains("streams") && not_checked.contains("nodes"));
}

#[tokio::test]
async fn dispatchers_that_take_turns_too_often_are_reported() {
    let mut cluster = Cluster::start("[categories.echo]\n", &[("n1", WORKER)]).await;
    cluster.submit("echo", "job-1", "x").await;
    cluster.wait_decisions(1).await;
    for _ in 0..5 {
        let before = cluster.status().await.map(|status| status.epoch);
        cluster.restart_dispatcher();
        let has_led = |status: &wire::Status| Some(status.epoch) > before;
        cluster.wait_status("another one leads", has_led).await;
    }
    let diagnosis = wait_made(Fault::ManyTakeovers, async || diagnose(&cluster).await).await;
    let finding = diagnosis.finding("takeovers-many");
    assert!(finding["since_ms"].is_u64(), "{finding}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nodes_with_wrong_clocks_names_and_capacities_are_found() {
    let mut cluster = super::dispatcher().await;
    cluster.add_skewed_worker("n1", WORKER, 30);
    let small = WORKER
        .replace("1GiB", "4MiB")
        .replace("max_jobs = 4", "max_jobs = 900");
    cluster.add_worker("n2", &small);
    cluster.add_worker("localhost", WORKER);
    cluster.wait_ready(&["n1", "n2", "localhost"]).await;
    let client = cluster.client();
    let broken = client.publish("rolecast.heartbeat.n4", "nonsense".into());
    broken.await.unwrap();
    let diagnosis = wait_made(Fault::BadNodes, async || diagnose(&cluster).await).await;
    let skew = diagnosis.finding("clock-skew-node");
    assert_eq!(skew["command"], "ssh n1 chronyc tracking");
    // One problem is not reported as another.
    assert!(!diagnosis.ids().contains("clock-skew-here"));
    assert!(!diagnosis.ids().contains("node-name-shared"));
}

#[tokio::test]
async fn nodes_that_drain_or_are_gone_are_listed_with_what_to_do() {
    let workers = [("n1", WORKER), ("n2", WORKER)];
    let mut cluster = Cluster::start("[categories.echo]\n", &workers).await;
    let (text, code) = cluster.rolecast(&["node", "drain", "n1"]).await;
    assert_eq!(code, 0, "{text}");
    cluster.worker("n2").kill();
    cluster.wait_health("n2", NodeHealth::Gone).await;
    let diagnosis = wait_made(Fault::GoneNodes, async || diagnose(&cluster).await).await;
    let drained = diagnosis.finding("node-draining");
    assert_eq!(drained["command"], "rolecast node undrain n1");
    assert!(diagnosis.finding("node-gone")["since_ms"].is_u64());
    // The commands repair it.
    let (text, code) = cluster.rolecast(&["node", "undrain", "n1"]).await;
    assert_eq!(code, 0, "{text}");
    cluster.restart_worker("n2");
    cluster.wait_ready(&["n1", "n2"]).await;
    wait_until("all is well", LIMIT, async || {
        diagnose(&cluster)
            .await
            .ids()
            .iter()
            .all(|id| *id == "server-faults")
    })
    .await;
}

#[tokio::test]
async fn a_node_that_cannot_start_its_jobs_is_named_with_the_reason() {
    let dispatcher = "[categories.echo]\n[categories.scan]\ncpu = 0.01\n";
    let good = format!("{WORKER}[categories.scan]\ncommand = [\"cat\"]\n");
    let bad = format!("{WORKER}[categories.scan]\ncommand = [\"sh\", \"-c\", \"exit 1\"]\n");
    let mut cluster = Cluster::start(dispatcher, &[("n1", &good), ("n2", &bad)]).await;
    cluster.worker("n1");
    let many = |i| (format!("scan-{i}"), "x".into());
    cluster.submit_many("scan", 30, many).await;
    let diagnosis = wait_made(Fault::FailingNode, async || diagnose(&cluster).await).await;
    let finding = diagnosis.finding("node-distrusted");
    assert_eq!(finding["command"], "rolecast node drain n2");
    assert!(finding["what"].to_string().contains("exit"), "{finding}");
}

#[tokio::test]
async fn two_workers_with_one_name_are_no_other_refusal() {
    let mut cluster = Cluster::start("[categories.echo]\n", &[("n1", WORKER)]).await;
    let mut double = cluster.double_worker("n1");
    double.wait(LIMIT).await;
    let diagnosis = wait_made(Fault::SameName, async || diagnose(&cluster).await).await;
    assert_eq!(diagnosis.code, 7);
    assert!(!diagnosis.ids().contains("messages-refused"));
}

#[tokio::test]
async fn a_node_that_reports_thousandths_of_cores_is_named_with_its_figures() {
    let cluster = super::dispatcher().await;
    let beat = json!({"v": 1, "node": "n5", "boot": "b", "seq": 1, "interval_ms": 10_000,
        "roles": ["follower"], "capacity": {"cpu": 4000.0, "memory": 1 << 30},
        "usage": {"total": {}}, "jobs_max": 4, "categories": {"echo": 4}});
    let beat = wire::decode::<Heartbeat>(Encoding::Json, beat.to_string().as_bytes()).unwrap();
    let payload = wire::encode(Encoding::MessagePack, &beat).into();
    let subject = subjects::heartbeat(&beat.node);
    cluster.client().publish(subject, payload).await.unwrap();
    let diagnosis = wait_made(Fault::WrongCapacity, async || diagnose(&cluster).await).await;
    let finding = diagnosis.finding("node-capacity");
    let what = "n5 reports a capacity of 4000.00 cores and 1.0 GiB; a host has 2048 cores at";
    assert!(finding["what"].to_string().contains(what), "{finding}");
    assert_eq!(finding["command"], "ssh n5 rolecast worker-init");
}
