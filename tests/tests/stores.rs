//! Sizes and codes: messages at the largest size, and the server's own codes.

use async_nats::jetstream::stream::{Config, Source};
use async_nats::{HeaderMap, header};
use bytes::Bytes;
use futures_util::future::join_all;
use rolecast_common::options::{HEADER_DEADLINE, HEADER_MSG_ID};
use rolecast_common::subjects::{
    STREAM_DEAD, STREAM_DECISIONS, STREAM_JOBS, STREAM_LOGS, STREAM_RESULTS,
};
use rolecast_common::wire::{NodeHealth, RecordStatus, Trouble};
use rolecast_nats::{Meaning, headers_len, meaning_of, publish_with_retry};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::server::Server;
use rolecast_tests::servers::{Options, Servers};
use rolecast_tests::wait::wait_until;

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 4
[capacity]
cpu = 4
memory = "1GiB"
[categories.count]
command = ["wc", "-c"]
[categories.print]
command = ["head", "-c", "65300", "/dev/zero"]
[categories.poison]
command = ["sh", "-c", "exit 64"]
"#;

const DISPATCHER: &str = "[categories.count]\n[categories.print]\n[categories.poison]\n";
const MAX_PAYLOAD: usize = 65_536;

async fn small_cluster() -> Cluster {
    let lines = format!("max_payload: {MAX_PAYLOAD}\n");
    let server = Server::start_with_config(&lines).await;
    let mut cluster = Cluster::on(server, DISPATCHER).await;
    cluster.add_worker("n1", WORKER);
    cluster.wait_ready(&["n1"]).await;
    cluster
}

#[tokio::test]
async fn a_job_that_grows_above_the_limit_on_its_way_is_dead_lettered_with_that_reason() {
    let cluster = small_cluster().await;
    // A length becomes a time, which is longer: the job fits the stream and no node.
    let headers = headers([(HEADER_MSG_ID, "grown"), (HEADER_DEADLINE, "5m")]);
    let payload = vec![b'x'; MAX_PAYLOAD - headers_len(&headers)];
    let subject = "rolecast.jobs.count";
    cluster
        .submit_to(subject, headers.clone(), payload.clone())
        .await;
    let record = cluster.wait_record("grown").await;
    assert_eq!(record.status, RecordStatus::Dead);
    assert!(
        record.reason.contains("max_payload is 65536"),
        "{}",
        record.reason
    );
    assert_eq!((record.attempt, record.failures.len()), (None, 0));
    let letters = cluster.dead_letters().await;
    assert_eq!(letters[0].payload, payload);
    // One that fits with its time is run, and the node was not blamed.
    let mut spare = headers;
    spare.insert(HEADER_MSG_ID, "fits");
    let payload = vec![b'x'; MAX_PAYLOAD - headers_len(&spare) - 100];
    let len = payload.len();
    cluster.submit_to(subject, spare, payload).await;
    let record = cluster.wait_record("fits").await;
    assert_eq!(record.status, RecordStatus::Completed);
    assert_eq!(record.output.0, format!("{len}\n"));
    let status = cluster
        .wait_status("the dispatcher answers", |_| true)
        .await;
    assert_eq!(status.nodes[0].health, NodeHealth::Ready);
    assert_eq!(status.counters.jobs_bounced, 0);
    assert_eq!(status.counters.jobs_lost_with_node, 0);
}

#[tokio::test]
async fn an_outcome_whose_record_is_too_large_is_cut_and_marked() {
    let cluster = small_cluster().await;
    cluster.submit("print", "large", "").await;
    let record = cluster.wait_record("large").await;
    assert_eq!(record.status, RecordStatus::Completed);
    assert!(record.output_truncated);
    let len = record.output.0.len();
    assert!((64_000..65_300).contains(&len), "{len}");
    cluster.wait_no_jobs(LIMIT).await;
    let (text, exit) = cluster.rolecast(&["job", "get", "large"]).await;
    assert_eq!(exit, 0, "{text}");
}

#[tokio::test]
async fn what_a_job_expected_of_its_stream_does_not_bind_its_dead_letter() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    let headers = headers([
        (HEADER_MSG_ID, "bad"),
        ("Nats-Expected-Stream", STREAM_JOBS),
        ("Language", "de"),
    ]);
    cluster
        .submit_to("rolecast.jobs.poison", headers, "payload")
        .await;
    let record = cluster.wait_record("bad").await;
    assert_eq!(record.status, RecordStatus::Dead);
    let letters = cluster.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("Nats-Expected-Stream"), "");
    assert_eq!(letters[0].header("Language"), "de");
    cluster.wait_no_jobs(LIMIT).await;
    // Nobody runs it again, so it stays where it was put.
    cluster.worker("n1").kill();
    let (text, exit) = cluster.rolecast(&["dead", "retry", "bad"]).await;
    assert_eq!(exit, 0, "{text}");
    assert_eq!(cluster.message_count(STREAM_JOBS).await, Some(1));
    assert!(cluster.dead_letters().await.is_empty());
}

/// Returns a writer's own guard and payload, on one subject with others.
fn guarded(i: usize) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    (headers, Bytes::from(i.to_string()))
}

#[tokio::test]
async fn of_many_writers_in_flight_on_replicas_one_stores_and_all_learn_it() {
    let servers = Servers::start(&Options::replicas(3)).await;
    let client = servers.client().await;
    let jetstream = async_nats::jetstream::new(client);
    let stream = jetstream
        .create_stream(Config {
            name: "RESULTS".to_owned(),
            subjects: vec!["results.*".to_owned()],
            max_messages_per_subject: 1,
            num_replicas: 3,
            ..Config::default()
        })
        .await
        .unwrap();
    let mut first_answers = Vec::new();
    for round in 0..20 {
        let subject = format!("results.{round}");
        // The server's answers to the later ones, before any is repeated.
        let sent = join_all((0..8).map(|i| {
            let (headers, payload) = guarded(i);
            jetstream.publish_with_headers(subject.clone(), headers, payload)
        }));
        let acks = sent.await.into_iter();
        let acks = acks.map(|sent| sent.unwrap().into_future());
        let mut stored = 0;
        for answer in join_all(acks).await {
            match answer {
                Ok(_) => stored += 1,
                Err(error) => first_answers.push(meaning_of(&error)),
            }
        }
        assert_eq!(stored, 1);
        // Repeated until it is certain, as in dead-lettering.
        let subject = format!("results.again-{round}");
        let writers = (0..8).map(|i| {
            let (headers, payload) = guarded(i);
            let (jetstream, subject) = (jetstream.clone(), subject.clone());
            async move { publish_with_retry(&jetstream, &subject, &headers, &payload).await }
        });
        let mut stored = 0;
        for answer in join_all(writers).await {
            match answer {
                Ok(_) => stored += 1,
                Err(error) => assert_eq!(meaning_of(&error), Some(Meaning::Conflict), "{error}"),
            }
        }
        assert_eq!(stored, 1);
        // The same with a message id: a later one gets the answer that it is stored.
        let subject = format!("results.id-{round}");
        let writers = (0..8).map(|_| {
            let headers = headers([(HEADER_MSG_ID, subject.as_str())]);
            let (jetstream, subject) = (jetstream.clone(), subject.clone());
            async move { publish_with_retry(&jetstream, &subject, &headers, &"x".into()).await }
        });
        let acks = join_all(writers).await;
        let acks: Vec<_> = acks.into_iter().map(Result::unwrap).collect();
        assert_eq!(acks.iter().filter(|ack| !ack.duplicate).count(), 1);
    }
    let in_flight = Some(Meaning::InFlight);
    assert!(first_answers.contains(&in_flight), "{first_answers:?}");
    let known = [Some(Meaning::Conflict), in_flight];
    assert!(
        first_answers.iter().all(|answer| known.contains(answer)),
        "{first_answers:?}"
    );
    let info = stream.get_info().await.unwrap();
    assert_eq!(info.state.last_sequence, 60);
}

/// Publishes jobs of this size until the stream refuses one; returns the number of
/// accepted ones and the refusal.
async fn fill(
    cluster: &Cluster,
    size: usize,
) -> (usize, async_nats::jetstream::context::PublishError) {
    let jetstream = cluster.jetstream();
    let payload = Bytes::from(vec![b'x'; size]);
    for count in 0.. {
        let sent = jetstream.publish("rolecast.jobs.count", payload.clone());
        let ack = sent.await.expect("a publish can be sent");
        if let Err(error) = ack.await {
            return (count, error);
        }
    }
    unreachable!("the storage of a test server has an end")
}

async fn limits(cluster: &Cluster) -> Vec<i64> {
    let mut limits = Vec::new();
    for name in [
        STREAM_JOBS,
        STREAM_RESULTS,
        STREAM_DEAD,
        STREAM_DECISIONS,
        STREAM_LOGS,
    ] {
        let stream = cluster.stream(name).await;
        limits.push(stream.cached_info().config.max_bytes);
    }
    limits
}

#[tokio::test]
async fn a_queue_filled_to_its_limit_is_drained() {
    const OFFER: i64 = 96_000_000;
    let server = Server::start_with_storage("96MB").await;
    let mut cluster = Cluster::on(server, DISPATCHER).await;
    let limits = limits(&cluster).await;
    assert!(limits.iter().all(|limit| *limit > 0), "{limits:?}");
    let jobs = limits[0];
    assert!(
        jobs * 100 >= OFFER * 40 && jobs * 100 <= OFFER * 60,
        "{limits:?}"
    );
    assert!(limits.iter().sum::<i64>() <= OFFER, "{limits:?}");
    let (count, refusal) = fill(&cluster, 1_000_000).await;
    assert!(count >= 38, "{count}");
    assert_eq!(meaning_of(&refusal), Some(Meaning::StreamFull), "{refusal}");
    let text = format!("{refusal:?}");
    assert!(text.contains("maximum bytes exceeded"), "{text}");
    cluster.add_worker("n1", WORKER);
    cluster.wait_no_jobs(LIMIT).await;
    let records = cluster.records().await;
    assert_eq!(records.len(), count);
    assert!(records.iter().all(|r| r.status == RecordStatus::Completed));
}

#[tokio::test]
async fn the_size_of_the_queue_is_configured_and_changed_without_losing_jobs() {
    let server = Server::start_with_storage("96MB").await;
    let config = format!("[streams]\nmax_bytes = \"8MiB\"\n{DISPATCHER}");
    let mut cluster = Cluster::on(server, &config).await;
    assert_eq!(limits(&cluster).await[0], 8 << 20);
    let (count, _) = fill(&cluster, 1_000_000).await;
    assert_eq!(count, 8);
    // A smaller limit that does not fit the contents is not set; a larger one is set at
    // once.
    for (size, limit) in [("4MiB", 8 << 20), ("16MiB", 16 << 20)] {
        let config = format!("[streams]\nmax_bytes = \"{size}\"\n{DISPATCHER}");
        cluster.server().directory().write("rolecast.toml", &config);
        cluster.restart_dispatcher();
        cluster
            .wait_status("the dispatcher answers", |_| true)
            .await;
        assert_eq!(limits(&cluster).await[0], limit);
        assert_eq!(cluster.message_count(STREAM_JOBS).await, Some(8));
    }
}

/// Returns the dispatcher's trouble with something, once it reports one.
async fn wait_trouble(cluster: &Cluster, what: &str) -> Trouble {
    let has = |trouble: &Trouble| trouble.what.contains(what);
    let status = cluster
        .wait_status(what, |status| status.troubles.iter().any(has))
        .await;
    let trouble = status.troubles.into_iter().find(has);
    trouble.expect("it was just there")
}

async fn change(cluster: &Cluster, name: &str, change: impl Fn(&mut Config)) {
    let mut config = cluster.stream(name).await.cached_info().config.clone();
    change(&mut config);
    let changed = cluster.jetstream().update_stream(config).await;
    changed.expect("an operator may change it");
}

#[tokio::test]
async fn a_dead_letter_that_has_no_room_is_reported_and_stored_later() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    change(&cluster, STREAM_DEAD, |config| config.max_bytes = 2000).await;
    cluster.submit("poison", "large", vec![b'x'; 4000]).await;
    let trouble = wait_trouble(&cluster, STREAM_DEAD).await;
    assert!(
        trouble.why.contains("maximum bytes exceeded"),
        "{trouble:?}"
    );
    assert!(trouble.remedy.contains("dead purge"), "{trouble:?}");
    assert_eq!(cluster.message_count(STREAM_JOBS).await, Some(1));
    change(&cluster, STREAM_DEAD, |config| config.max_bytes = 1 << 20).await;
    let record = cluster.wait_record("large").await;
    assert_eq!(record.status, RecordStatus::Dead);
    cluster.wait_no_jobs(LIMIT).await;
    cluster
        .wait_status("the trouble is over", |status| status.troubles.is_empty())
        .await;
}

#[tokio::test]
async fn a_copy_of_the_queue_and_settings_that_lose_jobs_are_noticed() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let copy = Config {
        name: "BACKUP".to_owned(),
        mirror: Some(Source {
            name: STREAM_JOBS.to_owned(),
            ..Source::default()
        }),
        ..Config::default()
    };
    let created = cluster.jetstream().create_stream(copy).await;
    created.expect("an operator may do so");
    change(&cluster, STREAM_JOBS, |config| {
        config.max_messages_per_subject = 5;
        config.allow_rollup = true;
    })
    .await;
    cluster.restart_dispatcher();
    let trouble = wait_trouble(&cluster, "JS_MIRROR").await;
    assert!(trouble.why.starts_with("BACKUP mirrors"), "{trouble:?}");
    assert!(trouble.remedy.contains("nats stream backup"), "{trouble:?}");
    wait_until("the settings are restored", LIMIT, async || {
        let stream = cluster.jetstream().get_stream(STREAM_JOBS).await;
        let stream = stream.expect("the stream exists");
        let config = &stream.cached_info().config;
        config.max_messages_per_subject <= 0 && !config.allow_rollup
    })
    .await;
    let log = cluster.dispatcher().log();
    assert!(log.contains("setting_restored"), "{log}");
    assert!(
        log.contains("max_msgs_per_subject, allow_rollup_hdrs"),
        "{log}"
    );
}

#[tokio::test]
async fn a_server_filled_by_others_is_reported_and_left_without_an_exit() {
    let server = Server::start_with_storage("64MB").await;
    let mut cluster = Cluster::on(server, DISPATCHER).await;
    cluster.add_worker("n1", WORKER);
    cluster.wait_ready(&["n1"]).await;
    let other = Config {
        name: "OTHER".to_owned(),
        subjects: vec!["other".to_owned()],
        ..Config::default()
    };
    let jetstream = cluster.jetstream();
    jetstream.create_stream(other).await.expect("there is room");
    let payload = Bytes::from(vec![b'x'; 1_000_000]);
    wait_until("nothing is stored", LIMIT, async || {
        let sent = jetstream.publish("other", payload.clone()).await;
        let ack = sent.expect("a publish can be sent").await;
        ack.is_err_and(|error| meaning_of(&error) == Some(Meaning::NoResources))
    })
    .await;
    wait_until("the lease is not stored", LIMIT, async || {
        cluster.dispatcher().log().contains("lease_not_stored")
    })
    .await;
    jetstream.delete_stream("OTHER").await.expect("it exists");
    cluster.submit("count", "afterwards", "abc").await;
    let record = cluster.wait_record("afterwards").await;
    assert_eq!(record.output.0, "3\n");
    // The same process leads on.
    assert_eq!(
        cluster
            .dispatcher()
            .log()
            .matches("dispatcher started")
            .count(),
        1
    );
}
