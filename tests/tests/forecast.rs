//! Forecasts of the real dispatcher: its answers, and its state over a restart.

use async_nats::HeaderMap;
use async_nats::jetstream::kv::Store;
use rolecast_common::subjects::{
    API_CAPACITY, API_FORECAST, API_STATUS, BUCKET_CAPACITY, BUCKET_FORECASTS, KEY_CAPACITY,
};
use rolecast_common::wire::{
    self, CapacityMap, Encoding, ForecastMode, ForecastView, HEADER_CONTENT_TYPE, NodeHealth,
    Status, decode,
};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::wait::{wait_for, wait_until};

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "host"
max_jobs = 4
[categories.echo]
command = ["cat"]
"#;

/// Steps of a second, so that a test sees some of them.
const DISPATCHER: &str = r#"
[forecast]
step = "1s"
[categories.echo]
roles = ["follower"]
"#;

async fn ask<M: wire::Message>(
    cluster: &Cluster,
    subject: &'static str,
    payload: &'static str,
    encoding: Encoding,
) -> M {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_CONTENT_TYPE, encoding.content_type());
    let asked = cluster
        .client()
        .request_with_headers(subject, headers, payload.into());
    let answer = asked.await.expect("the dispatcher answers");
    let headers = answer.headers.expect("an answer names its encoding");
    assert_eq!(
        headers.get(HEADER_CONTENT_TYPE).map(|value| value.as_str()),
        Some(encoding.content_type())
    );
    decode(encoding, &answer.payload).expect("the answer is of the encoding it names")
}

async fn bucket(cluster: &Cluster, name: &str) -> Store {
    let bucket = cluster.jetstream().get_key_value(name).await;
    bucket.expect("the dispatcher made the bucket")
}

/// Waits until there are forecasts of n1, and returns them.
async fn wait_forecast(cluster: &Cluster) -> ForecastView {
    wait_for("node n1 is forecast", LIMIT, async || {
        let view: ForecastView = ask(cluster, API_FORECAST, "n1", Encoding::Json).await;
        let is_forecast = view
            .resources
            .get("cpu")
            .is_some_and(|cpu| !cpu.horizons.is_empty());
        is_forecast.then_some(view)
    })
    .await
}

/// Returns the number of one-step forecasts of CPU that were scored.
fn scored(view: &ForecastView) -> u64 {
    view.resources["cpu"].accuracy[0].scored
}

#[tokio::test]
async fn questions_are_answered_in_both_encodings() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    wait_forecast(&cluster).await;
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        let status: Status = ask(&cluster, API_STATUS, "", encoding).await;
        assert_eq!(status.forecast_mode, ForecastMode::On);
        let roles: Vec<(&str, u32)> = status
            .roles
            .iter()
            .map(|role| (role.role.as_str(), role.nodes))
            .collect();
        assert_eq!(roles, [("follower", 1)]);

        let map: CapacityMap = ask(&cluster, API_CAPACITY, "", encoding).await;
        let (_, follower) = map.roles.first_key_value().unwrap();
        let seconds: Vec<u32> = follower.horizons.iter().map(|at| at.seconds).collect();
        assert_eq!(seconds, [1, 10, 60, 300, 900, 3600]);
        for at in &follower.horizons {
            assert!(at.available.safe.cpu <= at.available.likely.cpu, "{at:?}");
            assert_eq!(at.nodes[0].available, at.available.safe);
        }

        let view: ForecastView = ask(&cluster, API_FORECAST, "n1", encoding).await;
        assert_eq!(view.health, Some(NodeHealth::Ready));
        let names: Vec<&String> = view.resources.keys().collect();
        assert_eq!(names, ["cpu", "disk", "memory", "network"]);
        let memory = &view.resources["memory"];
        assert!(memory.capacity > 0.0 && memory.horizons[0].p50 > 0.0);
        for at in &memory.horizons {
            assert!(at.p50 <= at.p90 && at.p90 <= at.p99, "{at:?}");
            assert!(at.p99 <= memory.capacity, "{at:?}");
        }

        let unknown: ForecastView = ask(&cluster, API_FORECAST, "nobody", encoding).await;
        assert_eq!((unknown.health, unknown.resources.len()), (None, 0));
    }
}

#[tokio::test]
async fn the_capacity_map_is_in_the_bucket() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let bucket = bucket(&cluster, BUCKET_CAPACITY).await;
    let map: CapacityMap = wait_for("a map with the node", LIMIT, async || {
        let value = bucket.get(KEY_CAPACITY).await.unwrap()?;
        let map: CapacityMap = decode(Encoding::Json, &value).unwrap();
        let has_node = map.roles.values().any(|role| role.nodes == 1);
        has_node.then_some(map)
    })
    .await;
    assert_eq!((map.mode, map.quantile), (ForecastMode::On, 0.9));
}

#[tokio::test]
async fn a_restart_keeps_the_forecasts_and_drops_a_damaged_one() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER), ("n2", WORKER)]).await;
    wait_until("some forecasts are scored", LIMIT, async || {
        scored(&wait_forecast(&cluster).await) >= 5
    })
    .await;
    cluster.dispatcher().terminate();
    cluster.dispatcher().wait(LIMIT).await;
    let bucket = bucket(&cluster, BUCKET_FORECASTS).await;
    let whole = bucket.get("node.n2").await.unwrap().expect("n2 was kept");
    let mut damaged = whole.to_vec();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    bucket.put("node.n2", damaged.into()).await.unwrap();

    cluster.restart_dispatcher();
    cluster.wait_ready(&["n1", "n2"]).await;
    // It knows at its first heartbeat the state that takes seconds to learn.
    let view = wait_forecast(&cluster).await;
    assert!(scored(&view) >= 5, "{view:?}");
    let fresh: ForecastView = ask(&cluster, API_FORECAST, "n2", Encoding::Json).await;
    assert!(scored(&fresh) < scored(&view), "{fresh:?}");
    let log = cluster.dispatcher().log();
    let dropped: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("forecast_dropped"))
        .collect();
    assert!(
        matches!(dropped[..], [line] if line.contains("WARN") && line.contains("node.n2")),
        "{log}"
    );
}

#[tokio::test]
async fn without_forecasts_jobs_run_and_nothing_is_reported() {
    let config = DISPATCHER.replace("step = \"1s\"", "mode = \"off\"");
    let cluster = Cluster::start(&config, &[("n1", WORKER)]).await;
    cluster.submit("echo", "job-1", "hello").await;
    cluster.wait_record("job-1").await;
    let beats = |status: &Status| status.counters.heartbeats >= 3;
    cluster.wait_status("some heartbeats arrived", beats).await;
    let view: ForecastView = ask(&cluster, API_FORECAST, "n1", Encoding::Json).await;
    assert_eq!((view.mode, view.resources.len()), (ForecastMode::Off, 0));
    let map: CapacityMap = ask(&cluster, API_CAPACITY, "", Encoding::Json).await;
    let (_, follower) = map.roles.first_key_value().unwrap();
    assert_eq!(
        follower.horizons[0].available,
        follower.horizons[5].available
    );
}
