//! HTTP of the dispatcher: its pages, and the observatory from which they get their figures.

mod health;
mod metrics;
mod observatory;
mod pages;

use axum::Router;
use axum::routing::get;

pub(super) use observatory::{Observatory, Phase, View};

/// Returns all pages.
pub(super) fn routes(observatory: &Observatory) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::answer))
        .with_state(observatory.clone())
        .merge(pages::routes(observatory))
}
