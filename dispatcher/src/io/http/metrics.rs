//! Metrics for Prometheus.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use rolecast_http::metrics::process::Process;

use super::{Observatory, health};
use crate::metrics::expose;

/// Answers a scrape. It is encoded on the thread of this server.
pub(super) async fn answer(State(observatory): State<Observatory>, headers: HeaderMap) -> Response {
    let (_, why, pulse) = health::readiness(&observatory).await;
    let dispatcher = observatory.figures(pulse, why.is_empty());
    let counted = match pulse {
        Some(_) => observatory.counted().await,
        None => None,
    };
    expose(dispatcher, counted, Process::read()).answer(&headers)
}
