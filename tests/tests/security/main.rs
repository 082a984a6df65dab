//! Configurations of docs/security.md: each works, binds each login to its party, and
//! names what is wrong with a connection that it does not allow.

mod failures;
mod jwt;
mod pki;
mod rights;
mod site;

use nkeys::KeyPair;
use rolecast_tests::cluster::LIMIT;
use rolecast_tests::directory::Directory;
use rolecast_tests::process::Process;
use rolecast_tests::wait::wait_until;

use crate::jwt::Operator;
use crate::pki::Authority;
use crate::rights::Rights;
use crate::site::{PARTIES, Site, client_lines, server_lines};

/// Returns a directory with the files that the block `tls` names.
fn directory() -> (Directory, Authority) {
    let directory = Directory::new();
    let authority = Authority::new("authority");
    authority.write(&directory, "ca.pem");
    authority.issue_server(&directory, "server", "localhost");
    (directory, authority)
}

async fn with_passwords() -> Site {
    let (directory, _) = directory();
    let server = server_lines(&["tls", "passwords"]);
    let client = client_lines(&["tls", "passwords"]);
    Site::start(directory, &server, &client).await
}

/// Runs a dispatcher, a worker and a job under the logins of the site; returns the
/// programs.
async fn runs_a_job(site: &Site) -> [Process; 2] {
    let mut programs = [site.dispatcher(), site.worker("web-1", "web-1")];
    wait_until("the queue is there", LIMIT, async || {
        programs[0].log().contains("dispatcher started")
    })
    .await;
    site.complete_a_job().await;
    for program in &mut programs {
        assert!(program.is_running());
        let log = program.log();
        assert!(!log.contains("ermission"), "{log}");
    }
    programs
}

#[tokio::test]
async fn tls_with_passwords_runs_a_job() {
    runs_a_job(&with_passwords().await).await;
}

#[tokio::test]
async fn certificates_of_both_sides_run_a_job() {
    let (directory, authority) = directory();
    for party in PARTIES {
        authority.issue_client(&directory, party);
    }
    let server = server_lines(&["mutual-tls"]);
    let client = client_lines(&["tls", "mutual-tls"]);
    runs_a_job(&Site::start(directory, &server, &client).await).await;
}

#[tokio::test]
async fn nkeys_run_a_job() {
    let (directory, _) = directory();
    let mut server = server_lines(&["tls", "nkeys"]);
    for party in PARTIES {
        let key = KeyPair::new_user();
        directory.write(&format!("{party}.nk"), &key.seed().unwrap());
        server = server.replace(&format!("<nkey of {party}>"), &key.public_key());
    }
    let client = client_lines(&["tls", "nkeys"]);
    runs_a_job(&Site::start(directory, &server, &client).await).await;
}

#[tokio::test]
async fn credentials_of_an_operator_run_a_job() {
    let (directory, _) = directory();
    let operator = Operator::new();
    for party in PARTIES {
        let credentials = operator.credentials(&Rights::of(party));
        directory.write(&format!("{party}.creds"), &credentials);
    }
    let server = operator.fill(&server_lines(&["tls", "jwt"]));
    let client = client_lines(&["tls", "jwt"]);
    runs_a_job(&Site::start(directory, &server, &client).await).await;
}

#[tokio::test]
async fn a_producer_in_an_account_of_its_own_runs_a_job() {
    let (directory, _) = directory();
    let server = server_lines(&["tls", "accounts"]);
    let client = client_lines(&["tls", "passwords"]);
    runs_a_job(&Site::start(directory, &server, &client).await).await;
}

#[tokio::test]
async fn an_account_reaches_what_is_exported_to_it_whatever_its_rights() {
    let (directory, _) = directory();
    let server = server_lines(&["tls", "accounts"]);
    let rights = Rights::of("operator").block();
    // The inbox is the login's own anyway.
    let rights = rights.replace("_INBOX.operator", "_INBOX.producer");
    let server = server.replace("<rights of producer>", &rights);
    let client = client_lines(&["tls", "passwords"]);
    let site = Site::start(directory, &server, &client).await;
    let _programs = runs_a_job(&site).await;
    let (output, code) = site.rolecast("operator", &["status"]).await;
    assert_eq!(code, 0, "{output}");
    let (output, code) = site.rolecast("producer", &["status"]).await;
    assert!(
        output.contains("no dispatcher answers") && code == 3,
        "{code}: {output}"
    );
    let arguments = ["submit", "report", "--data", "x"];
    let (output, code) = site.rolecast("producer", &arguments).await;
    assert_ne!(code, 0, "a category that is not exported: {output}");
}

#[tokio::test]
async fn a_login_speaks_for_its_own_node_only() {
    let site = with_passwords().await;
    let _programs = runs_a_job(&site).await;
    let stranger = site.worker("web-2", "web-1");
    wait_until("the server refuses it", LIMIT, async || {
        let log = stranger.log();
        log.lines().any(|line| {
            line.contains("nats_permission") && line.contains("rolecast.heartbeat.web-2")
        })
    })
    .await;
    site.complete_a_job().await;
    let (status, code) = site.rolecast("operator", &["status", "--json"]).await;
    assert_eq!(code, 0, "{status}");
    assert!(
        status.contains("web-1") && !status.contains("web-2"),
        "{status}"
    );
}

#[tokio::test]
async fn a_second_worker_with_the_login_of_the_first_does_not_lock_it_out() {
    let site = with_passwords().await;
    let [_dispatcher, mut first] = runs_a_job(&site).await;
    for _ in 0..2 {
        let mut second = site.worker("web-1", "web-1");
        let status = second.wait(LIMIT).await;
        assert_eq!(status.code(), Some(1));
        let log = second.log();
        assert!(log.contains("the name of node web-1 is in use"), "{log}");
    }
    assert!(first.is_running());
    site.complete_a_job().await;
}
