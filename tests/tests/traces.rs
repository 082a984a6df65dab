//! Traces: what a collector of OpenTelemetry receives about a job whose producer traces it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use rolecast_common::options::HEADER_MSG_ID;
use rolecast_common::wire::RecordStatus;
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::wait::wait_until;
use tokio::net::TcpListener;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
[categories.trace]
command = ["sh", "-c", "sleep 0.2; printf '%s %s' \"$TRACEPARENT\" \"$TRACESTATE\""]
[categories.flaky]
command = ["sh", "-c", "[ $ROLECAST_ATTEMPT -ge 2 ] || exit 75"]
[categories.hold]
command = ["sh", "-c", "until [ -e go ]; do sleep 0.05; done; printf '%s' \"$TRACEPARENT\""]
"#;

const DISPATCHER: &str = r#"
[categories.trace]
[categories.flaky]
retry_min = "100ms"
[categories.hold]
"#;

/// A collector that keeps the spans it receives.
struct Collector {
    endpoint: String,
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    async fn start() -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let app = Router::new()
            .route("/v1/traces", post(receive))
            .with_state(Arc::clone(&requests));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            endpoint: format!("http://{address}"),
            requests,
        }
    }

    /// Returns the spans by their service and name, oldest first.
    fn spans(&self) -> Vec<(String, Span)> {
        let requests = self.requests.lock().expect("no test holds it");
        let all = requests.iter().flat_map(|request| &request.resource_spans);
        let spans = all.flat_map(|of_one| {
            let resource = of_one.resource.clone().unwrap_or_default();
            let service = attribute(&resource.attributes, "service.name");
            let scopes = of_one.scope_spans.iter();
            scopes
                .flat_map(|scope| scope.spans.clone())
                .map(move |span| (service.clone(), span))
        });
        spans.collect()
    }

    /// Waits for the span that ends a job, and returns all of the job's.
    async fn wait(&self, job: &str) -> Vec<Span> {
        let of_job = || -> Vec<Span> {
            let spans = self.spans().into_iter().map(|(_, span)| span);
            let of_it = spans.filter(|span| attribute(&span.attributes, "rolecast.job") == job);
            of_it.collect()
        };
        wait_until("the job's spans arrive", LIMIT, async || {
            of_job().iter().any(|span| span.name == "record")
        })
        .await;
        of_job()
    }
}

async fn receive(State(requests): State<Arc<Mutex<Vec<ExportTraceServiceRequest>>>>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("it is OTLP");
    requests.lock().expect("no test holds it").push(request);
}

fn attribute(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    let value = found.and_then(|found| found.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

async fn cluster(collector: &Collector) -> Cluster {
    let endpoint = &collector.endpoint;
    let config = format!("{DISPATCHER}\n[traces]\nendpoint = \"{endpoint}\"\n");
    Cluster::start(&config, &[("n1", WORKER)]).await
}

#[tokio::test]
async fn a_collector_receives_each_stage_of_a_traced_job() {
    let collector = Collector::start().await;
    let cluster = cluster(&collector).await;
    let traced = headers([
        (HEADER_MSG_ID, "job-1"),
        ("traceparent", &traceparent("01")),
        ("tracestate", "vendor=1"),
    ]);
    cluster.submit_to("rolecast.jobs.trace", traced, "").await;
    let record = cluster.wait_record("job-1").await;
    assert_eq!(
        record.trace.map(|trace| trace.to_string()).as_deref(),
        Some(TRACE)
    );
    let spans = collector.wait("job-1").await;
    let by_name: BTreeMap<&str, &Span> = spans
        .iter()
        .map(|span| (span.name.as_str(), span))
        .collect();
    let names: Vec<&str> = by_name.keys().copied().collect();
    assert_eq!(names, ["place", "record", "run", "send", "wait"]);
    assert_eq!(spans.len(), 5);
    for span in &spans {
        assert_eq!(hex(&span.trace_id), TRACE);
        assert_eq!(hex(&span.parent_span_id), PARENT);
        assert!(
            span.start_time_unix_nano <= span.end_time_unix_nano,
            "{span:?}"
        );
        assert_eq!(attribute(&span.attributes, "rolecast.category"), "trace");
        assert_eq!(attribute(&span.attributes, "rolecast.attempt"), "1");
    }
    for (one, next) in [
        ("wait", "place"),
        ("place", "send"),
        ("send", "run"),
        ("run", "record"),
    ] {
        let (one, next) = (by_name[one], by_name[next]);
        assert!(
            one.end_time_unix_nano <= next.start_time_unix_nano + 1_000_000,
            "{one:?} {next:?}"
        );
    }
    let run = by_name["run"];
    let lasted = Duration::from_nanos(run.end_time_unix_nano - run.start_time_unix_nano);
    assert!(lasted >= Duration::from_millis(200), "{lasted:?}");
    assert_eq!(attribute(&run.attributes, "rolecast.node"), "n1");
    // The job's own spans would be below that of its execution.
    let expected = format!("00-{TRACE}-{}-01 vendor=1", hex(&run.span_id));
    assert_eq!(String::from_utf8_lossy(&record.output.0), expected);
    assert!(
        collector
            .spans()
            .iter()
            .all(|(service, _)| service == "rolecast-dispatcher")
    );
}

#[tokio::test]
async fn a_failed_attempt_is_an_error_and_a_trace_that_is_not_sampled_is_left_alone() {
    let collector = Collector::start().await;
    let cluster = cluster(&collector).await;
    let unsampled = headers([
        (HEADER_MSG_ID, "quiet"),
        ("traceparent", &traceparent("00")),
    ]);
    cluster
        .submit_to("rolecast.jobs.trace", unsampled, "")
        .await;
    let record = cluster.wait_record("quiet").await;
    assert_eq!(
        String::from_utf8_lossy(&record.output.0),
        format!("{} ", traceparent("00"))
    );
    let sampled = headers([
        (HEADER_MSG_ID, "flaky"),
        ("traceparent", &traceparent("01")),
    ]);
    cluster.submit_to("rolecast.jobs.flaky", sampled, "").await;
    let spans = collector.wait("flaky").await;
    let runs: Vec<&Span> = spans.iter().filter(|span| span.name == "run").collect();
    let failed = runs[0].status.clone().unwrap_or_default();
    assert!(failed.message.contains("exit code 75"), "{failed:?}");
    assert_eq!(attribute(&runs[1].attributes, "rolecast.attempt"), "2");
    assert_eq!(runs[1].status.clone().unwrap_or_default().message, "");
    let others = collector.spans().into_iter();
    let others = others.filter(|(_, span)| attribute(&span.attributes, "rolecast.job") == "quiet");
    assert_eq!(others.count(), 0);
}

#[tokio::test]
async fn jobs_run_while_the_collector_is_away_and_an_invalid_header_harms_none() {
    // Nobody listens on the port of a listener that is gone.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let config = format!("{DISPATCHER}\n[traces]\nendpoint = \"{endpoint}\"\n");
    let mut cluster = Cluster::start(&config, &[("n1", WORKER)]).await;
    for (job, value) in [("lost", traceparent("01")), ("odd", "00-x".to_owned())] {
        let headers = headers([(HEADER_MSG_ID, job), ("traceparent", &value)]);
        cluster.submit_to("rolecast.jobs.trace", headers, "").await;
        assert_eq!(
            cluster.wait_record(job).await.status,
            RecordStatus::Completed
        );
    }
    wait_until("the failure is logged", LIMIT, async || {
        cluster.dispatcher().log().contains("traces_not_exported")
    })
    .await;
}

#[tokio::test]
async fn a_job_that_runs_during_a_take_over_keeps_its_trace() {
    let collector = Collector::start().await;
    let mut cluster = cluster(&collector).await;
    let second = cluster.second_dispatcher();
    wait_until("the second stands by", LIMIT, async || {
        second.log().contains("standing_by")
    })
    .await;
    let traced = headers([(HEADER_MSG_ID, "long"), ("traceparent", &traceparent("01"))]);
    cluster.submit_to("rolecast.jobs.hold", traced, "").await;
    cluster.wait_running(1).await;
    cluster.dispatcher().kill();
    cluster
        .wait_status("the second leads", |status| status.epoch.get() == 2)
        .await;
    cluster.wait_running(1).await;
    std::fs::write(cluster.directory().join("go"), "").unwrap();
    let record = cluster.wait_record("long").await;
    assert_eq!(
        record.trace.map(|trace| trace.to_string()).as_deref(),
        Some(TRACE)
    );
    let spans = collector.wait("long").await;
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["run", "record"]);
    for span in &spans {
        assert_eq!(hex(&span.trace_id), TRACE);
        assert_eq!(hex(&span.parent_span_id), PARENT);
    }
    // The job's own spans, made before the take-over, are below that of its execution.
    let expected = format!("00-{TRACE}-{}-01", hex(&spans[0].span_id));
    assert_eq!(String::from_utf8_lossy(&record.output.0), expected);
}
