//! Streams and buckets against what they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecast_common::subjects::{STREAM_DEAD, STREAM_DECISIONS, STREAM_JOBS, STREAM_RESULTS};
use rolecast_common::unit::Bytes;

use super::account::{FULL_PERCENT, percent};
use crate::doctor::area::Area;
use crate::doctor::catalogue::nats::{
    BUCKET_CHANGED, REPLICA_BEHIND, REPLICA_OFFLINE, REPLICAS_ONE, STREAM_CHANGED, STREAM_HAZARD,
    STREAM_LEADERLESS, STREAM_MISSING, STREAM_NEARLY_FULL, STREAM_SILENT, STREAM_UNBOUNDED,
    STREAM_UNFIT,
};
use crate::doctor::facts::{Facts, Found, Part, Peer, Stream};
use crate::doctor::finding::{Finding, Report};
use crate::quantity::{counted, length};

/// Streams that a dispatcher gives a limit in bytes.
const BOUNDED: [&str; 4] = [STREAM_JOBS, STREAM_RESULTS, STREAM_DEAD, STREAM_DECISIONS];
/// Streams that keep within their limits by themselves.
const ROLLING: [&str; 1] = [STREAM_DECISIONS];
/// Messages behind which a replica is late; fewer are in flight at any moment. Guessed.
const LAG_MIN: u64 = 1000;
/// Streams that a finding names.
const NAMED_MAX: usize = 3;
/// Time after which a server that was not seen counts as away; it is seen every second.
const SILENT_MAX: Duration = Duration::from_secs(10);

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let mut missing = Vec::new();
    let mut in_order = 0;
    let mut unknown = None;
    let mut silent: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, part) in &facts.streams {
        match part {
            Part::Known(Found::Missing) => missing.push(name.as_str()),
            Part::Known(Found::Silent(why)) => {
                silent.entry(why).or_default().push(name);
            }
            Part::Known(Found::Stream(stream)) => {
                in_order += 1;
                of_stream(name, stream, report);
            }
            Part::Unknown(why) => unknown = Some(why),
        }
    }
    if in_order > 0 {
        report.checked(Area::Streams, format!("{in_order} streams and buckets"));
    }
    if let Some(why) = unknown {
        report.not_checked(Area::Streams, why);
    }
    of_missing(&missing, facts, report);
    report.find_all(silent.into_iter().map(|(why, names)| {
        let what = format!("{}: {why}", listed(&names));
        Finding::new(&STREAM_SILENT, what)
    }));
    report.find_all(leaderless(facts));
    of_peers(facts, report);
}

/// Reports missing streams; if all are missing, no dispatcher ever ran here.
fn of_missing(missing: &[&str], facts: &Facts, report: &mut Report) {
    if missing.len() > 1 && missing.len() == facts.streams.len() {
        let what = "this NATS server has no stream of Rolecast: no dispatcher has set it up yet, \
                    or this is another server or account than you mean";
        let command = "rolecast-dispatcher --config rolecast.toml";
        return report.find(Finding::new(&STREAM_MISSING, what).by(command));
    }
    report.find_all(missing.iter().map(|name| {
        let what = format!("{} is missing, with all that it held", shown(name));
        Finding::new(&STREAM_MISSING, what)
    }));
}

/// Returns whether none of the servers with a copy leads the stream.
fn is_leaderless(stream: &Stream) -> bool {
    stream.replicas > 1 && stream.leader.is_none()
}

/// Reports the streams without a leader, all at once, with the servers that are away.
fn leaderless(facts: &Facts) -> Option<Finding> {
    let found = facts.found().filter(|(_, stream)| is_leaderless(stream));
    let found: Vec<(&str, &Stream)> = found.collect();
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    if names.is_empty() {
        return None;
    }
    let own = facts.server().map(|server| server.name.as_str());
    let peers = found.iter().flat_map(|(_, stream)| &stream.peers);
    let away = peers.filter(|peer| is_away(peer) && Some(peer.name.as_str()) != own);
    let away: BTreeSet<&str> = away.map(|peer| peer.name.as_str()).collect();
    let away: Vec<&str> = away.into_iter().collect();
    let servers = match away.as_slice() {
        [] => String::new(),
        [one] => format!("; server {one} is away"),
        all => format!("; servers {} are away", all.join(", ")),
    };
    let what = format!("{}: no server leads it{servers}", listed(&names));
    Some(Finding::new(&STREAM_LEADERLESS, what))
}

/// Names the first of some streams, and counts the others.
fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMED_MAX)
        .map(|name| shown(name))
        .collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn is_away(peer: &Peer) -> bool {
    peer.is_offline || peer.silent > SILENT_MAX
}

/// Names a stream as operators know it.
fn shown(name: &str) -> String {
    match name.strip_prefix("KV_") {
        Some(bucket) => format!("bucket {bucket}"),
        None => format!("stream {name}"),
    }
}

fn of_stream(name: &str, stream: &Stream, report: &mut Report) {
    let is_bucket = name.starts_with("KV_");
    for changed in &stream.changed {
        let what = format!(
            "{}: {} is {}, and should be {}",
            shown(name),
            changed.setting,
            or_none(&changed.found),
            or_none(&changed.intended)
        );
        report.find(match (changed.is_fixed(), is_bucket) {
            (true, _) => {
                let command = format!("nats stream backup {name} {name}.backup");
                Finding::new(&STREAM_UNFIT, what).by(command)
            }
            (false, true) => Finding::new(&BUCKET_CHANGED, what),
            (false, false) => {
                let command = format!("nats stream edit {name} --interactive");
                Finding::new(&STREAM_CHANGED, what).by(command)
            }
        });
    }
    for hazard in &stream.hazards {
        let what = format!(
            "{}: {} is set: {}",
            shown(name),
            hazard.setting,
            hazard.harm
        );
        let command = format!("nats stream edit {name} --interactive");
        report.find(Finding::new(&STREAM_HAZARD, what).by(command));
    }
    match stream.max_bytes {
        Some(max) => {
            let is_full = percent(stream.bytes, max) >= FULL_PERCENT;
            if is_full && !ROLLING.contains(&name) {
                report.find(nearly_full(name, stream.bytes, max));
            }
        }
        None if BOUNDED.contains(&name) => {
            let what = format!("{} has no limit in bytes", shown(name));
            let command = format!("nats stream edit {name} --max-bytes SIZE --force");
            report.find(Finding::new(&STREAM_UNBOUNDED, what).by(command));
        }
        None => {}
    }
}

fn or_none(text: &str) -> &str {
    match text {
        "" => "none",
        text => text,
    }
}

fn nearly_full(name: &str, held: u64, max: u64) -> Finding {
    let what = format!(
        "{} holds {} of {}, {} %",
        shown(name),
        Bytes::new(held),
        Bytes::new(max),
        percent(held, max)
    );
    let command = match name {
        STREAM_DEAD => "rolecast dead ls".to_owned(),
        _ => format!("nats stream edit {name} --max-bytes SIZE --force"),
    };
    Finding::new(&STREAM_NEARLY_FULL, what).by(command)
}

/// The replicas on one server that are behind.
#[derive(Default)]
struct Lag<'a> {
    streams: Vec<&'a str>,
    /// The most of one of them.
    writes: u64,
}

impl Lag<'_> {
    fn text(&self, server: &str) -> String {
        let first = self.streams.first().copied().unwrap_or_default();
        let more = match self.streams.len() {
            0 | 1 => String::new(),
            count => format!(" and of {} more", count - 1),
        };
        let by = match self.writes {
            0 => "has not caught up".to_owned(),
            writes => format!("is {} behind", counted(writes, "write")),
        };
        format!(
            "server {server}: its replica of {}{more} {by}",
            shown(first)
        )
    }
}

/// Reports the servers with replicas, each once.
fn of_peers(facts: &Facts, report: &mut Report) {
    let mut offline = Vec::new();
    let mut behind: BTreeMap<&str, Lag<'_>> = BTreeMap::new();
    // Without a leader, nobody knows the state of the others.
    for (name, stream) in facts.found().filter(|(_, stream)| !is_leaderless(stream)) {
        for peer in &stream.peers {
            if is_away(peer) {
                let what = format!(
                    "server {} is away, last seen {} ago",
                    peer.name,
                    length(peer.silent)
                );
                if !offline.iter().any(|(server, _)| *server == peer.name) {
                    offline.push((peer.name.clone(), what));
                }
            } else if !peer.is_current || peer.lag >= LAG_MIN {
                let lag = behind.entry(&peer.name).or_default();
                lag.streams.push(name);
                lag.writes = lag.writes.max(peer.lag);
            }
        }
    }
    report.find_all(
        offline
            .into_iter()
            .map(|(_, what)| Finding::new(&REPLICA_OFFLINE, what)),
    );
    report.find_all(behind.into_iter().map(|(server, lag)| {
        let what = lag.text(server);
        Finding::new(&REPLICA_BEHIND, what)
    }));
    let cluster = facts.server().and_then(|server| server.cluster.as_ref());
    if let (Some(cluster), Some(jobs)) = (cluster, facts.stream(STREAM_JOBS))
        && jobs.replicas == 1
    {
        let what = format!("stream {STREAM_JOBS} has one copy in cluster {cluster}");
        report.find(Finding::new(&REPLICAS_ONE, what));
    }
}
