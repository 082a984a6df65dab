//! Export of spans to a collector of OpenTelemetry, by OTLP over HTTP.
//!
//! A thread of the exporter sends them in batches. If the collector is away or slow, spans
//! are lost and jobs go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor as _,
};

use crate::span::{Span, Stage};

/// Time that a stopping dispatcher waits for the last batch.
const STOP_LIMIT: Duration = Duration::from_secs(2);
const SERVICE: &str = "rolecast-dispatcher";

/// The way to the collector, for the whole time of the process. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Tracer {
    exporter: Option<Arc<BatchSpanProcessor>>,
    scope: InstrumentationScope,
}

impl Tracer {
    /// Starts the exporter if there is an endpoint, such as `http://collector:4318`.
    pub(super) async fn start(endpoint: Option<&str>, name: &str) -> anyhow::Result<Self> {
        let exporter = match endpoint {
            Some(endpoint) => {
                let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
                let resource = Resource::builder()
                    .with_service_name(SERVICE)
                    .with_attribute(KeyValue::new("service.instance.id", name.to_owned()))
                    .build();
                // The client is blocking, and may not be made in an asynchronous context.
                let started = tokio::task::spawn_blocking(move || start(&url, &resource));
                let started = started.await.context("cannot start the export of traces")?;
                Some(Arc::new(started.context("[traces] endpoint")?))
            }
            None => None,
        };
        let scope = InstrumentationScope::builder("rolecast")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Ok(Self { exporter, scope })
    }

    /// Whether spans go anywhere. If not, the headers of jobs are left as they are.
    pub(super) fn exports(&self) -> bool {
        self.exporter.is_some()
    }

    /// Queues spans; those that do not fit are lost.
    pub(super) fn export(&self, spans: Vec<Span>) {
        if let Some(exporter) = &self.exporter {
            for span in spans {
                exporter.on_end(data(span, &self.scope));
            }
        }
    }

    /// Sends what is queued, for a limited time.
    pub(super) async fn finish(self) {
        if let Some(exporter) = self.exporter {
            let stop = move || exporter.shutdown_with_timeout(STOP_LIMIT);
            match tokio::task::spawn_blocking(stop).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(error)) => tracing::debug!(event = "traces_lost", "{error}"),
            }
        }
    }
}

fn start(url: &str, resource: &Resource) -> anyhow::Result<BatchSpanProcessor> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(url)
        .build()?;
    let watched = Watched {
        exporter,
        is_failing: AtomicBool::new(false),
    };
    let mut processor = BatchSpanProcessor::builder(watched).build();
    processor.set_resource(resource);
    Ok(processor)
}

/// An exporter whose first failure, and the end of the failures, are logged.
#[derive(Debug)]
struct Watched {
    exporter: opentelemetry_otlp::SpanExporter,
    is_failing: AtomicBool,
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !was_failing => {
                tracing::warn!(event = "traces_not_exported", "spans are lost: {error}");
            }
            Ok(()) if was_failing => {
                tracing::info!(event = "traces_exported", "spans are exported again");
            }
            Ok(()) | Err(_) => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

fn data(span: Span, scope: &InstrumentationScope) -> SpanData {
    let mut attributes = vec![
        KeyValue::new("rolecast.job", span.job.to_string()),
        KeyValue::new("rolecast.category", span.category.to_string()),
        KeyValue::new("rolecast.attempt", i64::from(span.attempt)),
    ];
    if let Some(node) = span.node {
        attributes.push(KeyValue::new("rolecast.node", node.to_string()));
    }
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(span.trace.to_bytes()),
            SpanId::from_bytes(span.id.to_bytes()),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::from_bytes(span.parent.to_bytes()),
        parent_span_is_remote: true,
        span_kind: match span.stage {
            Stage::Run => SpanKind::Consumer,
            Stage::Wait | Stage::Place | Stage::Send | Stage::Record => SpanKind::Internal,
        },
        name: span.stage.as_str().into(),
        start_time: time(span.begin_us),
        end_time: time(span.end_us),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}

fn time(micros: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}
