//! A real Prometheus, with the rules of `compose/` and short times.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rolecast_tests::process::{Process, repository};
use rolecast_tests::wait::wait_for;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Time limit of everything that needs a few scrapes and evaluations.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether the tool is there; if not, a line names what is not checked.
#[allow(clippy::print_stderr, reason = "a skipped check is visible")]
pub(crate) fn has_tool(name: &str) -> bool {
    let found = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_err() {
        eprintln!("{name} is not there: not checked (Debian: apt-get install prometheus)");
    }
    found.is_ok()
}

/// Runs promtool in a directory with this input; returns its complaints, or all of its
/// output if it failed.
pub(crate) fn promtool(arguments: &[&str], directory: &Path, input: &str) -> String {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    stdin.write_all(input.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        text(&output.stderr)
    } else {
        text(&output.stdout) + &text(&output.stderr)
    }
}

/// Returns a port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("ports are free");
    listener.local_addr().expect("it listens").port()
}

/// Returns the body of a page, if it is found.
pub(crate) async fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
    // promtool reads the older of the two formats of metrics.
    let head = format!("Host: 127.0.0.1:{port}\r\nAccept: text/plain;version=0.0.4\r\n");
    let request = format!("GET {path} HTTP/1.0\r\n{head}\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let is_found = head.lines().next()?.contains(" 200 ");
    is_found.then(|| body.to_owned())
}

/// A running Prometheus; it ends with this.
pub(crate) struct Scraper {
    port: u16,
    _process: Process,
}

impl Scraper {
    pub(crate) async fn start(directory: &Path, dispatchers: &[u16], workers: &[u16]) -> Self {
        let targets = |ports: &[u16]| {
            let targets = ports.iter().map(|port| format!("\"127.0.0.1:{port}\""));
            targets.collect::<Vec<_>>().join(", ")
        };
        let config = fs::read_to_string(repository().join("compose/prometheus/prometheus.yml"))
            .expect("the config is there")
            .replace("15s", "500ms")
            .replace(
                "\"dispatcher:8640\", \"standby:8640\"",
                &targets(dispatchers),
            )
            .replace(
                "\"leader:8640\", \"backup:8640\", \"follower:8640\"",
                &targets(workers),
            );
        // On loopback no token is needed.
        let config: Vec<&str> = config
            .lines()
            .filter(|line| !line.contains("credentials_file"))
            .collect();
        fs::write(directory.join("prometheus.yml"), config.join("\n")).expect("it is writable");
        fs::write(directory.join("rules.yml"), hasty_rules()).expect("it is writable");
        let port = free_port();
        let process = Process::spawn(
            "prometheus",
            directory,
            Path::new("prometheus"),
            [
                "--config.file=prometheus.yml".to_owned(),
                "--storage.tsdb.path=prometheus-data".to_owned(),
                format!("--web.listen-address=127.0.0.1:{port}"),
                "--enable-feature=exemplar-storage".to_owned(),
            ],
        );
        wait_for("Prometheus is ready", LIMIT, async || {
            get(port, "/-/ready").await
        })
        .await;
        Self {
            port,
            _process: process,
        }
    }

    /// Waits until a query has one value, and it is this one.
    pub(crate) async fn wait_value(&self, query: &str, expected: f64) {
        wait_for(query, LIMIT, async || {
            let path = format!("/api/v1/query?query={}", encoded(query));
            let answer: Value = serde_json::from_str(&get(self.port, &path).await?).ok()?;
            let [only] = &answer["data"]["result"].as_array()?[..] else {
                return None;
            };
            let value: f64 = only["value"][1].as_str()?.parse().ok()?;
            ((value - expected).abs() < 1e-9).then_some(())
        })
        .await;
    }

    /// Waits until a histogram has an exemplar with this trace.
    pub(crate) async fn wait_exemplar(&self, histogram: &str, trace: &str) {
        let what = format!("{histogram} has an exemplar");
        wait_for(&what, LIMIT, async || {
            let query = encoded(&format!("{histogram}_bucket"));
            let path = format!("/api/v1/query_exemplars?query={query}&start=0&end=9999999999");
            let answer: Value = serde_json::from_str(&get(self.port, &path).await?).ok()?;
            let series = answer["data"].as_array()?.iter();
            let mut found = series
                .filter_map(|one| one["exemplars"].as_array())
                .flatten();
            found
                .any(|exemplar| exemplar["labels"]["trace_id"] == trace)
                .then_some(())
        })
        .await;
    }

    /// Returns the alerts that fire, with their categories.
    pub(crate) async fn firing(&self) -> Vec<String> {
        let answer = get(self.port, "/api/v1/alerts").await;
        let answer: Value = serde_json::from_str(&answer.expect("it answers")).expect("JSON");
        let alerts = answer["data"]["alerts"].as_array().expect("a list").iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        firing
            .map(|alert| {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default();
                let text = format!("{} {}", label("alertname"), label("category"));
                text.trim_end().to_owned()
            })
            .collect()
    }

    /// Waits until nothing fires: before the first scrapes there was no leader.
    pub(crate) async fn wait_calm(&self) {
        wait_for("nothing fires", LIMIT, async || {
            self.firing().await.is_empty().then_some(())
        })
        .await;
    }

    pub(crate) async fn wait_firing(&self, alert: &str) {
        wait_for(alert, LIMIT, async || {
            self.firing()
                .await
                .iter()
                .any(|firing| firing == alert)
                .then_some(())
        })
        .await;
    }
}

/// Returns the rules with times for a test: each alert fires after a second.
fn hasty_rules() -> String {
    let rules = fs::read_to_string(repository().join("compose/prometheus/rules.yml"))
        .expect("the rules are there");
    let lines = rules.lines().map(|line| match line.trim_start() {
        trimmed if trimmed.starts_with("for: ") => "        for: 1s".to_owned(),
        _ => line.replace("_age_seconds) > 60", "_age_seconds) > 1"),
    });
    let rules: Vec<String> = lines.collect();
    rules.join("\n")
}

fn encoded(query: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    query.bytes().map(byte).collect()
}
