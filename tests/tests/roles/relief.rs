//! Relief of a holder whose host is overloaded by others.

use std::time::{Duration, Instant};

use rolecast_common::wire::Why;
use rolecast_tests::cluster::{Cluster, LIMIT};

use crate::{DISPATCHER, holder, hooks, last_change_of, settled, view, worker};

/// The term of 15 s, and the time until the calm is trusted.
const RESTORE_MAX: Duration = Duration::from_secs(180);

#[tokio::test]
async fn a_leader_overloaded_by_others_is_relieved_and_later_has_the_role_back() {
    let cluster = start_loaded(&["n1", "n2", "n3"]).await;
    let (leader, backup) = settled(&cluster).await;
    calm().await;
    cluster.load(&leader, true);
    let began = Instant::now();
    while holder(&cluster, "leader").await.as_deref() != Some(&backup) {
        let roles = view(&cluster).await.map(|view| view.roles);
        assert!(began.elapsed() < LIMIT, "{roles:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let relieved = began.elapsed();
    let change = last_change_of(&cluster, "leader").await;
    let Why::Bottleneck { figures } = &change.why else {
        panic!("{change:?}");
    };
    assert!(
        figures.get("benefit_core_s") > figures.get("cost_core_s"),
        "{figures:?}"
    );
    assert!(relieved < Duration::from_secs(20), "{relieved:?}");
    cluster.submit("lead", "job", "").await;
    let record = cluster.wait_record("job").await;
    assert_eq!(record.node, backup.parse().ok());
    cluster.load(&leader, false);
    let began = Instant::now();
    while holder(&cluster, "leader").await.as_deref() != Some(&leader) {
        let roles = view(&cluster).await.map(|view| view.roles);
        assert!(began.elapsed() < RESTORE_MAX, "{roles:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let change = last_change_of(&cluster, "leader").await;
    assert!(matches!(change.why, Why::Restored { .. }), "{change:?}");
    for run in [
        format!("{leader} follower,leader > follower at"),
        format!("{backup} backup,follower > follower,leader at")
            .replace("backup,follower", "follower,backup"),
    ] {
        assert!(
            hooks(&cluster).contains(&run),
            "{run:?} not in {}",
            hooks(&cluster)
        );
    }
}

#[tokio::test]
async fn load_that_comes_and_goes_everywhere_moves_nothing() {
    let cluster = start_loaded(&["n1", "n2", "n3"]).await;
    let nodes = ["n1", "n2", "n3"];
    let before = settled(&cluster).await;
    let length = std::env::var("ROLECAST_FLAP_SECONDS").ok();
    let length = length.and_then(|text| text.parse().ok()).unwrap_or(45);
    for second in 0..length {
        for (index, node) in nodes.iter().enumerate() {
            // Ten seconds of every 25, one node after the other.
            let phase = (second + 8 * index) % 25;
            match phase {
                0 => cluster.load(node, true),
                10 => cluster.load(node, false),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let view = view(&cluster).await.expect("the roles are known");
    let moves = view.document.history.iter();
    let moves = moves.filter(|change| matches!(change.why, Why::Bottleneck { .. }));
    // At most six an hour are allowed, and a flapping load is not worth any.
    assert_eq!(moves.count(), 0);
    assert_eq!(settled(&cluster).await, before);
}

async fn start_loaded(nodes: &[&str]) -> Cluster {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    for node in nodes {
        cluster.add_loaded_worker(node, &worker(node));
    }
    cluster.wait_ready(nodes).await;
    cluster
}

/// Waits without load, so that the usual load is known.
async fn calm() {
    tokio::time::sleep(Duration::from_secs(35)).await;
}
