//! Faults of the connection, the server, the login and the account.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::stream::Config;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::logins::{ADMIN, OPERATOR, url};
use rolecast_tests::server::Server;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::{Fault, diagnose, diagnose_at, wait_made};

#[tokio::test]
async fn without_nats_that_alone_is_reported_also_if_the_server_hangs() {
    let mut server = Server::start().await;
    let at = server.url_as(OPERATOR);
    server.stop();
    let begin = Instant::now();
    let frozen = diagnose_at(server.directory().path(), &at, &[]).await;
    assert!(begin.elapsed() < Duration::from_secs(10));
    server.kill();
    let gone = diagnose_at(server.directory().path(), &at, &[]).await;
    for diagnosis in [frozen, gone] {
        assert!(
            diagnosis.has_all(Fault::NoServer),
            "{:#}",
            diagnosis.document
        );
        assert_eq!(diagnosis.code, 3);
        assert_eq!(diagnosis.ids().len(), 1);
        assert_eq!(diagnosis.not_checked().len(), 13);
        // No password is shown.
        assert!(!diagnosis.document.to_string().contains("operator:operator"));
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_not_a_missing_server() {
    let server = Server::start().await;
    let wrong = format!("nats://operator:wrong@127.0.0.1:{}", server.port());
    let diagnosis = diagnose_at(server.directory().path(), &wrong, &[]).await;
    assert!(
        diagnosis.has_all(Fault::WrongPassword),
        "{:#}",
        diagnosis.document
    );
    assert_eq!(diagnosis.code, 3);
}

/// Starts what looks like a server of this version, and answers pings only.
async fn imitation(version: &str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    let info = format!(
        "INFO {{\"server_id\":\"x\",\"server_name\":\"x\",\"version\":\"{version}\",\"proto\":1,\
         \"headers\":true,\"max_payload\":1048576,\"jetstream\":true}}\r\n"
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let info = info.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                let mut sent = write.write_all(info.as_bytes()).await;
                while let (Ok(()), Ok(Some(line))) = (&sent, lines.next_line().await) {
                    if line.starts_with("PING") {
                        sent = write.write_all(b"PONG\r\n").await;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn old_and_faulty_servers_are_recognized_and_silence_ends_in_time() {
    let directory = rolecast_tests::directory::Directory::new();
    let old = imitation("2.9.10").await;
    let diagnosis = diagnose_at(directory.path(), &url(old, OPERATOR), &[]).await;
    assert!(
        diagnosis.has_all(Fault::OldServer),
        "{:#}",
        diagnosis.document
    );
    assert_eq!(diagnosis.code, 3);
    let faulty = imitation("2.14.5").await;
    let begin = Instant::now();
    let diagnosis = diagnose_at(directory.path(), &url(faulty, OPERATOR), &[]).await;
    assert!(
        begin.elapsed() < Duration::from_secs(12),
        "{:?}",
        begin.elapsed()
    );
    assert!(
        diagnosis.has_all(Fault::FaultyServer),
        "{:#}",
        diagnosis.document
    );
    assert_eq!(diagnosis.code, 8);
}

#[tokio::test]
async fn an_account_without_jetstream_is_named_and_not_ten_missing_streams() {
    let block = "accounts { A: { users: [{ user: admin, password: admin }] } }\n";
    let server = Server::start_with_authorization(block).await;
    let diagnosis = diagnose_at(server.directory().path(), &server.url_as(ADMIN), &[]).await;
    assert!(
        diagnosis.has_all(Fault::NoJetStream),
        "{:#}",
        diagnosis.document
    );
    assert!(!diagnosis.ids().contains("stream-missing"));
    assert!(!diagnosis.ids().contains("stream-silent"));
}

#[tokio::test]
async fn a_server_that_no_dispatcher_has_set_up_is_named_once() {
    let server = Server::start().await;
    let at = server.url_as(OPERATOR);
    let diagnosis = diagnose_at(server.directory().path(), &at, &[]).await;
    assert!(
        diagnosis.has_all(Fault::EmptyServer),
        "{:#}",
        diagnosis.document
    );
    assert_eq!(diagnosis.ids().len(), 2, "{:#}", diagnosis.document);
    let missing = diagnosis.finding("stream-missing");
    assert_eq!(
        missing["command"],
        "rolecast-dispatcher --config rolecast.toml"
    );
}

#[tokio::test]
async fn an_account_that_is_nearly_full_is_seen_before_it_is() {
    let limits = "{ max_file: 100MB, max_streams: 11, max_consumers: 5 }";
    let server = Server::start_with_limits(limits).await;
    let jetstream = jetstream::new(server.client().await);
    let other = Config {
        name: "OTHER".to_owned(),
        subjects: vec!["other".to_owned()],
        ..Config::default()
    };
    jetstream.create_stream(other).await.unwrap();
    for _ in 0..85 {
        let sent = jetstream.publish("other", vec![0; 1_000_000].into()).await;
        sent.unwrap().await.unwrap();
    }
    let cluster = Cluster::on(server, "[categories.echo]\n").await;
    wait_made(Fault::TightAccount, async || diagnose(&cluster).await).await;
}

#[tokio::test]
async fn a_login_between_viewer_and_operator_learns_which_rights_it_lacks() {
    let half = r#"{ user: half, password: half, permissions: {
        publish: { allow: ["rolecast.api.status", "rolecast.jobs.*", "$SYS.REQ.USER.INFO"] }
        subscribe: { allow: ["_INBOX.half.>"] } } }"#;
    let server = Server::start_with_users(half).await;
    let cluster = Cluster::on(server, "[categories.echo]\n").await;
    let diagnosis = super::diagnose_as(&cluster, "half", &[]).await;
    assert!(
        diagnosis.has_all(Fault::WeakLogin),
        "{:#}",
        diagnosis.document
    );
    let finding = diagnosis.finding("rights-missing");
    assert_eq!(finding["command"], "rolecast permissions --operator");
    // Nothing was tried that the login may not do: the harness checks that at the end.
    assert!(diagnosis.not_checked().contains("streams"));
}

#[tokio::test]
async fn a_small_message_size_is_reported() {
    let server = Server::start_with_config("max_payload: 65536\n").await;
    let cluster = Cluster::on(server, "[categories.echo]\n").await;
    let diagnosis = diagnose(&cluster).await;
    assert!(
        diagnosis.has_all(Fault::SmallMessages),
        "{:#}",
        diagnosis.document
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_wrong_clock_of_this_machine_is_not_one_of_the_fleet() {
    let cluster = super::dispatcher().await;
    let library = rolecast_tests::skew::library(cluster.directory());
    let environment = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("CLOCK_SKEW_S", "-300"),
    ];
    let mut cluster = cluster;
    let at = cluster.server().url_as(OPERATOR);
    let diagnosis = diagnose_at(cluster.directory(), &at, &environment).await;
    assert!(
        diagnosis.has_all(Fault::WrongClockHere),
        "{:#}",
        diagnosis.document
    );
    assert!(!diagnosis.ids().contains("clock-skew-dispatcher"));
    assert!(!diagnosis.ids().contains("clock-skew-server"));
    let what = diagnosis.finding("clock-skew-here")["what"].to_string();
    assert!(what.contains("5m") && what.contains("behind"), "{what}");
}
