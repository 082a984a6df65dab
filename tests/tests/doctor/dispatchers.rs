//! Faults of the dispatchers beside the leader.

use futures_util::StreamExt as _;
use rolecast_common::id::Epoch;
use rolecast_common::subjects;
use rolecast_common::wire::{self, DispatcherSign, Encoding, VERSION};
use rolecast_tests::cluster::LIMIT;
use rolecast_tests::process::Process;
use rolecast_tests::wait::wait_until;
use serde_json::json;

use super::{Fault, diagnose, wait_made};

async fn wait_standing_by(process: &Process) {
    wait_until("it stands by", LIMIT, async || {
        process.log().contains("standing_by")
    })
    .await;
}

#[tokio::test]
async fn a_standby_that_hangs_is_named_and_no_longer_once_it_is_back() {
    let cluster = super::dispatcher().await;
    let second = cluster.second_dispatcher();
    wait_standing_by(&second).await;
    let well = diagnose(&cluster).await;
    assert!(!well.ids().contains("standby-lost"), "{:#}", well.document);
    second.stop();
    let diagnosis = wait_made(Fault::FrozenStandby, async || diagnose(&cluster).await).await;
    second.cont();
    // It does not lead, so jobs are dispatched.
    assert!(!diagnosis.ids().contains("dispatcher-silent"));
    wait_until("it answers again", LIMIT, async || {
        !diagnose(&cluster).await.ids().contains("standby-lost")
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_clock_of_a_standby_is_compared_with_the_servers() {
    let cluster = super::dispatcher().await;
    let second = cluster.second_skewed_dispatcher(-40);
    wait_standing_by(&second).await;
    let diagnosis = wait_made(Fault::SkewedStandby, async || diagnose(&cluster).await).await;
    let finding = diagnosis.finding("clock-skew-standby");
    assert!(
        finding["what"]
            .to_string()
            .contains("s behind the server's"),
        "{finding}"
    );
    // The leader follows the server's clock.
    assert!(!diagnosis.ids().contains("clock-skew-dispatcher"));
}

/// A dispatcher of another version that believes that it leads, as one could that was
/// restored from a copy of its machine; it gives one sign of life.
#[tokio::test]
async fn a_second_leader_and_its_version_are_reported() {
    let cluster = super::dispatcher().await;
    let client = cluster.client();
    let mut requests = client.subscribe("$SRV.STATS.rolecast").await.unwrap();
    let answering = client.clone();
    let other = tokio::spawn(async move {
        let figures = json!({
            "type": "io.nats.micro.v1.stats_response", "name": "rolecast", "id": "x1",
            "version": "0.0.7", "started": "2026-01-01T00:00:00Z", "endpoints": [],
            "metadata": {"dispatcher": "old", "state": "leader", "epoch": "3"},
        });
        while let Some(request) = requests.next().await {
            let answer = figures.to_string().into();
            let reply = request.reply.expect("a request has a reply");
            answering
                .publish(reply, answer)
                .await
                .expect("the server is there");
        }
    });
    let sign = DispatcherSign {
        v: VERSION,
        name: "old".to_owned(),
        incarnation: "x1".to_owned(),
        leads: Some(Epoch::new(3)),
        version: "0.0.7".to_owned(),
        page: String::new(),
        is_leaving: false,
    };
    let payload = wire::encode(Encoding::MessagePack, &sign).into();
    client.publish(subjects::DISPATCHER, payload).await.unwrap();
    let diagnosis = wait_made(Fault::TwoLeaders, async || diagnose(&cluster).await).await;
    other.abort();
    assert_eq!(diagnosis.code, 8);
    let versions = diagnosis.finding("dispatcher-versions");
    assert!(
        versions["what"].to_string().contains("old has 0.0.7"),
        "{versions}"
    );
    let leaders = diagnosis.finding("leaders-many");
    assert!(
        leaders["what"].to_string().contains("old under epoch 3"),
        "{leaders}"
    );
}
