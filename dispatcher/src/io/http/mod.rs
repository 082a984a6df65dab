//! HTTP of the dispatcher: its pages, and the observatory from which they get their figures.

mod health;
mod metrics;
#[allow(dead_code, reason = "the pages, which follow, read all of it")]
mod observatory;
mod pages;

use axum::Router;
use axum::routing::get;

pub(super) use observatory::{Observatory, Phase, View};

/// Returns all pages.
pub(super) fn routes(name: &str, observatory: &Observatory) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::answer))
        .with_state(observatory.clone())
        .merge(pages::routes(name, observatory))
}
