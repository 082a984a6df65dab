//! Streams and buckets against what they should be.

use std::time::Duration;

use rolecast_common::subjects::{STREAM_DEAD, STREAM_DECISIONS, STREAM_JOBS, STREAM_RESULTS};
use rolecast_common::unit::Bytes;

use super::account::{FULL_PERCENT, percent};
use crate::doctor::area::Area;
use crate::doctor::catalogue::nats::{
    BUCKET_CHANGED, REPLICA_BEHIND, REPLICA_OFFLINE, REPLICAS_ONE, STREAM_CHANGED, STREAM_HAZARD,
    STREAM_MISSING, STREAM_NEARLY_FULL, STREAM_SILENT, STREAM_UNBOUNDED, STREAM_UNFIT,
};
use crate::doctor::facts::{Facts, Found, Part, Stream};
use crate::doctor::finding::{Finding, Report};
use crate::quantity::{counted, length};

/// Streams that a dispatcher gives a limit in bytes.
const BOUNDED: [&str; 4] = [STREAM_JOBS, STREAM_RESULTS, STREAM_DEAD, STREAM_DECISIONS];
/// Streams that keep within their limits by themselves.
const ROLLING: [&str; 1] = [STREAM_DECISIONS];
/// Messages behind which a replica is late; fewer are in flight at any moment. Guessed.
const LAG_MIN: u64 = 1000;
/// Time after which a server that was not seen counts as away; it is seen every second.
const SILENT_MAX: Duration = Duration::from_secs(10);

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let mut missing = Vec::new();
    let mut in_order = 0;
    let mut unknown = None;
    for (name, part) in &facts.streams {
        match part {
            Part::Known(Found::Missing) => missing.push(name.as_str()),
            Part::Known(Found::Silent(why)) => {
                let what = format!("{} does not answer: {why}", shown(name));
                report.find(Finding::new(&STREAM_SILENT, what));
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

/// Reports the servers with replicas, each once.
fn of_peers(facts: &Facts, report: &mut Report) {
    let mut offline = Vec::new();
    let mut behind = Vec::new();
    for (name, stream) in facts.found() {
        for peer in &stream.peers {
            if peer.is_offline || peer.silent > SILENT_MAX {
                let what = format!(
                    "server {} is away, last seen {} ago",
                    peer.name,
                    length(peer.silent)
                );
                if !offline.iter().any(|(server, _)| *server == peer.name) {
                    offline.push((peer.name.clone(), what));
                }
            } else if !peer.is_current || peer.lag >= LAG_MIN {
                let what = format!(
                    "{}: the replica on server {} is {} behind",
                    shown(name),
                    peer.name,
                    counted(peer.lag, "write")
                );
                behind.push(what);
            }
        }
    }
    report.find_all(
        offline
            .into_iter()
            .map(|(_, what)| Finding::new(&REPLICA_OFFLINE, what)),
    );
    report.find_all(
        behind
            .into_iter()
            .map(|what| Finding::new(&REPLICA_BEHIND, what)),
    );
    let cluster = facts.server().and_then(|server| server.cluster.as_ref());
    if let (Some(cluster), Some(jobs)) = (cluster, facts.stream(STREAM_JOBS))
        && jobs.replicas == 1
    {
        let what = format!("stream {STREAM_JOBS} has one copy in cluster {cluster}");
        report.find(Finding::new(&REPLICAS_ONE, what));
    }
}
