//! Metrics of jobs, of the loop that handles them, and of refused messages.

use std::fmt;
use std::sync::Arc;

use rolecast_http::metrics::{Kind, Row, Samples};

use super::figures::{CategoryFigures, Figures};

/// Series of a metric by category.
const BY_CATEGORY: &str = "declared categories and 64 others";

pub(super) static ROWS: [Row<Arc<Figures>>; 24] = [
    Row {
        name: "rolecast_jobs_total",
        kind: Kind::Counter,
        help: "Jobs that ended, by end: completed, dead, expired or cancelled; counted by this \
            process while it leads",
        labels: &["category", "end"],
        bound: "4 for each of: declared categories and 64 others",
        read: |figures, samples| ends(figures, samples, |category| &category.jobs),
    },
    Row {
        name: "rolecast_attempts_total",
        kind: Kind::Counter,
        help: "Attempts that ended, by end: completed, failed, gave_up, refused or handed_back by \
            the worker, unreported, or lost with the node; counted by this process while it leads",
        labels: &["category", "end"],
        bound: "7 for each of: declared categories and 64 others",
        read: |figures, samples| ends(figures, samples, |category| &category.attempts),
    },
    Row {
        name: "rolecast_job_wait_seconds",
        kind: Kind::Histogram,
        help: "Time from when a job is stored, due or given back until it is sent to a node",
        labels: &["category"],
        bound: "23 for each of: declared categories and 64 others",
        read: |figures, samples| {
            each(figures, |category| {
                samples.histogram(&[category.category.as_str()], &category.waits)
            })
        },
    },
    Row {
        name: "rolecast_job_dispatch_delay_seconds",
        kind: Kind::Histogram,
        help: "Time from when the dispatcher receives a job until it is sent to a node",
        labels: &["category"],
        bound: "23 for each of: declared categories and 64 others",
        read: |figures, samples| {
            each(figures, |category| {
                samples.histogram(&[category.category.as_str()], &category.delays)
            })
        },
    },
    Row {
        name: "rolecast_job_run_seconds",
        kind: Kind::Histogram,
        help: "Run time of completed jobs, as the workers report it",
        labels: &["category"],
        bound: "23 for each of: declared categories and 64 others",
        read: |figures, samples| {
            each(figures, |category| {
                samples.histogram(&[category.category.as_str()], &category.runs)
            })
        },
    },
    Row {
        name: "rolecast_backlog_jobs",
        kind: Kind::Gauge,
        help: "Jobs in the stream that have not ended, those that run included; of the leader",
        labels: &["category"],
        bound: BY_CATEGORY,
        read: |figures, samples| {
            each(figures, |category| match category.backlog {
                Some(backlog) => samples.count(&[category.category.as_str()], backlog),
                None => Ok(()),
            })
        },
    },
    Row {
        name: "rolecast_waiting_jobs",
        kind: Kind::Gauge,
        help: "Jobs that the dispatcher holds until a node has room",
        labels: &["category"],
        bound: BY_CATEGORY,
        read: |figures, samples| {
            each(figures, |category| {
                samples.count(&[category.category.as_str()], category.waiting)
            })
        },
    },
    Row {
        name: "rolecast_running_jobs",
        kind: Kind::Gauge,
        help: "Jobs that were sent to a node and have not ended",
        labels: &["category"],
        bound: BY_CATEGORY,
        read: |figures, samples| {
            each(figures, |category| {
                samples.count(&[category.category.as_str()], category.running)
            })
        },
    },
    Row {
        name: "rolecast_oldest_waiting_job_age_seconds",
        kind: Kind::Gauge,
        help: "Time since the oldest waiting job was stored, due or given back; 0 if none waits",
        labels: &["category"],
        bound: BY_CATEGORY,
        read: |figures, samples| {
            each(figures, |category| {
                samples.value(&[category.category.as_str()], category.oldest.as_secs_f64())
            })
        },
    },
    Row {
        name: "rolecast_category_late",
        kind: Kind::Gauge,
        help: "Whether the first job has waited long, compared with the run time of jobs",
        labels: &["category"],
        bound: BY_CATEGORY,
        read: |figures, samples| {
            each(figures, |category| {
                samples.count(&[category.category.as_str()], u64::from(category.is_late))
            })
        },
    },
    Row {
        name: "rolecast_jobs_redelivered_total",
        kind: Kind::Counter,
        help: "Deliveries of jobs that the dispatcher had already",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.jobs_redelivered),
    },
    Row {
        name: "rolecast_jobs_bounced_total",
        kind: Kind::Counter,
        help: "Jobs that were returned because nobody listened at their node",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.jobs_bounced),
    },
    Row {
        name: "rolecast_jobs_unable_total",
        kind: Kind::Counter,
        help: "Jobs that a node could not start",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.jobs_unable),
    },
    Row {
        name: "rolecast_outcomes_stale_total",
        kind: Kind::Counter,
        help: "Outcomes of attempts that had been revoked",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.outcomes_stale),
    },
    Row {
        name: "rolecast_executions_duplicate_total",
        kind: Kind::Counter,
        help: "Executions that ended after another one of the same job had been recorded",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.duplicates),
    },
    Row {
        name: "rolecast_messages_refused_total",
        kind: Kind::Counter,
        help: "Refused messages, by kind (heartbeat, outcome or request) and reason",
        labels: &["message", "reason"],
        bound: "16",
        read: |figures, samples| {
            for ((message, reason), count) in &figures.refused {
                samples.count(&[message, reason], *count)?;
            }
            Ok(())
        },
    },
    Row {
        name: "rolecast_troubles",
        kind: Kind::Gauge,
        help: "Lasting conditions that need attention; rolecast status names them",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.troubles),
    },
    Row {
        name: "rolecast_pulls_total",
        kind: Kind::Counter,
        help: "Requests for jobs from the stream",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.work.pulls),
    },
    Row {
        name: "rolecast_pulls_failed_total",
        kind: Kind::Counter,
        help: "Requests for jobs that the server answered with an error",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.work.pulls_failed),
    },
    Row {
        name: "rolecast_publish_failures_total",
        kind: Kind::Counter,
        help: "Messages that could not be sent to NATS",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.work.messages_unsent),
    },
    Row {
        name: "rolecast_loop_turn_seconds",
        kind: Kind::Histogram,
        help: "Time of the leader's loop from the arrival of inputs until all is sent that they \
            cause",
        labels: &[],
        bound: "23",
        read: |figures, samples| samples.histogram(&[], &figures.work.turns),
    },
    Row {
        name: "rolecast_decisions_compared_total",
        kind: Kind::Counter,
        help: "Decisions that were compared with one by the last heartbeats alone",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.compared),
    },
    Row {
        name: "rolecast_decisions_diverted_total",
        kind: Kind::Counter,
        help: "Compared decisions in which forecasts chose another node",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.diverted),
    },
    Row {
        name: "rolecast_advisory_decisions_diverted_total",
        kind: Kind::Counter,
        help: "Decisions in which forecasts in advisory mode would have chosen another node",
        labels: &[],
        bound: "1",
        read: |figures, samples| samples.count(&[], figures.counters.advisory_diverted),
    },
];

fn each(figures: &Figures, mut sample: impl FnMut(&CategoryFigures) -> fmt::Result) -> fmt::Result {
    figures.categories.iter().try_for_each(&mut sample)
}

fn ends<const N: usize>(
    figures: &Figures,
    samples: &mut Samples<'_, '_>,
    of: fn(&CategoryFigures) -> &[(&'static str, u64); N],
) -> fmt::Result {
    for category in &figures.categories {
        for (end, count) in of(category) {
            samples.count(&[category.category.as_str(), end], *count)?;
        }
    }
    Ok(())
}
