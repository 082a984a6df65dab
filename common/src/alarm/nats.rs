//! Alarms about NATS and the dispatchers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Alarm, Gravity, NAME_CHARS_MAX, REASON_CHARS_MAX};
use crate::subjects::{STREAM_DEAD, STREAM_JOBS};
use crate::wire::{DispatcherState, DispatcherStatus, NatsStatus, Status, StreamStatus};
use crate::words::{counted, length, one_line, seconds};

/// An answer of JetStream that slows jobs down noticeably. Guessed.
const ANSWER_SLOW: Duration = Duration::from_millis(500);
/// Share of its limit above which a stream that keeps everything is nearly full.
const FULL_PERCENT: u128 = 90;
const REPORT: &str = "nats server report jetstream";

pub(super) fn of_nats(status: &Status) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if let Some(nats) = &status.nats {
        if nats.round_trip_us.is_none() {
            let alarm = Alarm::new(Gravity::Bad, "NATS", "JetStream does not answer");
            alarms.push(alarm.command(REPORT));
        }
        alarms.extend(leaderless(&nats.streams));
        alarms.extend(nats.streams.iter().filter_map(of_stream));
        alarms.extend(behind(&nats.streams));
        alarms.extend(slow(nats));
    }
    alarms.extend(status.dispatchers.iter().filter_map(silent));
    alarms
}

fn silent(dispatcher: &DispatcherStatus) -> Option<Alarm> {
    let before = match dispatcher.state {
        DispatcherState::Leads | DispatcherState::StandsBy => return None,
        DispatcherState::Silent => "stood by",
        DispatcherState::SilentLeader => "led",
    };
    let name = one_line(&dispatcher.name, NAME_CHARS_MAX);
    let age = seconds(Duration::from_millis(dispatcher.age_ms));
    let why = format!("no sign of life for {age}, it {before} and did not announce its end");
    let alarm = Alarm::new(Gravity::Warning, format!("dispatcher {name}"), why);
    Some(alarm.advice("see its log and start it again, or start another one in its place"))
}

fn is_leaderless(stream: &StreamStatus) -> bool {
    stream.why.is_empty() && stream.replicas > 1 && stream.leader.is_none()
}

/// Names the streams without a leader, all in one alarm.
fn leaderless(streams: &[StreamStatus]) -> Option<Alarm> {
    let found = streams.iter().filter(|stream| is_leaderless(stream));
    let names: Vec<String> = found
        .map(|stream| one_line(&stream.stream, NAME_CHARS_MAX))
        .collect();
    let (what, why) = match names.as_slice() {
        [] => return None,
        [one] => (
            format!("stream {one}"),
            "it has no leader, so nothing is stored".to_owned(),
        ),
        all => (
            format!("{} of {} streams", all.len(), streams.len()),
            format!("without a leader, so nothing is stored: {}", all.join(", ")),
        ),
    };
    let alarm = Alarm::new(Gravity::Bad, what, why);
    Some(alarm.advice("start its servers again").command(REPORT))
}

fn of_stream(stream: &StreamStatus) -> Option<Alarm> {
    let name = one_line(&stream.stream, NAME_CHARS_MAX);
    let info = format!("nats stream info {name}");
    let alarm = |gravity, why: String| Alarm::new(gravity, format!("stream {name}"), why);
    if !stream.why.is_empty() {
        let alarm = alarm(Gravity::Bad, one_line(&stream.why, REASON_CHARS_MAX));
        return Some(
            alarm
                .advice("its servers may be away or elect a leader")
                .command(info),
        );
    }
    let is_full = u128::from(stream.bytes) * 100 >= u128::from(stream.bytes_max) * FULL_PERCENT;
    if stream.bytes_max == 0 || !is_full {
        return None;
    }
    let share = u128::from(stream.bytes) * 100 / u128::from(stream.bytes_max);
    let alarm = alarm(Gravity::Warning, format!("it is {share} % full"));
    // The others delete their oldest messages at the limit.
    match stream.stream.as_str() {
        STREAM_JOBS => {
            let advice = "new jobs are refused when it is full; add workers";
            Some(alarm.advice(advice).command("rolecast job ls"))
        }
        STREAM_DEAD => {
            let advice = "make room with rolecast dead retry or rolecast dead purge";
            Some(alarm.advice(advice).command("rolecast dead ls"))
        }
        _ => None,
    }
}

/// Returns the servers whose copies are offline or behind.
fn behind(streams: &[StreamStatus]) -> Vec<Alarm> {
    let mut servers: BTreeMap<&str, u64> = BTreeMap::new();
    // Without a leader, nobody knows the state of the copies.
    let led = streams.iter().filter(|stream| !is_leaderless(stream));
    for server in led.flat_map(|stream| &stream.behind) {
        *servers.entry(server).or_default() += 1;
    }
    let alarm = |(server, count): (&str, u64)| {
        let server = one_line(server, NAME_CHARS_MAX);
        let streams = counted(count, "stream");
        let why = format!(
            "its copies of {streams} are offline or behind, so one more failure may stop them"
        );
        Alarm::new(Gravity::Warning, format!("NATS server {server}"), why)
            .advice("start it again, or wait until it has caught up")
    };
    servers.into_iter().map(alarm).collect()
}

fn slow(nats: &NatsStatus) -> Option<Alarm> {
    let answers = nats.streams.iter();
    let answers = answers.filter_map(|s| Some((s.answer_us?, s.stream.as_str())));
    let own = nats.round_trip_us.map(|micros| (micros, "JetStream"));
    let (micros, which) = answers.chain(own).max()?;
    let took = Duration::from_micros(micros);
    (took >= ANSWER_SLOW).then(|| {
        let which = one_line(which, NAME_CHARS_MAX);
        let why = format!("it answers slowly: {which} took {}", length(took));
        Alarm::new(Gravity::Warning, "NATS", why)
            .advice("check the disks and the load of its servers")
            .command(REPORT)
    })
}
