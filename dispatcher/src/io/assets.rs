//! Creation and upgrade of streams, consumers and buckets; repeating it changes nothing.
//!
//! Settings of an operator on an existing stream are kept where this program has no
//! opinion (limits, placement). The `io.nats.monitor.*` metadata lets `nats server check`
//! watch every asset without further settings.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use rolecast_common::id::{Category, Priority};
use rolecast_common::subjects::{self, Source};
use rolecast_common::time::WallTime;

use super::ACK_WAIT;
use super::sizing::ensure_stream;
use crate::config::Streams;

/// The most jobs delivered and not settled, delayed ones included, per consumer. The
/// server rewrites this state as it changes, so it has a bound; further jobs wait in the
/// stream.
const ACK_PENDING_MAX: i64 = 100_000;
const PULLS_MAX: i64 = 512;
/// Limit of the decisions while no share of the storage is known; see [`super::sizing`].
const DECISIONS_BYTES_MAX: i64 = 512 * 1024 * 1024;
/// The same for events.
const EVENTS_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// The server's own choice for a bucket: another value here would change it at each check.
const BUCKET_DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// The same limit of the logs.
const LOGS_BYTES_MAX: i64 = 512 * 1024 * 1024;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A stream, bucket or consumer that a dispatcher needs on the server.
#[derive(Clone, Debug)]
pub(super) enum Asset {
    Stream(Box<Config>),
    Bucket(Box<Config>),
    Consumer(Source),
}

impl Asset {
    /// Returns the name of the stream that it is, or that holds it.
    pub(super) fn stream(&self) -> String {
        match self {
            Asset::Stream(config) | Asset::Bucket(config) => config.name.clone(),
            Asset::Consumer(_) => subjects::STREAM_JOBS.to_owned(),
        }
    }

    pub(super) fn is_jobs_stream(&self) -> bool {
        matches!(self, Asset::Stream(config) if config.name == subjects::STREAM_JOBS)
    }

    /// Creates it if it is missing, and upgrades it if it is old.
    pub(super) async fn ensure(&self, jetstream: &jetstream::Context) -> anyhow::Result<()> {
        match self {
            Asset::Stream(wanted) | Asset::Bucket(wanted) => ensure_stream(jetstream, wanted).await,
            Asset::Consumer(source) => set_consumer(jetstream, source, ACK_WAIT).await,
        }
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asset::Stream(config) => write!(f, "stream {}", config.name),
            Asset::Bucket(config) => {
                let name = config.name.trim_start_matches("KV_");
                write!(f, "bucket {name}")
            }
            Asset::Consumer(source) => write!(f, "consumer {}", source.consumer()),
        }
    }
}

/// Returns the bucket of the lease, which every dispatcher may create.
pub(super) fn control(settings: &Streams) -> Asset {
    let [control, ..] = buckets(settings);
    Asset::Bucket(Box::new(control))
}

/// Returns the work queue.
pub(super) fn jobs(settings: &Streams) -> Asset {
    let [jobs, ..] = streams(settings);
    Asset::Stream(Box::new(jobs))
}

/// Returns the bucket of failed attempts.
pub(super) fn attempts(settings: &Streams) -> Asset {
    let [_, attempts, ..] = buckets(settings);
    Asset::Bucket(Box::new(attempts))
}

/// Returns the bucket of cancels.
pub(super) fn cancels(settings: &Streams) -> Asset {
    let [_, _, cancels, ..] = buckets(settings);
    Asset::Bucket(Box::new(cancels))
}

/// Returns every stream and bucket.
pub(super) fn all(settings: &Streams) -> Vec<Asset> {
    let streams = streams(settings)
        .into_iter()
        .map(|config| Asset::Stream(Box::new(config)));
    let buckets = buckets(settings)
        .into_iter()
        .map(|config| Asset::Bucket(Box::new(config)));
    streams.chain(buckets).collect()
}

/// Returns the consumers of a category.
pub(super) fn consumers(category: &Category) -> [Asset; 3] {
    Priority::ALL.map(|priority| {
        let category = category.clone();
        Asset::Consumer(Source { category, priority })
    })
}

/// Returns the creation time of the jobs stream.
pub(super) async fn jobs_created(jetstream: &jetstream::Context) -> anyhow::Result<WallTime> {
    let jobs = jetstream.get_stream(subjects::STREAM_JOBS).await;
    let jobs = jobs.context("cannot read the state of the jobs stream")?;
    let created = jobs.cached_info().created.unix_timestamp();
    let seconds = u64::try_from(created).unwrap_or(0);
    Ok(WallTime::from_millis(seconds * 1000))
}

pub(super) fn streams(settings: &Streams) -> [Config; 7] {
    let max_bytes = settings.max_bytes;
    let max_bytes = max_bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    [
        Config {
            subjects: subjects::JOBS.map(str::to_owned).to_vec(),
            retention: RetentionPolicy::WorkQueue,
            // A full queue refuses its producer rather than losing the oldest job.
            discard: DiscardPolicy::New,
            max_bytes,
            ..stream(
                settings,
                subjects::STREAM_JOBS,
                "Rolecast: jobs until their outcome is recorded",
                "1000000",
            )
        },
        Config {
            subjects: vec![subjects::RESULTS.to_owned()],
            max_age: settings.results_max_age,
            max_messages_per_subject: 1,
            ..stream(
                settings,
                subjects::STREAM_RESULTS,
                "Rolecast: one recorded outcome a job",
                "50000000",
            )
        },
        Config {
            subjects: vec![subjects::DEAD.to_owned()],
            max_age: settings.dead_max_age,
            // A full stream refuses the next dead job, which then stays in the queue.
            discard: DiscardPolicy::New,
            ..stream(
                settings,
                subjects::STREAM_DEAD,
                "Rolecast: jobs that failed for good or expired, with the reasons",
                "1000",
            )
        },
        decisions(settings),
        events(settings),
        logs(settings),
        Config {
            subjects: vec![subjects::ADVISORIES.to_owned()],
            max_age: 7 * DAY,
            max_messages: 10_000,
            ..stream(
                settings,
                subjects::STREAM_ADVISORIES,
                "Rolecast: advisories about jobs the server stopped delivering",
                "1",
            )
        },
    ]
}

fn decisions(settings: &Streams) -> Config {
    Config {
        subjects: vec![subjects::DECISIONS.to_owned()],
        max_age: DAY,
        max_messages_per_subject: 1,
        max_messages: 200_000,
        max_bytes: DECISIONS_BYTES_MAX,
        ..stream(
            settings,
            subjects::STREAM_DECISIONS,
            "Rolecast: why jobs went where they went",
            "200000",
        )
    }
}

fn logs(settings: &Streams) -> Config {
    Config {
        subjects: vec![subjects::LOGS.to_owned()],
        max_age: settings.logs_max_age,
        max_messages_per_subject: 1,
        max_bytes: LOGS_BYTES_MAX,
        ..stream(
            settings,
            subjects::STREAM_LOGS,
            "Rolecast: the end of what attempts wrote to stderr",
            "5000000",
        )
    }
}

/// Returns a stream without subjects.
fn stream(settings: &Streams, name: &str, description: &str, max_messages: &str) -> Config {
    Config {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        num_replicas: settings.replicas as usize,
        allow_direct: true,
        duplicate_window: settings.duplicate_window,
        metadata: metadata([("msgs-critical", max_messages)]),
        ..Config::default()
    }
}

fn events(settings: &Streams) -> Config {
    Config {
        subjects: vec![subjects::EVENTS.to_owned()],
        max_age: DAY,
        max_bytes: EVENTS_BYTES_MAX,
        ..stream(
            settings,
            subjects::STREAM_EVENTS,
            "Rolecast: events of the last day",
            "1000000",
        )
    }
}

/// Returns the streams that hold the buckets. The library's own requests for buckets know
/// no metadata, and would remove those, and other settings, of an existing bucket.
pub(super) fn buckets(settings: &Streams) -> [Config; 6] {
    let base = |bucket: &str, description: &str, max_messages: &str| Config {
        name: subjects::bucket_stream(bucket),
        description: Some(description.to_owned()),
        subjects: vec![subjects::bucket_key(bucket, ">")],
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        num_replicas: settings.replicas as usize,
        duplicate_window: BUCKET_DUPLICATE_WINDOW,
        metadata: metadata([("msgs-critical", max_messages)]),
        ..Config::default()
    };
    [
        base(
            subjects::BUCKET_CONTROL,
            "Rolecast: the dispatcher's epoch; changed by compare-and-set only",
            "10",
        ),
        Config {
            max_age: 30 * DAY,
            ..base(
                subjects::BUCKET_ATTEMPTS,
                "Rolecast: failed attempts of jobs that are still alive",
                "1000000",
            )
        },
        // A job that is older than its cancel by so much is forgotten.
        Config {
            max_age: 30 * DAY,
            ..base(
                subjects::BUCKET_CANCELS,
                "Rolecast: cancels of jobs that have not ended",
                "20000",
            )
        },
        base(
            subjects::BUCKET_CAPACITY,
            "Rolecast: how much room the nodes of each role will have",
            "10",
        ),
        base(
            subjects::BUCKET_ROLES,
            "Rolecast: which node holds which role; changed by compare-and-set only",
            "10",
        ),
        // A node that was away for longer is learned again.
        Config {
            max_age: 30 * DAY,
            ..base(
                subjects::BUCKET_FORECASTS,
                "Rolecast: what forecasts have learned, over a restart",
                "100000",
            )
        },
    ]
}

fn metadata<const N: usize>(limits: [(&str, &str); N]) -> HashMap<String, String> {
    let own = [
        ("rolecast.version", env!("CARGO_PKG_VERSION")),
        ("io.nats.monitor.enabled", "true"),
    ];
    let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let limits = limits.map(|(key, value)| (format!("io.nats.monitor.{key}"), value.to_owned()));
    own.into_iter().chain(limits).collect()
}

/// Creates or upgrades a consumer, which then redelivers jobs that were not acknowledged
/// within `ack_wait`.
pub(super) async fn set_consumer(
    jetstream: &jetstream::Context,
    source: &Source,
    ack_wait: Duration,
) -> anyhow::Result<()> {
    let name = source.consumer();
    let (category, priority) = (&source.category, source.priority);
    let config = pull::Config {
        durable_name: Some(name.clone()),
        description: Some(format!("Rolecast: {priority} jobs of category {category}")),
        filter_subject: source.subject(),
        ack_policy: AckPolicy::Explicit,
        ack_wait,
        // Attempts are counted by the dispatcher; the server never judges.
        max_deliver: -1,
        max_ack_pending: ACK_PENDING_MAX,
        max_waiting: PULLS_MAX,
        metadata: metadata([
            ("outstanding-ack-critical", "90000"),
            ("waiting-critical", "500"),
        ]),
        ..pull::Config::default()
    };
    jetstream
        .create_consumer_on_stream(config, subjects::STREAM_JOBS)
        .await
        .with_context(|| format!("cannot create or upgrade consumer {name}"))?;
    Ok(())
}
