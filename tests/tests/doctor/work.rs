//! Faults of categories, roles and configurations.

use async_nats::jetstream::consumer::{AckPolicy, pull};
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::jobs::headers;
use rolecast_tests::server::Server;

use super::{Fault, WORKER, diagnose, diagnose_as, wait_made};
use rolecast_tests::logins::OPERATOR;

#[tokio::test]
async fn jobs_that_no_node_can_ever_take_are_found_with_the_reason() {
    let dispatcher = r#"
[categories.echo]
[categories.orc]
[categories.scan]
roles = ["leader"]
[categories.huge]
peak.memory = "1TiB"
[roles.leader]
"#;
    let scans = "[categories.scan]\ncommand = [\"cat\"]\n[categories.huge]\ncommand = [\"cat\"]\n";
    let worker = format!("{WORKER}{scans}");
    let cluster = Cluster::start(dispatcher, &[("n1", &worker)]).await;
    cluster.submit("nobody", "job-1", "x").await;
    cluster.submit("scan", "job-2", "x").await;
    let picky = headers([("Nats-Msg-Id", "job-3"), ("Rolecast-Require", "gpu=a100")]);
    cluster.submit_to("rolecast.jobs.echo", picky, "x").await;
    let jobs = cluster.jetstream().get_stream(STREAM_JOBS).await.unwrap();
    let left = pull::Config {
        durable_name: Some("low-ghost".to_owned()),
        filter_subject: "rolecast.jobs.ghost.low".to_owned(),
        ack_policy: AckPolicy::Explicit,
        ..pull::Config::default()
    };
    jobs.create_consumer(left).await.unwrap();
    let diagnosis = wait_made(Fault::UnrunnableJobs, async || diagnose(&cluster).await).await;
    assert_eq!(diagnosis.code, 8);
    let of_labels = diagnosis.finding("label-missing");
    assert_eq!(
        of_labels["command"],
        "rolecast explain --dry-run echo --require 'gpu=a100'"
    );
    let not_run = diagnosis.finding("category-not-run");
    assert!(
        not_run["what"].to_string().contains("[categories.nobody]"),
        "{not_run}"
    );
    let unplaceable = diagnosis.finding("jobs-unplaceable");
    assert!(
        unplaceable["what"].to_string().contains("scan"),
        "{unplaceable}"
    );
    let unused = diagnosis.finding("category-unused");
    assert!(unused["what"].to_string().contains("orc"), "{unused}");
}

#[tokio::test]
async fn jobs_that_wait_for_many_run_times_are_late() {
    let dispatcher = "[categories.hold]\nduration = \"1s\"\n";
    let hold = "[categories.hold]\ncommand = [\"sh\", \"-c\", \"exec sleep 600\"]\n";
    let worker = format!("{}{hold}", WORKER.replace("max_jobs = 4", "max_jobs = 1"));
    let cluster = Cluster::start(dispatcher, &[("n1", &worker)]).await;
    cluster.submit("hold", "job-1", "x").await;
    cluster.wait_running(1).await;
    cluster.submit("hold", "job-2", "x").await;
    let diagnosis = wait_made(Fault::LateJobs, async || diagnose(&cluster).await).await;
    assert_eq!(diagnosis.code, 7);
    let late = diagnosis.finding("category-late");
    assert!(
        late["what"]
            .to_string()
            .contains("hold: 2 jobs not ended, the first for"),
        "{late}"
    );
}

#[tokio::test]
async fn categories_beyond_the_limit_are_named() {
    let cluster = super::dispatcher().await;
    for number in 0..70 {
        cluster
            .submit(&format!("new-{number}"), &format!("job-{number}"), "x")
            .await;
    }
    let diagnosis = wait_made(Fault::TooManyCategories, async || diagnose(&cluster).await).await;
    assert_eq!(diagnosis.code, 8);
}

#[tokio::test]
async fn roles_without_holder_successor_or_offer_are_three_findings() {
    let dispatcher = r#"
[categories.echo]
[roles.leader]
holders = 1
[roles.backup]
holders = 1
[roles.helper]
holders = 1
"#;
    let hooked = "on_role_change = [\"true\"]\n";
    let offers = |role: &str| format!("offers = [\"{role}\"]\n{hooked}{WORKER}");
    let (leader, backup) = (offers("leader"), offers("backup"));
    let workers = [("leader", leader.as_str()), ("backup", backup.as_str())];
    let mut cluster = Cluster::start(dispatcher, &workers).await;
    let has_roles = |status: &rolecast_common::wire::Status| {
        status
            .nodes
            .iter()
            .filter(|node| node.roles.len() > 1)
            .count()
            == 2
    };
    cluster
        .wait_status("both roles have a holder", has_roles)
        .await;
    cluster.worker("backup").kill();
    let diagnosis = wait_made(Fault::Roles, async || diagnose(&cluster).await).await;
    assert_eq!(diagnosis.code, 8);
    let vacant = diagnosis.finding("role-vacant");
    assert!(vacant["what"].to_string().contains("backup"), "{vacant}");
    let unused = diagnosis.finding("role-unused");
    assert!(unused["what"].to_string().contains("helper"), "{unused}");
}

#[tokio::test]
async fn a_configuration_that_is_not_the_running_one_is_compared_with_it() {
    let server = Server::start().await;
    let mut cluster = Cluster::on(server, "[categories.echo]\n").await;
    cluster.add_worker("n1", WORKER);
    cluster.wait_ready(&["n1"]).await;
    let other = "[categories.echo]\n[categories.scan]\n[nodes.\"n*\"]\n[nodes.\"web-*\"]\n";
    cluster.server().directory().write("other.toml", other);
    let compare = async || diagnose_as(&cluster, OPERATOR, &["--config", "other.toml"]).await;
    let diagnosis = wait_made(Fault::OtherConfig, compare).await;
    assert_eq!(diagnosis.code, 7);
    let entry = diagnosis.finding("nodes-entry-unused");
    assert!(entry["what"].to_string().contains("web-*"), "{entry}");
    cluster
        .server()
        .directory()
        .write("bad.toml", "[categorys.echo]\n");
    let (text, code) = cluster.rolecast(&["doctor", "--config", "bad.toml"]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("bad.toml has mistakes"), "{text}");
}
