//! The dispatchers as a service of NATS, as `nats service ls`, `info` and `stats` see it, and
//! requests to endpoints.

use std::time::Duration;

use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};
use async_nats::{Client, HeaderMap, Message, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use rolecast_common::subjects;
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::process::Process;
use rolecast_tests::wait::{wait_for, wait_until};
use serde_json::Value;

const DISPATCHER: &str = "[categories.wait]\n";
/// Time limit of one answer: a healthy dispatcher takes milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Sends a request, for which there may be several answers.
async fn ask(client: &Client, subject: &str, body: &str) -> Subscriber {
    let inbox = client.new_inbox();
    let answers = client.subscribe(inbox.clone()).await.expect("it can ask");
    let body = body.to_owned();
    let sent = client.publish_with_reply(subject.to_owned(), inbox, body.into());
    sent.await.expect("it can ask");
    answers
}

async fn next(answers: &mut Subscriber) -> Option<Message> {
    let answer = tokio::time::timeout(ANSWER_LIMIT, answers.next()).await;
    answer.ok()?.filter(|answer| answer.status.is_none())
}

/// Sends a request and returns the first answer, as the commands of `nats` do.
async fn first(client: &Client, subject: &str, body: &str) -> Message {
    wait_for(subject, LIMIT, async || {
        next(&mut ask(client, subject, body).await).await
    })
    .await
}

fn read(message: &Message) -> Value {
    serde_json::from_slice(&message.payload).expect("it is an answer of a service")
}

/// Returns the answers of this many instances, those with the same state in any order.
async fn pings(client: &Client, count: usize) -> Vec<Value> {
    let what = format!("{count} dispatchers answer");
    wait_for(&what, LIMIT, async || {
        let mut answers = ask(client, "$SRV.PING.rolecast", "").await;
        let mut found = Vec::new();
        while found.len() < count {
            found.push(read(&next(&mut answers).await?));
        }
        Some(found)
    })
    .await
}

/// Returns the figures of the instance that answered.
async fn stats(client: &Client, ping: &Value) -> Value {
    let id = ping["id"].as_str().expect("an instance has an id");
    let answer = first(client, &format!("$SRV.STATS.rolecast.{id}"), "").await;
    read(&answer)
}

/// Returns the figures of an endpoint.
fn of<'a>(stats: &'a Value, name: &str) -> &'a Value {
    let mut endpoints = stats["endpoints"].as_array().into_iter().flatten();
    let found = endpoints.find(|endpoint| endpoint["name"] == name);
    found.expect("the endpoint is there")
}

fn error(message: &Message) -> (String, String) {
    let headers = message.headers.clone().unwrap_or_default();
    let get = |headers: &HeaderMap, name| headers.get(name).map(ToString::to_string);
    (
        get(&headers, NATS_SERVICE_ERROR_CODE).unwrap_or_default(),
        get(&headers, NATS_SERVICE_ERROR).unwrap_or_default(),
    )
}

async fn second(cluster: &Cluster) -> Process {
    let second = cluster.second_dispatcher();
    wait_until("the second stands by", LIMIT, async || {
        second.log().contains("standing_by")
    })
    .await;
    second
}

#[tokio::test]
async fn the_service_is_found_and_described_as_the_nats_command_does_it() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let viewer = cluster.server().client_as("viewer").await;
    let operator = cluster.server().client_as("operator").await;
    let ping = read(&first(&operator, "$SRV.PING", "").await);
    assert_eq!(ping["type"], "io.nats.micro.v1.ping_response");
    assert_eq!(ping["name"], "rolecast");
    assert_eq!(ping["metadata"]["state"], "leader");
    assert_eq!(ping["metadata"]["epoch"], "1");
    assert_eq!(ping["version"], env!("CARGO_PKG_VERSION"));
    let info = read(&first(&viewer, "$SRV.INFO.rolecast", "").await);
    assert_eq!(info["type"], "io.nats.micro.v1.info_response");
    for same in ["id", "name", "version", "metadata"] {
        assert_eq!(info[same], ping[same]);
    }
    let endpoints = info["endpoints"].as_array().unwrap();
    let mut found = endpoints.iter();
    assert!(found.any(|endpoint| endpoint["subject"] == subjects::API_STATUS));
    for endpoint in endpoints {
        assert_eq!(endpoint["queue_group"], "");
        assert!(endpoint["metadata"]["request"].is_string(), "{endpoint}");
    }
    let figures = stats(&viewer, &ping).await;
    assert_eq!(figures["type"], "io.nats.micro.v1.stats_response");
    assert_eq!(figures["metadata"], ping["metadata"]);
    assert_eq!(
        figures["endpoints"].as_array().unwrap().len(),
        endpoints.len()
    );
    assert_eq!(of(&figures, "status")["data"]["nodes_ready"], 0);
    assert_eq!(of(&figures, "status")["last_error"], "");
}

#[tokio::test]
async fn the_figures_count_requests_errors_and_refusals() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let viewer = cluster.server().client_as("viewer").await;
    let ping = pings(&viewer, 1).await.remove(0);
    for _ in 0..3 {
        first(&viewer, subjects::API_CAPACITY, "").await;
    }
    let invalid = first(&viewer, subjects::API_FORECAST, "No Node").await;
    let (code, why) = error(&invalid);
    assert_eq!(code, "400", "{why}");
    let missing = first(&viewer, subjects::API_DECISION, "job-7").await;
    assert_eq!(error(&missing).0, "404");
    // Its answer would go to a node.
    let target = "rolecast.node.n1.jobs";
    let sent = cluster
        .client()
        .publish_with_reply(subjects::API_CAPACITY, target, "".into());
    sent.await.unwrap();
    let after = wait_for("all are counted", LIMIT, async || {
        let after = stats(&viewer, &ping).await;
        (of(&after, "capacity")["data"]["refused"] == 1).then_some(after)
    })
    .await;
    let counts = |name: &str| {
        let figures = of(&after, name);
        let count = |field: &str| figures[field].as_u64();
        (count("num_requests"), count("num_errors"))
    };
    assert_eq!(counts("capacity"), (Some(3), Some(0)));
    assert_eq!(counts("forecast"), (Some(1), Some(1)));
    assert_eq!(counts("decision"), (Some(1), Some(1)));
    let last = of(&after, "decision")["last_error"].as_str().unwrap();
    assert!(last.starts_with("404:") && last.contains("job-7"), "{last}");
    let capacity = of(&after, "capacity");
    let nanos = |field: &str| capacity[field].as_u64().unwrap();
    let (total, average) = (nanos("processing_time"), nanos("average_processing_time"));
    assert!(average > 0 && average <= total, "{average} of {total}");
}

#[tokio::test]
async fn an_unknown_endpoint_answers_with_those_that_exist() {
    let cluster = Cluster::start(DISPATCHER, &[]).await;
    let answer = first(cluster.client(), "rolecast.api.statsu", "").await;
    let (code, why) = error(&answer);
    assert_eq!(code, "404");
    assert!(why.contains("rolecast.api.statsu"), "{why}");
    assert!(why.contains("rolecast.api.roles.order"), "{why}");
}

#[tokio::test]
async fn only_the_leader_answers_requests_and_the_next_one_after_a_take_over_and_a_restart() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let viewer = cluster.server().client_as("viewer").await;
    let mut second = second(&cluster).await;
    let both = pings(&viewer, 2).await;
    let in_state = |state: &str| {
        let mut found = both
            .iter()
            .filter(|ping| ping["metadata"]["state"] == state);
        (found.next(), found.next())
    };
    let (Some(standby), None) = in_state("standby") else {
        panic!("one stands by: {both:?}");
    };
    assert!(matches!(in_state("leader"), (Some(_), None)), "{both:?}");
    assert!(standby["metadata"]["epoch"].is_null());
    let idle = stats(&viewer, standby).await;
    assert_eq!(of(&idle, "status")["num_requests"], 0);
    let mut answers = ask(&viewer, subjects::API_CAPACITY, "").await;
    assert!(next(&mut answers).await.is_some());
    // Both have handled what was sent before.
    pings(&viewer, 2).await;
    assert!(answers.next().now_or_never().is_none(), "a second answer");
    cluster.dispatcher().kill();
    wait_until("the second leads", LIMIT, async || {
        second.log().contains("epoch=2")
    })
    .await;
    let now = pings(&viewer, 1).await.remove(0);
    let metadata = &now["metadata"];
    assert_eq!(
        (&metadata["state"], &metadata["epoch"]),
        (&"leader".into(), &"2".into())
    );
    // Metadata of an instance never change.
    assert_ne!(now["id"], standby["id"]);
    first(&viewer, subjects::API_CAPACITY, "").await;
    cluster.server().restart().await;
    let again = pings(&viewer, 1).await.remove(0);
    first(&viewer, subjects::API_CAPACITY, "").await;
    assert_eq!(again["name"], "rolecast");
    assert!(second.is_running());
}

#[tokio::test]
async fn answers_go_to_inboxes_only_and_a_flood_is_bounded() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let second = second(&cluster).await;
    let admin = cluster.client().clone();
    pings(&admin, 2).await;
    // Each is a subject that a dispatcher may publish to.
    let targets = ["rolecast.node.n9.roles", "rolecast.results.job-1"];
    let mut received = Vec::new();
    for target in targets {
        received.push(admin.subscribe(target).await.unwrap());
        for subject in ["$SRV.PING", "$SRV.INFO.rolecast", "$SRV.STATS"] {
            let sent = admin.publish_with_reply(subject, target, "".into());
            sent.await.unwrap();
        }
    }
    wait_until("the leader has refused them", LIMIT, async || {
        let status = cluster.status().await;
        status.is_some_and(|status| status.counters.requests_refused >= 6)
    })
    .await;
    wait_until("the standby has refused them", LIMIT, async || {
        second.log().contains("requests_refused")
    })
    .await;
    pings(&admin, 2).await;
    for subscriber in &mut received {
        assert!(subscriber.next().now_or_never().is_none(), "an answer");
    }
    // A flood from someone who may ask.
    let viewer = cluster.server().client_as("viewer").await;
    let inbox = viewer.new_inbox();
    let mut answers = viewer.subscribe(inbox.clone()).await.unwrap();
    for _ in 0..5_000 {
        let sent = viewer.publish_with_reply("$SRV.PING.rolecast", inbox.clone(), "".into());
        sent.await.unwrap();
    }
    viewer.flush().await.unwrap();
    wait_until("the leader has refused most", LIMIT, async || {
        let status = cluster.status().await;
        status.is_some_and(|status| status.counters.requests_refused >= 4_000)
    })
    .await;
    let mut count = 0;
    while answers.next().now_or_never().flatten().is_some() {
        count += 1;
    }
    assert!((1..2_000).contains(&count), "{count} answers of two");
}

#[tokio::test]
async fn buckets_have_settings_for_monitors_and_keep_those_of_operators() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let jetstream = cluster.jetstream();
    let names = ["CONTROL", "ATTEMPTS", "CAPACITY", "FORECASTS", "ROLES"];
    let config = async |name: &str| {
        let stream = jetstream.get_stream(format!("KV_ROLECAST_{name}")).await;
        stream
            .ok()
            .map(|stream| stream.cached_info().config.clone())
    };
    for name in names {
        let found = wait_for(name, LIMIT, async || config(name).await).await;
        assert_eq!(found.metadata["io.nats.monitor.enabled"], "true", "{name}");
        assert!(found.metadata.contains_key("io.nats.monitor.msgs-critical"));
    }
    // A bucket from before, with settings of an operator.
    let mut old = config("ROLES").await.unwrap();
    old.metadata.clear();
    old.metadata.insert("team".to_owned(), "a".to_owned());
    old.max_bytes = 1 << 20;
    jetstream.update_stream(old).await.unwrap();
    cluster.restart_dispatcher();
    let roles = wait_for("the bucket is upgraded", LIMIT, async || {
        let found = config("ROLES").await?;
        found
            .metadata
            .contains_key("io.nats.monitor.enabled")
            .then_some(found)
    })
    .await;
    assert_eq!(roles.metadata["team"], "a");
    assert_eq!(roles.max_bytes, 1 << 20);
    let upgraded = |log: &str| log.matches("stream_upgraded").count();
    assert_eq!(upgraded(&cluster.dispatcher().log()), 1);
}
