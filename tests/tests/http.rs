//! HTTP of dispatchers and workers: probes, metrics, and what is refused.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::http::{Answer, ask, get, port_of};
use rolecast_tests::jobs::headers;
use rolecast_tests::process::{Process, program};
use rolecast_tests::wait::{wait_for, wait_until};

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 4
[http]
listen = "127.0.0.1:0"
[capacity]
cpu = 4
memory = "4GiB"
[categories.shout]
command = ["tr", "a-z", "A-Z"]
[categories.fail]
command = ["false"]
"#;

const DISPATCHER: &str = r#"
[http]
listen = "127.0.0.1:0"
[forecast]
step = "1s"
[categories.shout]
[categories.fail]
max_attempts = 2
retry_min = "10ms"
retry_max = "10ms"
"#;

/// Waits until the page answers with this code and text.
async fn wait_page(port: u16, path: &str, code: u16, part: &str) -> Answer {
    let what = format!("{path} answers {code} with {part:?}");
    wait_for(&what, LIMIT, async || {
        let answer = get(port, path).await?;
        (answer.code == code && answer.body.contains(part)).then_some(answer)
    })
    .await
}

/// Waits until a sample of the metrics has this value.
async fn wait_sample(port: u16, name: &str, value: f64) {
    let what = format!("{name} is {value}");
    wait_until(&what, LIMIT, async || {
        let answer = get(port, "/metrics").await;
        let found = answer.and_then(|answer| answer.sample(name));
        found.is_some_and(|found| (found - value).abs() < 1e-9)
    })
    .await;
}

/// Has promtool check metrics, where it is installed.
#[allow(clippy::print_stderr, reason = "a skipped check is visible")]
fn assert_checked(answer: &Answer) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("promtool is not installed: the format of metrics is not checked by it");
        return;
    };
    let mut input = promtool.stdin.take().expect("it is a pipe");
    let written = input.write_all(answer.body.as_bytes());
    written.expect("promtool reads all");
    drop(input);
    let output = promtool.wait_with_output().expect("promtool ends");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", answer.body);
}

#[tokio::test]
async fn leader_and_standby_answer_probes_and_metrics() {
    let cluster = &mut Cluster::start(DISPATCHER, &[("one", WORKER)]).await;
    let second = cluster.second_dispatcher();
    let leader = port_of(cluster.dispatcher()).await;
    let standby = port_of(&second).await;
    for (port, standing) in [(leader, "leading"), (standby, "standing by")] {
        wait_page(port, "/readyz", 200, standing).await;
        assert_eq!(wait_page(port, "/healthz", 200, "ok").await.body, "ok\n");
        let ready = wait_page(port, "/readyz?json", 200, "\"ready\":true").await;
        assert_eq!(ready.header("content-type"), "application/json");
        assert!(ready.body.contains("\"epoch\":1"), "{}", ready.body);
        let metrics = wait_page(port, "/metrics", 200, "# EOF").await;
        let content_type = metrics.header("content-type");
        assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
        assert_eq!(metrics.sample("rolecast_dispatcher_ready"), Some(1.0));
        assert_eq!(metrics.sample("rolecast_dispatcher_epoch"), Some(1.0));
        assert_eq!(
            metrics.sample("rolecast_nodes{health=\"ready\"}"),
            Some(1.0)
        );
        let leads = if port == leader { 1.0 } else { 0.0 };
        assert_eq!(metrics.sample("rolecast_dispatcher_leads"), Some(leads));
        let old = ask(port, "GET", "/metrics", "Accept: text/plain\r\n").await;
        assert_checked(&old.expect("it answers"));
        let head = ask(port, "HEAD", "/metrics", "").await.expect("it answers");
        assert_eq!((head.code, head.body.as_str()), (200, ""));
    }
    cluster.dispatcher().kill();
    wait_page(standby, "/readyz", 200, "leading").await;
    wait_sample(standby, "rolecast_dispatcher_takeovers_total", 1.0).await;
    assert_eq!(
        get(leader, "/healthz").await.map(|answer| answer.code),
        None
    );
}

#[tokio::test]
async fn a_dispatcher_without_nats_is_alive_and_says_why_it_is_not_ready() {
    let mut cluster = Cluster::start(DISPATCHER, &[("one", WORKER)]).await;
    let port = port_of(cluster.dispatcher()).await;
    let worker = port_of(cluster.worker("one")).await;
    wait_page(port, "/readyz", 200, "ready: leading").await;
    wait_page(worker, "/readyz", 200, "ready").await;
    cluster.server().kill();
    for port in [port, worker] {
        wait_page(port, "/readyz", 503, "lost the connection to NATS").await;
        wait_page(port, "/healthz", 200, "ok").await;
        wait_sample(port, "rolecast_nats_connected", 0.0).await;
    }
    cluster.server().restart().await;
    wait_page(port, "/readyz", 200, "ready: leading").await;
    wait_page(worker, "/readyz", 200, "ready").await;
    wait_sample(worker, "rolecast_nats_connections_total", 2.0).await;
}

#[tokio::test]
async fn metrics_count_jobs_by_their_ends() {
    let mut cluster = Cluster::start(DISPATCHER, &[("one", WORKER)]).await;
    let port = port_of(cluster.dispatcher()).await;
    let worker = port_of(cluster.worker("one")).await;
    for job in ["a", "b", "c"] {
        cluster.submit("shout", job, "hello").await;
    }
    cluster.submit("fail", "d", "").await;
    let past = headers([
        ("Nats-Msg-Id", "e"),
        ("Rolecast-Deadline", "2020-01-01T00:00:00Z"),
    ]);
    cluster.submit_to("rolecast.jobs.shout", past, "").await;
    for (sample, value) in [
        ("jobs_total{category=\"shout\",end=\"completed\"}", 3.0),
        ("jobs_total{category=\"shout\",end=\"expired\"}", 1.0),
        ("jobs_total{category=\"fail\",end=\"dead\"}", 1.0),
        ("attempts_total{category=\"fail\",end=\"failed\"}", 2.0),
        ("attempts_total{category=\"shout\",end=\"completed\"}", 3.0),
        ("job_wait_seconds_count{category=\"shout\"}", 3.0),
        ("job_run_seconds_count{category=\"shout\"}", 3.0),
        (
            "job_dispatch_delay_seconds_bucket{le=\"+Inf\",category=\"fail\"}",
            2.0,
        ),
        ("backlog_jobs{category=\"shout\"}", 0.0),
        ("running_jobs{category=\"shout\"}", 0.0),
        ("node_jobs{node=\"one\"}", 0.0),
        ("role_nodes{role=\"follower\"}", 1.0),
    ] {
        wait_sample(port, &format!("rolecast_{sample}"), value).await;
    }
    for (sample, value) in [
        ("executions_total{end=\"completed\"}", 3.0),
        ("executions_total{end=\"failed\"}", 2.0),
        ("command_failures_total{kind=\"exit_code\"}", 2.0),
        ("jobs_max", 4.0),
        ("running_jobs", 0.0),
        ("unconfirmed_outcomes", 0.0),
    ] {
        wait_sample(worker, &format!("rolecast_worker_{sample}"), value).await;
    }
    let metrics = get(port, "/metrics").await.expect("it answers");
    for name in [
        "rolecast_pulls_total",
        "rolecast_loop_turn_seconds_count",
        "rolecast_heartbeats_total",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        let found = metrics.sample(name);
        assert!(found.is_some_and(|found| found > 0.0), "{name}: {found:?}");
    }
    for port in [port, worker] {
        let metrics = ask(port, "GET", "/metrics", "Accept: text/plain\r\n").await;
        assert_checked(&metrics.expect("it answers"));
    }
}

#[tokio::test]
async fn invented_categories_do_not_become_series_without_end() {
    let mut cluster = Cluster::start(DISPATCHER, &[]).await;
    let port = port_of(cluster.dispatcher()).await;
    for number in 0..70 {
        let category = format!("invented-{number}");
        cluster.submit(&category, &category, "").await;
    }
    let invented = async || {
        let metrics = get(port, "/metrics").await?;
        let series = metrics.body.lines();
        let invented = "rolecast_running_jobs{category=\"invented-";
        Some(series.filter(|line| line.starts_with(invented)).count())
    };
    wait_until("as many are served as may be", LIMIT, async || {
        let count = invented().await;
        assert!(count.is_none_or(|count| count <= 64), "{count:?}");
        count == Some(64)
    })
    .await;
}

#[tokio::test]
async fn only_readers_of_this_host_with_the_token_are_answered() {
    let config = "[http]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"\nhosts = [\"d-1\"]\n";
    let server = rolecast_tests::server::Server::start().await;
    server.directory().write("token", "0123456789abcdef\n");
    let mut cluster = Cluster::on(server, config).await;
    let port = port_of(cluster.dispatcher()).await;
    let code = async |method: &str, path: &str, headers: &str| {
        let answer = ask(port, method, path, headers).await;
        answer.expect("it answers").code
    };
    let bearer = "Authorization: Bearer 0123456789abcdef\r\n";
    assert_eq!(code("GET", "/healthz", "").await, 200);
    assert_eq!(code("GET", "/metrics", bearer).await, 200);
    let basic = "Authorization: Basic b3BzOjAxMjM0NTY3ODlhYmNkZWY=\r\n";
    assert_eq!(code("GET", "/metrics", basic).await, 200);
    assert_eq!(code("GET", "/no-such-page", bearer).await, 404);
    let named = format!("Host: d-1:8640\r\n{bearer}");
    assert_eq!(code("GET", "/metrics", &named).await, 200);
    assert_eq!(code("GET", "/metrics", "").await, 401);
    let wrong = "Authorization: Bearer 0123456789abcdee\r\n";
    assert_eq!(code("GET", "/metrics", wrong).await, 401);
    let rebound = format!("Host: evil.example\r\n{bearer}");
    assert_eq!(code("GET", "/metrics", &rebound).await, 421);
    let refused = ask(port, "POST", "/metrics", bearer).await;
    let refused = refused.expect("it answers");
    assert_eq!((refused.code, refused.header("allow")), (405, "GET, HEAD"));
    for (name, part) in [
        ("content-security-policy", "default-src 'none'"),
        ("content-security-policy", "frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert!(refused.header(name).contains(part), "{}", refused.head);
    }
    let asked = ask(port, "GET", "/metrics", "").await.expect("it answers");
    assert!(asked.header("www-authenticate").starts_with("Basic "));
}

#[tokio::test]
async fn the_default_address_may_be_taken_and_a_chosen_one_must_be_free() {
    // Whoever has the default address, another dispatcher of this test or not, keeps it.
    let held = std::net::TcpListener::bind(("127.0.0.1", 8640));
    let mut cluster = Cluster::on(rolecast_tests::server::Server::start().await, "").await;
    let log = cluster.dispatcher().log();
    assert!(log.contains("http_off"), "{log}");
    assert!(
        log.contains("set listen under [http] to another address"),
        "{log}"
    );
    drop(held);
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let taken = taken
        .local_addr()
        .map(|address| (address, taken))
        .expect("it has an address");
    let config = format!("[http]\nlisten = \"{}\"\n", taken.0);
    let (code, log) = run_dispatcher(&cluster, &config).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("cannot listen on 127.0.0.1:"), "{log}");
    let (code, log) = run_dispatcher(&cluster, "[http]\nlisten = \"0.0.0.0:8640\"\n").await;
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("so readers must show a token"), "{log}");
}

/// Runs a dispatcher that cannot start; returns its exit code and log.
async fn run_dispatcher(cluster: &Cluster, config: &str) -> (Option<i32>, String) {
    let file = cluster.directory().join("other.toml");
    std::fs::write(&file, config).expect("the test's directory is writable");
    let process = Process::spawn(
        "dispatcher-other",
        cluster.directory(),
        &program("rolecast-dispatcher"),
        ["--config", "other.toml"],
    );
    let (log, status) = rolecast_tests::process::run(process, LIMIT).await;
    (status.code(), log)
}

#[tokio::test]
async fn the_document_of_metrics_is_what_the_command_prints() {
    let config = "[http]\nlisten = \"off\"\n";
    let cluster = Cluster::on(rolecast_tests::server::Server::start().await, config).await;
    let (printed, code) = cluster.rolecast(&["metrics"]).await;
    assert_eq!(code, 0, "{printed}");
    let path = rolecast_tests::process::repository().join("docs/metrics.md");
    let document = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        printed == document,
        "write docs/metrics.md anew: cargo run --bin rolecast -- metrics > docs/metrics.md"
    );
}

#[tokio::test]
async fn histograms_name_the_trace_of_a_job_that_its_producer_traces() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut cluster = Cluster::start(DISPATCHER, &[("one", WORKER)]).await;
    let port = port_of(cluster.dispatcher()).await;
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let traced = headers([("Nats-Msg-Id", "a"), ("traceparent", &traceparent)]);
    cluster.submit_to("rolecast.jobs.shout", traced, "").await;
    cluster.wait_record("a").await;
    let text = wait_page(port, "/metrics", 200, TRACE).await.body;
    let exemplar = format!(" 1 # {{trace_id=\"{TRACE}\"}} ");
    for histogram in ["wait", "dispatch_delay", "run"] {
        let start = format!("rolecast_job_{histogram}_seconds_bucket{{");
        let buckets = text.lines().filter(|line| line.starts_with(&start));
        let found: Vec<&str> = buckets.filter(|line| line.contains(TRACE)).collect();
        let [only] = found[..] else {
            panic!("{histogram}: {found:?}");
        };
        assert!(only.contains(&exemplar), "{only}");
    }
    let old = ask(port, "GET", "/metrics", "Accept: text/plain\r\n").await;
    assert!(!old.expect("it answers").body.contains(TRACE));
}
