//! The alerts and the dashboard of `compose/`, on a real Prometheus.
//!
//! Where `prometheus` or `promtool` is missing, a line names what was not checked.

mod documents;
mod scraper;

use std::fs;
use std::time::Duration;

use rolecast_common::options::HEADER_MSG_ID;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::jobs::headers;
use rolecast_tests::process::{Process, program, repository};
use rolecast_tests::server::Server;
use rolecast_tests::wait::{wait_for, wait_until};

use scraper::{Scraper, free_port, get, has_tool};

/// Time limit of a scrape, an evaluation, and a fault that must be seen in between.
const LIMIT: Duration = Duration::from_secs(60);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

const CATEGORIES: &str = "\
[categories.fine]
[categories.broken]
max_attempts = 1
[categories.nobody]
";
const WORKER: &str = "\
roles = [\"follower\"]
[categories.fine]
command = [\"cat\"]
[categories.broken]
command = [\"false\"]
";

/// Two dispatchers and a worker, each with HTTP on a port of its own.
struct Fleet {
    cluster: Cluster,
    standby: Process,
    leader_port: u16,
    standby_port: u16,
    worker_port: u16,
}

impl Fleet {
    async fn start() -> Self {
        let (leader_port, standby_port, worker_port) = (free_port(), free_port(), free_port());
        let config = |name: &str, port| {
            format!("name = \"{name}\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n{CATEGORIES}")
        };
        let server = Server::start().await;
        let mut cluster = Cluster::on(server, &config("first", leader_port)).await;
        let directory = cluster.directory().to_owned();
        fs::write(
            directory.join("standby.toml"),
            config("second", standby_port),
        )
        .expect("the directory is writable");
        let url = cluster.server().url_as("dispatcher");
        let standby = Process::spawn(
            "standby",
            &directory,
            &program("rolecast-dispatcher"),
            ["--config", "standby.toml", "--nats-url", &url],
        );
        let worker = format!("[http]\nlisten = \"127.0.0.1:{worker_port}\"\n");
        let (top, categories) = WORKER.split_once('\n').expect("two parts");
        cluster.add_worker("one", &format!("{top}\n{worker}{categories}"));
        cluster.wait_ready(&["one"]).await;
        Self {
            cluster,
            standby,
            leader_port,
            standby_port,
            worker_port,
        }
    }

    fn ports(&self) -> [u16; 3] {
        [self.leader_port, self.standby_port, self.worker_port]
    }
}

#[tokio::test]
async fn prometheus_takes_the_metrics_and_real_faults_fire_alerts() {
    if !has_tool("prometheus") {
        return;
    }
    let mut fleet = Fleet::start().await;
    let ports = fleet.ports();
    let scraper = Scraper::start(fleet.cluster.directory(), &ports[..2], &ports[2..]).await;
    for port in ports {
        let target = format!("up{{instance=\"127.0.0.1:{port}\"}}");
        scraper.wait_value(&target, 1.0).await;
    }
    scraper
        .wait_value("sum(rolecast_dispatcher_leads)", 1.0)
        .await;
    scraper
        .wait_value("sum(rolecast_dispatcher_ready)", 2.0)
        .await;
    fleet.cluster.submit("fine", "job-1", "x").await;
    fleet.cluster.wait_record("job-1").await;
    let done = "sum(rolecast_jobs_total{category=\"fine\",end=\"completed\"})";
    scraper.wait_value(done, 1.0).await;
    scraper.wait_calm().await;

    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let traced = headers([(HEADER_MSG_ID, "traced"), ("traceparent", &traceparent)]);
    fleet
        .cluster
        .submit_to("rolecast.jobs.fine", traced, "")
        .await;
    for histogram in [
        "rolecast_job_wait_seconds",
        "rolecast_job_dispatch_delay_seconds",
        "rolecast_job_run_seconds",
    ] {
        scraper.wait_exemplar(histogram, TRACE).await;
    }

    // No node runs the category, and every attempt of the other one fails.
    fleet.cluster.submit("nobody", "job-2", "x").await;
    fleet.cluster.submit("broken", "job-3", "x").await;
    scraper.wait_firing("RolecastCategoryStalled nobody").await;
    scraper.wait_firing("RolecastDeadLetters broken").await;

    // The standby takes over, so nothing fires; then it is killed too.
    fleet.cluster.dispatcher().kill();
    let lead = format!(
        "rolecast_dispatcher_leads{{instance=\"127.0.0.1:{}\"}}",
        ports[1]
    );
    scraper.wait_value(&lead, 1.0).await;
    // With the short `for` of this test the alert may have fired until the take-over.
    wait_until("the take-over ends the alert", LIMIT, async || {
        !scraper
            .firing()
            .await
            .contains(&"RolecastNoLeader".to_owned())
    })
    .await;
    fleet.standby.kill();
    scraper.wait_firing("RolecastNoLeader").await;
}

#[tokio::test]
async fn promtool_finds_no_fault_in_the_metrics() {
    if !has_tool("promtool") {
        return;
    }
    let fleet = Fleet::start().await;
    fleet.cluster.submit("fine", "job-1", "x").await;
    fleet.cluster.wait_record("job-1").await;
    for port in fleet.ports() {
        let text = wait_for("the metrics", LIMIT, async || get(port, "/metrics").await).await;
        assert!(text.contains("\n# TYPE rolecast_"), "{text}");
        let found = scraper::promtool(&["check", "metrics"], repository(), &text);
        assert!(found.is_empty(), "port {port}:\n{found}\n{text}");
    }
}
