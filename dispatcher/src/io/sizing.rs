//! Creation and upgrade of one stream: bounded by its share of the server's storage, with
//! settings restored that would lose jobs, and other settings of operators kept.
//!
//! The shares of the storage are kept in the metadata of the jobs stream, so they are
//! found out once: the stream is requested with room for all, and then given its part.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_nats::jetstream;
use async_nats::jetstream::stream::Config;
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_common::unit::Bytes;
use rolecast_nats::{Meaning, meaning_of};
use tokio::time::{Instant, sleep};

use super::difference::differences;
use crate::storage::{self, Existing, Limit, Reserve};

/// Metadata of the jobs stream: the reserve for everything but jobs.
const KEY_RESERVE: &str = "rolecast.reserve";
/// Metadata of every stream that was given a limit here: that limit.
const KEY_LIMIT: &str = "rolecast.max_bytes";

/// Settings of the jobs stream that lose jobs or refuse producers if they are changed.
const HARMFUL: [&str; 9] = [
    "max_msgs_per_subject",
    "discard",
    "discard_new_per_subject",
    "no_ack",
    "allow_rollup_hdrs",
    "sources",
    "subject_transform",
    "subjects",
    "max_age",
];

/// Time after which a failed creation is an error. The servers of a cluster exchange
/// their reservations, and a released one is still counted for 1.3 s (measured on
/// 2.15.1).
const RESERVATION_LAG: Duration = Duration::from_secs(3);
const RESERVATION_RETRY: Duration = Duration::from_millis(200);

/// The present state of a stream on the server.
struct Found {
    config: Config,
    held: u64,
}

/// Creates the stream if it is missing, otherwise upgrades it; repeating it changes
/// nothing. A `max_bytes` in `wanted` is the configured one.
pub(super) async fn ensure_stream(
    jetstream: &jetstream::Context,
    wanted: &Config,
) -> anyhow::Result<()> {
    match find(jetstream, &wanted.name).await? {
        None if wanted.name == STREAM_JOBS => create_jobs(jetstream, wanted).await,
        None => create(jetstream, wanted).await,
        Some(found) => bring_up_to_date(jetstream, wanted, found).await,
    }
}

/// Upgrades the stream if it exists. A missing stream is not created here: another check
/// reports it.
pub(super) async fn restore_stream(
    jetstream: &jetstream::Context,
    wanted: &Config,
) -> anyhow::Result<()> {
    match find(jetstream, &wanted.name).await? {
        None => Ok(()),
        Some(found) => bring_up_to_date(jetstream, wanted, found).await,
    }
}

async fn bring_up_to_date(
    jetstream: &jetstream::Context,
    wanted: &Config,
    found: Found,
) -> anyhow::Result<()> {
    let reserve = match wanted.name == STREAM_JOBS {
        true => match reserve_of(&found.config) {
            None => return bound_jobs(jetstream, wanted, found).await,
            known => known,
        },
        false => reserve(jetstream).await?,
    };
    let upgraded = upgraded(&found, wanted, reserve);
    update(jetstream, &found, upgraded).await
}

async fn find(jetstream: &jetstream::Context, name: &str) -> anyhow::Result<Option<Found>> {
    match jetstream.get_stream(name).await {
        Ok(stream) => {
            let info = stream.cached_info();
            Ok(Some(Found {
                config: info.config.clone(),
                held: info.state.bytes,
            }))
        }
        Err(error) if meaning_of(&error) == Some(Meaning::StreamMissing) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read the state of stream {name}")),
    }
}

/// Returns the reserve in the metadata of the jobs stream; `None` if there is none yet.
async fn reserve(jetstream: &jetstream::Context) -> anyhow::Result<Option<Reserve>> {
    let jobs = find(jetstream, STREAM_JOBS).await?;
    Ok(jobs.and_then(|jobs| reserve_of(&jobs.config)))
}

fn reserve_of(jobs: &Config) -> Option<Reserve> {
    let bytes = jobs.metadata.get(KEY_RESERVE)?.parse().ok()?;
    Reserve::new(bytes)
}

/// Reads a limit in the server's form.
fn limit_of(config: &Config) -> Option<u64> {
    u64::try_from(config.max_bytes)
        .ok()
        .filter(|bytes| *bytes > 0)
}

fn set_limit(config: &mut Config, bytes: u64) {
    config.max_bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let bytes = bytes.to_string();
    config.metadata.insert(KEY_LIMIT.to_owned(), bytes);
}

/// Creates the jobs stream with room for all streams, then lowers its limit to its part.
async fn create_jobs(jetstream: &jetstream::Context, wanted: &Config) -> anyhow::Result<()> {
    let asked = limit_of(wanted);
    for reserve in storage::ladder() {
        let jobs = asked.unwrap_or_else(|| reserve.jobs());
        let mut config = wanted.clone();
        set_limit(&mut config, jobs + reserve.bytes());
        let bytes = reserve.bytes().to_string();
        config.metadata.insert(KEY_RESERVE.to_owned(), bytes);
        match jetstream.create_stream(config.clone()).await {
            Ok(_) => {}
            Err(error) if meaning_of(&error) == Some(Meaning::NoResources) => continue,
            Err(error) => return Err(error).context("cannot create stream ROLECAST_JOBS"),
        }
        set_limit(&mut config, jobs);
        let updated = jetstream.update_stream(config).await;
        updated.context("cannot bound stream ROLECAST_JOBS")?;
        tracing::info!(
            event = "stream_created",
            stream = STREAM_JOBS,
            max_bytes = %Bytes::new(jobs),
            reserve = %Bytes::new(reserve.bytes()),
            "created stream"
        );
        return Ok(());
    }
    Err(too_small(asked))
}

fn too_small(asked: Option<u64>) -> anyhow::Error {
    let need = Bytes::new(storage::need(asked));
    let why = match asked {
        Some(asked) => format!("for max_bytes = {} of [streams]", Bytes::new(asked)),
        None => "at least".to_owned(),
    };
    anyhow!(
        "JetStream has too little storage left: {need} are needed {why}; raise max_file_store \
         of nats-server or the account's limit, free some, or lower max_bytes"
    )
}

async fn create(jetstream: &jetstream::Context, wanted: &Config) -> anyhow::Result<()> {
    let mut config = wanted.clone();
    let share = reserve(jetstream).await?;
    if let Some(share) = share.and_then(|reserve| reserve.share(&wanted.name)) {
        set_limit(&mut config, share);
    }
    let name = &wanted.name;
    let size = limit_of(&config).map(Bytes::new);
    let begun = Instant::now();
    loop {
        let Err(error) = jetstream.create_stream(config.clone()).await else {
            break;
        };
        let is_full = meaning_of(&error) == Some(Meaning::NoResources);
        if !is_full || begun.elapsed() >= RESERVATION_LAG {
            return Err(error).with_context(|| match size {
                Some(size) => format!("cannot create stream {name} with room for {size}"),
                None => format!("cannot create stream {name}"),
            });
        }
        sleep(RESERVATION_RETRY).await;
    }
    tracing::info!(event = "stream_created", stream = name, "created stream");
    Ok(())
}

/// Finds the shares of the storage for a jobs stream that existed before.
async fn bound_jobs(
    jetstream: &jetstream::Context,
    wanted: &Config,
    found: Found,
) -> anyhow::Result<()> {
    let own = limit_of(wanted).or_else(|| limit_of(&found.config));
    for reserve in storage::ladder() {
        let jobs = own.unwrap_or_else(|| reserve.jobs());
        if !storage::is_safe(found.held, jobs) {
            break;
        }
        let mut config = upgrade(&found.config, wanted);
        set_limit(&mut config, jobs + reserve.bytes());
        let bytes = reserve.bytes().to_string();
        config.metadata.insert(KEY_RESERVE.to_owned(), bytes);
        match jetstream.update_stream(config.clone()).await {
            Ok(_) => {}
            Err(error) if meaning_of(&error) == Some(Meaning::NoResources) => continue,
            Err(error) => return Err(error).context("cannot upgrade stream ROLECAST_JOBS"),
        }
        set_limit(&mut config, jobs);
        let updated = jetstream.update_stream(config).await;
        updated.context("cannot bound stream ROLECAST_JOBS")?;
        tracing::info!(
            event = "stream_bounded",
            stream = STREAM_JOBS,
            max_bytes = %Bytes::new(jobs),
            reserve = %Bytes::new(reserve.bytes()),
            "the jobs stream leaves room for outcomes"
        );
        return Ok(());
    }
    tracing::warn!(
        event = "limit_postponed",
        held = %Bytes::new(found.held),
        "stream ROLECAST_JOBS has no limit that leaves room for outcomes, and none can be set, \
        because it holds too much or the server has no room; the limit is set when it holds less"
    );
    let upgraded = upgraded(&found, wanted, None);
    update(jetstream, &found, upgraded).await
}

/// Returns the new configuration of the stream.
fn upgraded(found: &Found, wanted: &Config, reserve: Option<Reserve>) -> Config {
    let mut config = upgrade(&found.config, wanted);
    let is_jobs = wanted.name == STREAM_JOBS;
    let limit = limit_of(&found.config);
    let share = reserve.and_then(|reserve| match is_jobs {
        true => Some(reserve.jobs()),
        false => reserve.share(&wanted.name),
    });
    // The first limit was not lowered to its part: the dispatcher died in between.
    let is_unfinished =
        is_jobs && reserve.is_some_and(|reserve| limit == Some(reserve.jobs() + reserve.bytes()));
    let asked = match is_jobs {
        true => limit_of(wanted).or(share.filter(|_| is_unfinished)),
        false => None,
    };
    let existing = Existing {
        limit,
        held: found.held,
        is_sized: found.config.metadata.contains_key(KEY_LIMIT),
    };
    match existing.limit(asked, share) {
        Limit::Keep => {}
        Limit::Set(bytes) => set_limit(&mut config, bytes),
        Limit::Later => {
            tracing::info!(
                event = "limit_postponed",
                stream = wanted.name,
                held = %Bytes::new(found.held),
                "the stream holds too much for its limit, which is set later"
            );
        }
    }
    config
}

async fn update(
    jetstream: &jetstream::Context,
    found: &Found,
    upgraded: Config,
) -> anyhow::Result<()> {
    if upgraded == found.config {
        return Ok(());
    }
    let name = upgraded.name.clone();
    let restored = harm(&found.config, &upgraded);
    let updated = jetstream.update_stream(upgraded).await;
    updated.with_context(|| format!("cannot upgrade stream {name}"))?;
    tracing::info!(event = "stream_upgraded", stream = name, "upgraded stream");
    if !restored.is_empty() {
        tracing::warn!(
            event = "setting_restored",
            stream = name,
            settings = restored.join(", "),
            "settings that lose jobs or outcomes were set by hand; restored"
        );
    }
    Ok(())
}

/// Returns the existing configuration, with all settings that matter here as wanted.
pub(super) fn upgrade(existing: &Config, wanted: &Config) -> Config {
    let mut upgraded = existing.clone();
    upgraded.subjects.clone_from(&wanted.subjects);
    upgraded.description.clone_from(&wanted.description);
    upgraded.retention = wanted.retention;
    upgraded.discard = wanted.discard;
    upgraded.max_age = wanted.max_age;
    upgraded.duplicate_window = wanted.duplicate_window;
    upgraded.num_replicas = wanted.num_replicas;
    upgraded.allow_direct = wanted.allow_direct;
    // With another number the server deletes waiting jobs, or outcomes. It writes -1 for
    // none, we write 0.
    let per_subject = |config: &Config| config.max_messages_per_subject.max(0);
    if per_subject(existing) != per_subject(wanted) {
        upgraded.max_messages_per_subject = wanted.max_messages_per_subject;
    }
    upgraded.discard_new_per_subject = wanted.discard_new_per_subject;
    // Producers would get no answer.
    upgraded.no_ack = wanted.no_ack;
    // A header of one producer deletes the jobs of all.
    upgraded.allow_rollup = wanted.allow_rollup;
    // Jobs would be from elsewhere, or on another subject than they were published on.
    upgraded.sources.clone_from(&wanted.sources);
    upgraded
        .subject_transform
        .clone_from(&wanted.subject_transform);
    for (key, value) in &wanted.metadata {
        let is_ours = key == "rolecast.version";
        if is_ours || !upgraded.metadata.contains_key(key) {
            upgraded.metadata.insert(key.clone(), value.clone());
        }
    }
    upgraded
}

/// Returns the settings that were restored because they do harm.
fn harm(existing: &Config, upgraded: &Config) -> Vec<&'static str> {
    let is_jobs = existing.name == STREAM_JOBS;
    // Other differences on other streams are from a new version or another configuration.
    let is_harmful = |setting: &&str| match is_jobs {
        true => HARMFUL.contains(setting),
        false => *setting == "max_msgs_per_subject",
    };
    let found = differences(existing, upgraded).into_iter();
    found
        .map(|found| found.setting)
        .filter(is_harmful)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use async_nats::jetstream::stream::{DiscardPolicy, RetentionPolicy, Source};

    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn wanted() -> Config {
        Config {
            name: STREAM_JOBS.to_owned(),
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            description: Some("new".to_owned()),
            metadata: HashMap::from([("io.nats.monitor.msgs-critical".to_owned(), "9".to_owned())]),
            ..Config::default()
        }
    }

    #[test]
    fn an_upgrade_keeps_what_operators_set_and_is_stable() {
        let wanted = wanted();
        let existing = Config {
            max_bytes: 1 << 30,
            max_messages_per_subject: -1,
            description: Some("old".to_owned()),
            metadata: HashMap::from([("io.nats.monitor.msgs-critical".to_owned(), "5".to_owned())]),
            ..wanted.clone()
        };
        let upgraded = upgrade(&existing, &wanted);
        assert_eq!(upgraded.max_bytes, 1 << 30);
        assert_eq!(upgraded.description, wanted.description);
        assert_eq!(upgraded.metadata["io.nats.monitor.msgs-critical"], "5");
        assert_eq!(upgraded.max_messages_per_subject, -1);
        assert_eq!(upgrade(&upgraded, &wanted), upgraded);
        assert!(harm(&existing, &upgraded).is_empty());
    }

    #[test]
    fn settings_that_lose_jobs_are_restored_and_named() {
        let wanted = wanted();
        let existing = Config {
            max_messages_per_subject: 5,
            discard: DiscardPolicy::Old,
            no_ack: true,
            allow_rollup: true,
            sources: Some(vec![Source::default()]),
            ..wanted.clone()
        };
        let upgraded = upgrade(&existing, &wanted);
        assert_eq!(upgraded, wanted);
        assert_eq!(
            harm(&existing, &upgraded),
            [
                "discard",
                "max_msgs_per_subject",
                "no_ack",
                "allow_rollup_hdrs",
                "sources"
            ]
        );
    }

    fn found(max_bytes: i64, held: u64, is_sized: bool) -> Found {
        let mut config = wanted();
        config.max_bytes = max_bytes;
        if is_sized {
            config.metadata.insert(KEY_LIMIT.to_owned(), "1".to_owned());
        }
        Found { config, held }
    }

    #[test]
    fn the_configuration_counts_then_the_operator_then_the_share() {
        let reserve = Reserve::new(40 * MIB);
        let mebibytes = |config: Config| config.max_bytes / (1 << 20);
        let by_share = upgraded(&found(-1, 0, false), &wanted(), reserve);
        assert_eq!(mebibytes(by_share), 60);
        let removed = upgraded(&found(-1, 0, true), &wanted(), reserve);
        assert_eq!(removed.max_bytes, -1);
        let by_operator = upgraded(&found(7 << 20, 0, true), &wanted(), reserve);
        assert_eq!(mebibytes(by_operator), 7);
        let asked = Config {
            max_bytes: 9 << 20,
            ..wanted()
        };
        let by_configuration = upgraded(&found(7 << 20, 0, true), &asked, reserve);
        assert_eq!(mebibytes(by_configuration), 9);
        // The dispatcher died between the two steps of the first bound.
        let unfinished = upgraded(&found(100 << 20, 0, true), &wanted(), reserve);
        assert_eq!(mebibytes(unfinished), 60);
    }
}
