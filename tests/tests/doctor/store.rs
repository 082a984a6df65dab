//! Faults of streams, buckets, consumers, replicas and the lease.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Source, StorageType};
use futures_util::StreamExt as _;
use rolecast_common::subjects::{STREAM_ADVISORIES, STREAM_DEAD, STREAM_JOBS, STREAM_RESULTS};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::wait::wait_until;
use serde_json::{Value, json};

use super::{Fault, diagnose, wait_made};

/// Changes a stream as an administrator could.
async fn edit(jetstream: &jetstream::Context, name: &str, change: impl FnOnce(&mut Config)) {
    let stream = jetstream.get_stream(name).await;
    let mut config = stream.expect("it is there").cached_info().config.clone();
    change(&mut config);
    let updated = jetstream.update_stream(config).await;
    updated.expect("an administrator may change it");
}

async fn consumer(jetstream: &jetstream::Context, name: &str) -> PullConsumer {
    let consumer = jetstream.get_consumer_from_stream(name, STREAM_JOBS).await;
    consumer.expect("it is there")
}

#[tokio::test]
async fn what_an_administrator_changed_while_no_dispatcher_ran_is_found() {
    let dispatcher = "[categories.echo]\n[categories.scan]\n[categories.move]\n";
    let server = rolecast_tests::server::Server::start().await;
    let mut cluster = Cluster::on(server, dispatcher).await;
    wait_until("all is set up", LIMIT, async || {
        diagnose(&cluster)
            .await
            .ids()
            .iter()
            .all(|id| *id == "nodes-none" || *id == "server-faults" || *id == "category-unused")
    })
    .await;
    cluster.dispatcher().kill();
    let jetstream = cluster.jetstream();
    change_streams(&jetstream).await;
    change_consumers(&cluster, &jetstream).await;
    let diagnosis = wait_made(Fault::ChangedByHand, async || diagnose(&cluster).await).await;
    assert_eq!(diagnosis.code, 8);
    let changed = diagnosis.finding("stream-changed");
    assert_eq!(
        changed["what"],
        "stream ROLECAST_JOBS: discard is old, and should be new"
    );
    let dead = diagnosis.finding("dead-letters");
    assert_eq!(dead["command"], "rolecast dead ls --category echo");
    let paused = diagnosis.finding("consumer-paused");
    assert_eq!(
        paused["command"],
        "nats consumer resume ROLECAST_JOBS normal-scan --force"
    );
}

async fn change_streams(jetstream: &jetstream::Context) {
    edit(jetstream, STREAM_JOBS, |config| {
        config.discard = DiscardPolicy::Old;
        config.max_messages = 1_000_000;
        config.max_bytes = -1;
    })
    .await;
    edit(jetstream, "KV_ROLECAST_ROLES", |config| {
        config.max_age = Duration::from_secs(3600);
    })
    .await;
    jetstream
        .delete_stream(STREAM_RESULTS)
        .await
        .expect("the server obeys the test");
    let advisories = jetstream
        .get_stream(STREAM_ADVISORIES)
        .await
        .expect("the server obeys the test");
    let advisories = advisories.cached_info().config.clone();
    jetstream
        .delete_stream(STREAM_ADVISORIES)
        .await
        .expect("the server obeys the test");
    let in_memory = Config {
        storage: StorageType::Memory,
        ..advisories
    };
    jetstream
        .create_stream(in_memory)
        .await
        .expect("the server obeys the test");
    let letter = vec![0; 900_000];
    let sent = jetstream
        .publish("rolecast.dead.echo.old", letter.into())
        .await;
    sent.expect("the server obeys the test")
        .await
        .expect("the server obeys the test");
    edit(jetstream, STREAM_DEAD, |config| {
        config.max_bytes = 1_000_000;
    })
    .await;
    let mirror = Config {
        name: "BACKUP".to_owned(),
        mirror: Some(Source {
            name: STREAM_JOBS.to_owned(),
            ..Source::default()
        }),
        ..Config::default()
    };
    jetstream
        .create_stream(mirror)
        .await
        .expect("the server obeys the test");
}

async fn change_consumers(cluster: &Cluster, jetstream: &jetstream::Context) {
    let jobs = jetstream
        .get_stream(STREAM_JOBS)
        .await
        .expect("the server obeys the test");
    let foreign = pull::Config {
        durable_name: Some("mine".to_owned()),
        filter_subject: "rolecast.jobs.other".to_owned(),
        ack_policy: AckPolicy::Explicit,
        ..pull::Config::default()
    };
    jobs.create_consumer(foreign)
        .await
        .expect("the server obeys the test");
    jobs.delete_consumer("low-echo")
        .await
        .expect("the server obeys the test");
    let mut changed = consumer(jetstream, "high-echo")
        .await
        .cached_info()
        .config
        .clone();
    changed.max_deliver = 3;
    let request = json!({"stream_name": STREAM_JOBS, "config": changed, "action": "update"});
    let subject = "CONSUMER.CREATE.ROLECAST_JOBS.high-echo.rolecast.jobs.echo.high";
    let _: Value = jetstream
        .request(subject, &request)
        .await
        .expect("the server obeys the test");
    let until = json!({"pause_until": "2040-01-01T00:00:00Z"});
    let paused = jetstream.request("CONSUMER.PAUSE.ROLECAST_JOBS.normal-scan", &until);
    let _: Value = paused.await.expect("the server obeys the test");
    // One job in hand is all that this one may have, and another waits.
    let mut full = consumer(jetstream, "normal-move")
        .await
        .cached_info()
        .config
        .clone();
    full.max_ack_pending = 1;
    let request = json!({"stream_name": STREAM_JOBS, "config": full, "action": "update"});
    let subject = "CONSUMER.CREATE.ROLECAST_JOBS.normal-move.rolecast.jobs.move";
    let _: Value = jetstream
        .request(subject, &request)
        .await
        .expect("the server obeys the test");
    cluster.submit("move", "job-1", "x").await;
    cluster.submit("move", "job-2", "x").await;
    let full = consumer(jetstream, "normal-move").await;
    let mut batch = full
        .fetch()
        .max_messages(1)
        .messages()
        .await
        .expect("the server obeys the test");
    batch
        .next()
        .await
        .expect("a job is there")
        .expect("the server obeys the test");
}

#[tokio::test]
async fn a_lease_that_its_bucket_refuses_is_lapsed() {
    let cluster = super::dispatcher().await;
    edit(&cluster.jetstream(), "KV_ROLECAST_CONTROL", |config| {
        config.max_message_size = 1;
    })
    .await;
    let diagnosis = wait_made(Fault::LeaseRefused, async || diagnose(&cluster).await).await;
    assert_eq!(diagnosis.code, 8);
}
