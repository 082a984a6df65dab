//! TLS failures of a connection: every program names the cause.

use rcgen::ExtendedKeyUsagePurpose;
use rolecast_tests::cluster::LIMIT;
use rolecast_tests::process::run;
use rolecast_tests::wait::wait_until;

use super::{directory, runs_a_job, with_passwords};
use crate::jwt::Operator;
use crate::pki::{Authority, Request};
use crate::rights::Rights;
use crate::site::{PARTIES, Site, client_lines, server_lines};

/// A limit that no program should reach: the fault is permanent.
const LIMIT_LONG: &str = "60s";

/// Starts each program with these lines about NATS and checks that it ends by itself, and
/// its message.
async fn all_say(site: &Site, nats: &str, expected: &str) {
    let dispatcher = run(site.dispatcher_with(nats, LIMIT_LONG), LIMIT);
    let worker = run(site.worker_with("web-1", nats, LIMIT_LONG), LIMIT);
    let ((dispatcher, first), (worker, second)) = tokio::join!(dispatcher, worker);
    let (command, third) = site.rolecast_with(nats, &["status"]).await;
    assert_eq!((first.code(), second.code(), third), (Some(1), Some(1), 3));
    for log in [dispatcher, worker, command] {
        assert!(log.contains(expected), "{expected:?} not in {log}");
        assert!(!log.contains("nothing answers"), "{log}");
    }
}

/// Starts a server with the certificate of this request.
async fn with_certificate(name: &str, has_expired: bool) -> Site {
    let (directory, authority) = directory();
    let request = Request {
        file: "server",
        name,
        usage: ExtendedKeyUsagePurpose::ServerAuth,
        has_expired,
    };
    authority.issue(&directory, &request);
    let server = server_lines(&["tls", "passwords"]);
    let client = client_lines(&["tls", "passwords"]);
    Site::start(directory, &server, &client).await
}

#[tokio::test]
async fn an_unknown_authority_is_named() {
    let site = with_passwords().await;
    Authority::new("another").write(&site.directory, "other.pem");
    let nats = site.client("web-1").replace("ca.pem", "other.pem");
    all_say(&site, &nats, "of another authority than those in").await;
    let lines = site.client("web-1");
    let without: Vec<&str> = lines
        .lines()
        .filter(|line| !line.starts_with("ca"))
        .collect();
    let nats = without.join("\n");
    all_say(&site, &nats, "this host does not know; set ca").await;
    // Nor is the server that asks for TLS by itself mistaken for one that is down.
    let nats = nats.replace("tls://", "nats://");
    all_say(&site, &nats, "this host does not know; set ca").await;
}

#[tokio::test]
async fn a_wrong_host_name_is_named() {
    let site = with_certificate("nats.example.com", false).await;
    all_say(&site, &site.client("web-1"), "is for another host name").await;
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_named() {
    let site = with_certificate("localhost", true).await;
    all_say(
        &site,
        &site.client("web-1"),
        "certificate has expired; have it renewed",
    )
    .await;
}

#[tokio::test]
async fn a_client_certificate_that_is_wanted_refused_or_nobodys_is_named() {
    let (directory, authority) = directory();
    for party in PARTIES {
        authority.issue_client(&directory, party);
    }
    authority.issue_client(&directory, "stranger");
    let server = server_lines(&["mutual-tls"]);
    let client = client_lines(&["tls", "mutual-tls"]);
    let site = Site::start(directory, &server, &client).await;
    let lines = site.client("web-1");
    let is_own = |line: &&str| line.starts_with("cert") || line.starts_with("key");
    let without: Vec<&str> = lines.lines().filter(|line| !is_own(line)).collect();
    let nats = without.join("\n");
    all_say(&site, &nats, "wants a client certificate; set cert and key").await;
    let nats = site.client("stranger");
    all_say(&site, &nats, "which user it maps the certificate (cert) to").await;
    Authority::new("another").issue_client(&site.directory, "forged");
    let nats = site.client("forged");
    all_say(&site, &nats, "authority of the client certificate (cert)").await;
    let request = Request {
        file: "late",
        name: "web-1",
        usage: ExtendedKeyUsagePurpose::ClientAuth,
        has_expired: true,
    };
    authority.issue(&site.directory, &request);
    let nats = site.client("late");
    all_say(&site, &nats, "client certificate (cert) has expired").await;
    // A server's certificate is not valid for a client.
    let nats = site.client("server");
    all_say(&site, &nats, "the server refuses the client certificate").await;
}

#[tokio::test]
async fn tls_that_comes_first_on_one_side_only_is_named() {
    let (directory, _) = directory();
    let server = server_lines(&["tls", "passwords"]);
    let server = server.replace("tls {", "tls {\n  handshake_first: true");
    let client = client_lines(&["tls", "passwords"]);
    let first = Site::start(directory, &server, &client).await;
    let expected = "wants TLS before anything else; set tls_first = true";
    let nats = first.client("web-1");
    all_say(&first, &nats, expected).await;
    // With it the login is reached.
    let nats = format!("{}\ntls_first = true", nats.replace("s3cret", "wrong"));
    let worker = first.worker_with("web-1", &nats, LIMIT_LONG);
    let (log, _) = run(worker, LIMIT).await;
    assert!(log.contains("refused the login"), "{log}");
    drop(first);

    let second = with_passwords().await;
    let nats = format!("{}\ntls_first = true", second.client("web-1"));
    let worker = second.worker_with("web-1", &nats, LIMIT_LONG);
    let (log, _) = run(worker, LIMIT).await;
    assert!(
        log.contains("begins in plain text; leave tls_first out"),
        "{log}"
    );
}

#[tokio::test]
async fn tls_asked_of_a_server_without_it_is_named_and_no_login_is_sent_in_plain_text() {
    let (directory, _) = directory();
    let client = client_lines(&["tls", "passwords"]);
    let site = Site::start(directory, "", &client).await;
    let nats = site.client("web-1");
    all_say(&site, &nats, "speaks plain text, and TLS is asked for here").await;
    // A configured authority asks for TLS as well, whatever the URL is.
    let nats = nats.replace("tls://", "nats://");
    all_say(&site, &nats, "speaks plain text, and TLS is asked for here").await;
}

#[tokio::test]
async fn files_that_are_missing_or_hold_something_else_are_named() {
    let (directory, _) = directory();
    let client = client_lines(&["tls", "mutual-tls"]);
    let site = Site::start(directory, "", &client).await;
    let nats = site.client("web-1");
    all_say(
        &site,
        &nats,
        "cannot read the file of the client certificate (cert)",
    )
    .await;
    site.directory.write("web-1.pem", "nothing");
    all_say(&site, &nats, "has no CERTIFICATE in PEM form").await;
}

#[tokio::test]
async fn why_a_running_program_cannot_connect_again_is_logged() {
    let mut site = with_passwords().await;
    let programs = runs_a_job(&site).await;
    let authority = Authority::new("another");
    authority.issue_server(&site.directory, "server", "localhost");
    site.server.restart().await;
    for program in &programs {
        wait_until("it names the unknown authority", LIMIT, async || {
            let log = program.log();
            log.contains("nats_unreachable") && log.contains("UnknownIssuer")
        })
        .await;
    }
}

#[tokio::test]
async fn credentials_that_are_longer_than_the_server_takes_are_named() {
    let (directory, _) = directory();
    let operator = Operator::new();
    let credentials = operator.credentials(&Rights::of("dispatcher"));
    directory.write("dispatcher.creds", &credentials);
    let lines = operator.fill(&server_lines(&["tls", "jwt"]));
    let server = lines.replace("max_control_line: 16KB", "");
    assert_ne!(server, lines);
    let site = Site::start(directory, &server, &client_lines(&["tls", "jwt"])).await;
    let nats = site.client("dispatcher");
    let (log, status) = run(site.dispatcher_with(&nats, "1s"), LIMIT).await;
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("set max_control_line: 16KB"), "{log}");
}
