//! Nodes: the properties they report, their distance, and jobs' requirements on them.

use rolecast_common::options::{HEADER_JOB_ID, HEADER_KEY, HEADER_REQUIRE};
use rolecast_common::wire::RecordStatus;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::jobs::headers;

const WORKER: &str = r#"
speed = 1.5
[labels]
zone = "eu"
[categories.echo]
command = ["cat"]
"#;

#[tokio::test]
async fn a_node_answers_pings_and_describes_itself() {
    let cluster = Cluster::start("[categories.echo]\n", &[("n1", WORKER)]).await;
    let is_known = "the round trip is known";
    let status = cluster
        .wait_status(is_known, |status| status.nodes[0].round_trip_us.is_some())
        .await;
    let node = &status.nodes[0];
    assert_eq!(node.labels.get("zone"), Some("eu"));
    assert_eq!(node.speed.get(), 1.5);
    assert!(node.round_trip_us.unwrap() < 5_000_000);
    let counters = status.counters;
    assert_eq!((counters.outcomes_malformed, counters.jobs_bounced), (0, 0));
    let (shown, _) = cluster.rolecast(&["status", "--json"]).await;
    assert!(shown.contains(r#""zone": "eu""#), "{shown}");
}

#[tokio::test]
async fn unreadable_labels_are_reported_and_others_are_taken() {
    let cluster = Cluster::start("[categories.echo]\n", &[("n1", WORKER)]).await;
    for (job, require) in [("fine", "zone=eu"), ("wrong", "zone=eu, GPU")] {
        let wishes = headers([
            (HEADER_JOB_ID, job),
            (HEADER_REQUIRE, require),
            (HEADER_KEY, "customer-17"),
        ]);
        cluster.submit_to("rolecast.jobs.echo", wishes, "x").await;
    }
    let record = cluster.wait_record("fine").await;
    assert_eq!(record.status, RecordStatus::Completed);
    let record = cluster.wait_record("wrong").await;
    assert_eq!(record.status, RecordStatus::Dead);
    let reason = r#"header Rolecast-Require: "zone=eu, GPU" is not up to 8 labels"#;
    assert!(record.reason.starts_with(reason), "{}", record.reason);
}
