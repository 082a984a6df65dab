//! Cluster that has lost its majority: commands report it instead of calling it healthy.

use rolecast_tests::cluster::LIMIT;
use rolecast_tests::logins;
use rolecast_tests::process::{Process, program, run};
use rolecast_tests::servers::{Options, Servers};
use rolecast_tests::wait::wait_until;

const DISPATCHER: &str = r#"
[streams]
replicas = 3
[categories.echo]
"#;

#[tokio::test]
async fn without_a_quorum_status_is_not_well_and_submit_shows_how_to_repeat() {
    let mut servers = Servers::start(&Options::replicas(3)).await;
    servers.directory().write("rolecast.toml", DISPATCHER);
    let url = servers.url_as(logins::DISPATCHER);
    let _dispatcher = Process::spawn(
        "dispatcher",
        servers.directory().path(),
        &program("rolecast-dispatcher"),
        ["--config", "rolecast.toml", "--nats-url", &url],
    );
    let mut count = 0;
    wait_until("the dispatcher is at work", LIMIT, async || {
        count += 1;
        rolecast(&servers, &format!("status-{count}"), "status")
            .await
            .1
            == 0
    })
    .await;
    servers.kill(1);
    servers.kill(2);
    // The dispatcher may have to move to the server that is left.
    wait_until("the status is not well", LIMIT, async || {
        count += 1;
        let (output, code) = rolecast(&servers, &format!("status-{count}"), "status").await;
        code == 3
            && (output.contains("cannot renew its lease") || output.contains("cannot be read"))
    })
    .await;
    let (output, code) = rolecast(&servers, "submit", "submit echo --data x --id order-7").await;
    assert_eq!(code, 3, "{output}");
    assert!(output.contains("may have been stored"), "{output}");
    assert!(output.contains("--id order-7"), "{output}");
    assert!(!output.contains("queued"), "{output}");
}

/// Runs the command against the first server alone.
async fn rolecast(servers: &Servers, name: &str, line: &str) -> (String, i32) {
    let url = servers.url_of(0, logins::OPERATOR);
    let process = Process::spawn_with(
        name,
        servers.directory().path(),
        &program("rolecast"),
        line.split(' '),
        &[("NATS_URL", url.as_str())],
    );
    let (output, status) = run(process, LIMIT).await;
    (output, status.code().unwrap_or(-1))
}
