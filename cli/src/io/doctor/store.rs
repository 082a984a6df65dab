//! Facts of JetStream: the account, the streams, the consumers, and what is stored.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::account::{Account, Limits};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::stream::{Config, Info};
use futures_util::future::join_all;
use rolecast_common::requests;
use rolecast_common::subjects::{STREAM_DEAD, STREAM_DECISIONS, STREAM_JOBS, Source};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{self, Decision, Encoding};
use rolecast_dispatcher::config;
use rolecast_dispatcher::io::inspection::{changed, hazards, intended};
use rolecast_dispatcher::io::strangers::{self, stranger};
use rolecast_nats::Meaning;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::dead::letters::list_from;
use super::ask::{Answered, Asker, Unanswered};
use crate::doctor::facts::{
    Consumer, Decided, Found, JetStream, Lead, Letters, Part, Peer, Stream, Tier, Times,
};

/// Pages of consumers that are read; each has 256, and categories are far fewer.
const PAGES_MAX: usize = 16;
/// The lead of a clock that was not reported: it may be anything.
const UNKNOWN_LEAD: Lead = Lead {
    millis: 0,
    unsure_millis: u64::MAX,
};
/// Dead letters whose reasons are read: the latest ones.
const LETTERS_MAX: u64 = 500;

/// Facts of JetStream, and those that later requests need.
pub(super) struct Store {
    pub(super) account: Part<JetStream>,
    pub(super) streams: BTreeMap<String, Part<Found>>,
    pub(super) consumers: Part<Vec<Consumer>>,
    /// The first and the last sequence of each stream with messages.
    sequences: BTreeMap<String, (u64, u64)>,
}

/// The server's answer about a stream.
struct Known {
    info: Info,
    answered: Answered,
}

pub(super) async fn gather(asker: &Asker<'_>, settings: Option<config::Streams>) -> Store {
    let names: Vec<String> = names();
    let infos = join_all(names.iter().map(|name| info(asker, name)));
    let (account, infos, consumers) = tokio::join!(account(asker), infos, consumers(asker));
    let infos: BTreeMap<&String, Result<Known, Unanswered>> = names.iter().zip(infos).collect();
    let known = infos.values().filter_map(|info| info.as_ref().ok());
    let configs: Vec<&Config> = known.map(|known| &known.info.config).collect();
    let settings = settings.unwrap_or_else(|| assumed(&configs));
    let wanted: BTreeMap<String, Config> = intended(&settings)
        .into_iter()
        .map(|config| (config.name.clone(), config))
        .collect();
    let mut sequences = BTreeMap::new();
    let mut streams = BTreeMap::new();
    for (name, info) in infos {
        let part = match info {
            Ok(known) => {
                let state = &known.info.state;
                if state.messages > 0 {
                    let range = (state.first_sequence, state.last_sequence);
                    sequences.insert(name.clone(), range);
                }
                let stream = stream(&known, wanted.get(name));
                Part::Known(Found::Stream(Box::new(stream)))
            }
            Err(error) => absent(&error, &account),
        };
        streams.insert(name.clone(), part);
    }
    Store {
        account,
        streams,
        consumers,
        sequences,
    }
}

/// Returns the names of all streams, which no setting changes.
fn names() -> Vec<String> {
    let all = intended(&assumed(&[]));
    all.into_iter().map(|config| config.name).collect()
}

/// Returns why there is no information about a stream.
fn absent(error: &Unanswered, account: &Part<JetStream>) -> Part<Found> {
    if matches!(account, Part::Known(JetStream::Off(_))) {
        return Part::Unknown("JetStream is off".to_owned());
    }
    match (error, error.meaning()) {
        (Unanswered::Denied, _) => error.part(),
        (_, Some(Meaning::StreamMissing)) => Part::Known(Found::Missing),
        _ => Part::Known(Found::Silent(error.to_string())),
    }
}

async fn info(asker: &Asker<'_>, name: &str) -> Result<Known, Unanswered> {
    // Only the queue has few subjects, one for each category and priority.
    let body = match name {
        STREAM_JOBS => json!({"subjects_filter": ">"}),
        _ => json!({}),
    };
    let answered = asker.ask_store(&requests::stream_info(name), &body).await?;
    let info = serde_json::from_value(answered.value.clone());
    let info = info.map_err(|error| Unanswered::Other(error.to_string()))?;
    Ok(Known { info, answered })
}

/// Returns the settings that a dispatcher seems to have, from most of the streams that are
/// there.
fn assumed(found: &[&Config]) -> config::Streams {
    let usual = config::parse("", "doctor").expect("an empty configuration is valid");
    let usual = usual.streams;
    let of = |name: &str| found.iter().find(|config| config.name == name);
    let replicas = commonest(found.iter().map(|config| config.num_replicas));
    let replicas = replicas.and_then(|replicas| u32::try_from(replicas).ok());
    let windows = found
        .iter()
        .filter(|config| !config.name.starts_with("KV_"));
    let window = commonest(windows.map(|config| config.duplicate_window));
    let age = |name: &str| of(name).map(|config| config.max_age);
    config::Streams {
        replicas: replicas.unwrap_or(usual.replicas),
        max_bytes: None,
        duplicate_window: window.unwrap_or(usual.duplicate_window),
        results_max_age: age("ROLECAST_RESULTS").unwrap_or(usual.results_max_age),
        dead_max_age: age(STREAM_DEAD).unwrap_or(usual.dead_max_age),
        logs_max_age: age("ROLECAST_LOGS").unwrap_or(usual.logs_max_age),
    }
}

fn commonest<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let commonest = counts.into_iter().max_by_key(|(_, count)| *count);
    commonest.map(|(value, _)| value)
}

fn stream(known: &Known, wanted: Option<&Config>) -> Stream {
    let Known { info, answered } = known;
    let time = answered.value["ts"].as_str().unwrap_or_default();
    let lead = answered.lead_of(time).unwrap_or(UNKNOWN_LEAD);
    let cluster = info.cluster.as_ref();
    let peers = cluster.into_iter().flat_map(|cluster| &cluster.replicas);
    let peers = peers.map(|peer| Peer {
        name: peer.name.clone(),
        is_offline: peer.offline,
        is_current: peer.current,
        lag: peer.lag.unwrap_or_default(),
        silent: peer.active,
    });
    Stream {
        at: WallTime::parse(time).unwrap_or_default(),
        bytes: info.state.bytes,
        max_bytes: u64::try_from(info.config.max_bytes)
            .ok()
            .filter(|max| *max > 0),
        replicas: info.config.num_replicas,
        times: Times {
            created: answered.value["created"]
                .as_str()
                .and_then(WallTime::parse)
                .unwrap_or_default(),
            first_write: written(&answered.value, "first_ts"),
            last_write: written(&answered.value, "last_ts"),
        },
        leader: cluster
            .and_then(|cluster| cluster.leader.clone())
            .filter(|leader| !leader.is_empty()),
        peers: peers.collect(),
        lead,
        changed: wanted.map_or_else(Vec::new, |wanted| changed(&info.config, wanted)),
        hazards: hazards(&info.config),
        held: held(&answered.value),
    }
}

/// Reads a time of the stream's state; the server writes the year 1 for none.
fn written(info: &Value, name: &str) -> WallTime {
    let time = info["state"][name].as_str().unwrap_or_default();
    WallTime::parse(time).unwrap_or_default()
}

fn held(info: &Value) -> BTreeMap<String, u64> {
    let subjects = info["state"]["subjects"].as_object();
    let counts = subjects.into_iter().flatten();
    let counts = counts.map(|(subject, count)| (subject.clone(), count.as_u64().unwrap_or(0)));
    counts.collect()
}

async fn account(asker: &Asker<'_>) -> Part<JetStream> {
    let answered = match asker.ask_store(requests::INFO, &json!({})).await {
        Ok(answered) => answered,
        Err(Unanswered::Nobody) => {
            return Part::Known(JetStream::Off(
                "JetStream is off on this NATS server: start nats-server with --jetstream or a \
                 jetstream block, or check the domain"
                    .to_owned(),
            ));
        }
        Err(error) if error.meaning() == Some(Meaning::NotEnabled) => {
            return Part::Known(JetStream::Off(
                "JetStream is not enabled for this account: give the account JetStream limits"
                    .to_owned(),
            ));
        }
        Err(error) => return error.part(),
    };
    let account: Account = match serde_json::from_value(answered.value) {
        Ok(account) => account,
        Err(error) => return Part::Unknown(error.to_string()),
    };
    let tiers = account.tiers.iter().map(|(name, used)| {
        let use_of = [used.storage, used.reserved_storage];
        tier(name, use_of, [used.streams, used.consumers], &used.limits)
    });
    let mut tiers: Vec<Tier> = tiers.collect();
    if tiers.is_empty() {
        let use_of = [account.storage, account.reserved_storage];
        let counts = [account.streams, account.consumers];
        tiers.push(tier("", use_of, counts, &account.limits));
    }
    tiers.sort_by(|a, b| a.name.cmp(&b.name));
    Part::Known(JetStream::On(tiers))
}

fn tier(name: &str, [storage, reserved]: [u64; 2], counts: [usize; 2], limits: &Limits) -> Tier {
    let [streams, consumers] = counts.map(|count| u64::try_from(count).unwrap_or(u64::MAX));
    // The server writes 0 or -1 for no limit.
    let max = |limit: Option<i64>| u64::try_from(limit?).ok().filter(|max| *max > 0);
    Tier {
        name: name.to_owned(),
        storage,
        reserved,
        streams,
        consumers,
        storage_max: max(limits.max_storage),
        streams_max: max(limits.max_streams),
        consumers_max: max(limits.max_consumers),
    }
}

/// The parts of the server's description of a consumer that upkeep does not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Extra {
    created: String,
    num_pending: u64,
    num_ack_pending: u64,
    num_waiting: u64,
    paused: bool,
    pause_remaining: u64,
    config: ExtraConfig,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExtraConfig {
    max_ack_pending: i64,
}

async fn consumers(asker: &Asker<'_>) -> Part<Vec<Consumer>> {
    let mut all = Vec::new();
    for _ in 0..PAGES_MAX {
        let request = requests::consumer_list(STREAM_JOBS);
        let page = asker
            .ask_store(&request, &json!({"offset": all.len()}))
            .await;
        let page = match page {
            Ok(page) => page.value,
            Err(error) => return error.part(),
        };
        let found = page["consumers"].as_array().map_or(&[][..], Vec::as_slice);
        let is_last = found.is_empty();
        for value in found {
            match consumer(value) {
                Ok(consumer) => all.push(consumer),
                Err(error) => return Part::Unknown(error.to_string()),
            }
        }
        let total = page["total"]
            .as_u64()
            .and_then(|total| usize::try_from(total).ok());
        if is_last || total.is_some_and(|total| all.len() >= total) {
            break;
        }
    }
    Part::Known(all)
}

fn consumer(value: &Value) -> serde_json::Result<Consumer> {
    let own: strangers::Consumer = serde_json::from_value(value.clone())?;
    let extra: Extra = serde_json::from_value(value.clone())?;
    Ok(Consumer {
        source: Source::from_consumer(&own.name),
        stranger: stranger(&own),
        change: strangers::drift(&own).map(|(_, why)| why),
        name: own.name,
        created: WallTime::parse(&extra.created).unwrap_or_default(),
        pending: extra.num_pending,
        ack_pending: extra.num_ack_pending,
        ack_pending_max: u64::try_from(extra.config.max_ack_pending).unwrap_or(0),
        pulls: extra.num_waiting,
        paused: extra
            .paused
            .then(|| Duration::from_nanos(extra.pause_remaining)),
    })
}

/// Reads what is stored in streams that were found: the oldest decision, and the reasons
/// of dead letters.
pub(super) async fn later(
    asker: &Asker<'_>,
    store: &Store,
) -> (Part<Option<Decided>>, Part<BTreeMap<String, Letters>>) {
    tokio::join!(decided(asker, store), letters(asker, store))
}

/// Returns the part without content if the stream is empty, or unknown if it was not read.
fn empty<T>(store: &Store, name: &str, nothing: T) -> Part<T> {
    match store.streams.get(name) {
        Some(Part::Known(Found::Stream(_))) => Part::Known(nothing),
        Some(Part::Unknown(why)) => Part::Unknown(why.clone()),
        Some(Part::Known(Found::Missing | Found::Silent(_))) | None => {
            Part::Unknown(format!("stream {name} cannot be read"))
        }
    }
}

async fn decided(asker: &Asker<'_>, store: &Store) -> Part<Option<Decided>> {
    let Some((first, _)) = store.sequences.get(STREAM_DECISIONS) else {
        return empty(store, STREAM_DECISIONS, None);
    };
    if let Some(denial) = asker.store_denial(&requests::message_get(STREAM_DECISIONS)) {
        return denial.part();
    }
    let read = async {
        let stream = asker
            .session
            .jetstream
            .get_stream_no_info(STREAM_DECISIONS)
            .await?;
        let message = stream.get_raw_message(*first).await?;
        let decision: Decision = wire::decode(Encoding::MessagePack, &message.payload)?;
        anyhow::Ok(decision)
    };
    match timeout(asker.session.answer_max, read).await {
        Ok(Ok(decision)) => Part::Known(Some(Decided {
            at: decision.at_ms,
            epoch: decision.epoch,
        })),
        // It may have been removed meanwhile, or be of another version.
        Ok(Err(_)) => Part::Known(None),
        Err(_) => Unanswered::Silent(asker.session.answer_max).part(),
    }
}

async fn letters(asker: &Asker<'_>, store: &Store) -> Part<BTreeMap<String, Letters>> {
    let Some((first, last)) = store.sequences.get(STREAM_DEAD) else {
        return empty(store, STREAM_DEAD, BTreeMap::new());
    };
    if let Some(denial) = asker.store_denial(&requests::consumer_create_unnamed(STREAM_DEAD)) {
        return denial.part();
    }
    let start = last.saturating_sub(LETTERS_MAX - 1).max(*first);
    let policy = DeliverPolicy::ByStartSequence {
        start_sequence: start,
    };
    let mut found: BTreeMap<String, Letters> = BTreeMap::new();
    let read = list_from(asker.session, None, policy, |letter| {
        let letters = found.entry(letter.category).or_default();
        *letters.reasons.entry(letter.reason).or_default() += 1;
        let oldest = letters.oldest.get_or_insert(letter.died);
        *oldest = letter.died.min(*oldest);
    });
    match timeout(asker.session.answer_max, read).await {
        Ok(Ok(())) => Part::Known(found),
        Ok(Err(failure)) => Part::Unknown(failure.text()),
        Err(_) if !found.is_empty() => Part::Known(found),
        Err(_) => Unanswered::Silent(asker.session.answer_max).part(),
    }
}
