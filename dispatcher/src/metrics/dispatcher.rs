//! Metrics of the dispatcher among others.

use rolecast_http::metrics::{Kind, Row};

use super::figures::DispatcherFigures;

pub(super) static ROWS: [Row<DispatcherFigures>; 6] = [
    Row {
        name: "rolecast_dispatcher_info",
        kind: Kind::Gauge,
        help: "Always 1; its name and version are in the labels",
        labels: &["name", "version"],
        bound: "1",
        read: |figures, samples| samples.count(&[&figures.name, env!("CARGO_PKG_VERSION")], 1),
    },
    Row {
        name: "rolecast_dispatcher_leads",
        kind: Kind::Gauge,
        help: "Whether it leads and its lease holds; 1 on one dispatcher at most",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], u64::from(figures.lease_left.is_some())),
    },
    Row {
        name: "rolecast_dispatcher_ready",
        kind: Kind::Gauge,
        help: "Whether it leads or stands by with all that it needs, as /readyz answers",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], u64::from(figures.is_ready)),
    },
    Row {
        name: "rolecast_dispatcher_epoch",
        kind: Kind::Gauge,
        help: "The epoch that the lease names; it rises with each take-over",
        labels: &[],
        bound: "1",
        read: |figures, samples| match figures.epoch {
            Some(epoch) => samples.count(&[], epoch),
            None => Ok(()),
        },
    },
    Row {
        name: "rolecast_dispatcher_lease_remaining_seconds",
        kind: Kind::Gauge,
        help: "Time for which its lease holds unless it is renewed; 0 if it does not lead",
        labels: &[],
        bound: "1",
        read: |figures, samples| {
            samples.value(&[], figures.lease_left.unwrap_or_default().as_secs_f64())
        },
    },
    Row {
        name: "rolecast_dispatcher_takeovers_total",
        kind: Kind::Counter,
        help: "Times that this process took the lead",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.takeovers),
    },
];
