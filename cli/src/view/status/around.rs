//! Conditions around nodes and jobs that an operator should look at: dispatchers, NATS and
//! vacant roles.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::subjects::{STREAM_DEAD, STREAM_JOBS};
use rolecast_common::wire::{
    DispatcherState, DispatcherStatus, NatsStatus, Status, StreamStatus, VacantRole,
};

use crate::quantity::{counted, length, seconds};
use crate::style::one_line;

/// A vacancy that lasts no longer is a change of holders, which takes some seconds.
const VACANT_MIN: Duration = Duration::from_secs(10);
/// An answer of JetStream that slows jobs down noticeably. Guessed.
const ANSWER_SLOW: Duration = Duration::from_millis(500);
/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 200;
/// Share of its limit above which a stream that keeps everything is nearly full.
const FULL_PERCENT: u128 = 90;

/// Returns the lines, the gravest first.
pub(super) fn attention(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(nats) = &status.nats {
        lines.extend(of_nats(nats));
    }
    lines.extend(status.dispatchers.iter().filter_map(silent));
    let vacant = status.vacant.iter();
    let vacant = vacant.filter(|role| status.at_ms.since(role.since_ms) >= VACANT_MIN);
    lines.extend(vacant.map(|role| vacancy(status, role)));
    lines
}

fn silent(dispatcher: &DispatcherStatus) -> Option<String> {
    let before = match dispatcher.state {
        DispatcherState::Leads | DispatcherState::StandsBy => return None,
        DispatcherState::Silent => "stood by",
        DispatcherState::SilentLeader => "led",
    };
    let name = one_line(&dispatcher.name, 64);
    let age = seconds(Duration::from_millis(dispatcher.age_ms));
    Some(format!(
        "dispatcher {name}: no sign of life for {age}, it {before} and did not announce its end; \
         see its log and start it again, or start another one in its place"
    ))
}

fn vacancy(status: &Status, vacant: &VacantRole) -> String {
    let VacantRole {
        role,
        wanted,
        acting,
        since_ms,
        ..
    } = vacant;
    let lasted = length(status.at_ms.since(*since_ms));
    let what = match acting {
        0 => "nobody acts in it".to_owned(),
        _ => format!("{acting} of {wanted} holders act in it"),
    };
    let (why, remedy) = cause(vacant);
    format!("role {role}: {what}, for {lasted} (since {since_ms}): {why}; {remedy}")
}

/// Returns the cause of a vacancy, and its remedy.
fn cause(vacant: &VacantRole) -> (String, String) {
    let role = &vacant.role;
    let listed = "see rolecast role ls --verbose".to_owned();
    if vacant.offered == 0 {
        let why = "no live node offers it".to_owned();
        let remedy = format!("start a worker with offers = [\"{role}\"] in its worker.toml");
        return (why, remedy);
    }
    if let Some(node) = &vacant.failed {
        let reason = one_line(&vacant.reason, REASON_CHARS_MAX);
        let remedy = format!("see the log of on_role_change on {node}");
        return (format!("{node} could not take it on: {reason}"), remedy);
    }
    if vacant.is_changing {
        return ("a change is under way in its group".to_owned(), listed);
    }
    if !vacant.assigned.is_empty() {
        let nodes: Vec<&str> = vacant.assigned.iter().map(NodeId::as_str).collect();
        let why = format!("{} should, and do not report to", nodes.join(", "));
        return (why, listed);
    }
    let nodes = counted(u64::from(vacant.offered), "live node");
    let why = format!("none of {nodes} that offer it can be given it now");
    (
        why,
        "see rolecast node ls --health draining, rolecast role ls".to_owned(),
    )
}

fn of_nats(nats: &NatsStatus) -> Vec<String> {
    let mut lines = Vec::new();
    if nats.round_trip_us.is_none() {
        lines.push(
            "NATS: JetStream does not answer; see its log, and nats server report jetstream"
                .to_owned(),
        );
    }
    lines.extend(nats.streams.iter().filter_map(of_stream));
    lines.extend(behind(&nats.streams));
    lines.extend(slow(nats));
    lines
}

fn of_stream(stream: &StreamStatus) -> Option<String> {
    let name = one_line(&stream.stream, 64);
    let see = format!("see nats stream info {name}, nats server report jetstream");
    if !stream.why.is_empty() {
        let why = one_line(&stream.why, REASON_CHARS_MAX);
        return Some(format!(
            "stream {name}: {why}; its servers may be away or elect a leader: {see}"
        ));
    }
    if stream.replicas > 1 && stream.leader.is_none() {
        return Some(format!(
            "stream {name} has no leader, so nothing is stored: {see}"
        ));
    }
    let is_full = u128::from(stream.bytes) * 100 >= u128::from(stream.bytes_max) * FULL_PERCENT;
    if stream.bytes_max == 0 || !is_full {
        return None;
    }
    // The others delete their oldest messages at the limit.
    let remedy = match stream.stream.as_str() {
        STREAM_JOBS => "new jobs are refused when it is full; add workers, see rolecast job ls",
        STREAM_DEAD => "make room with rolecast dead retry or rolecast dead purge",
        _ => return None,
    };
    let share = u128::from(stream.bytes) * 100 / u128::from(stream.bytes_max);
    Some(format!("stream {name} is {share} % full; {remedy}"))
}

/// Returns the servers whose copies are offline or behind.
fn behind(streams: &[StreamStatus]) -> Vec<String> {
    let mut servers: BTreeMap<&str, u64> = BTreeMap::new();
    for server in streams.iter().flat_map(|stream| &stream.behind) {
        *servers.entry(server).or_default() += 1;
    }
    let line = |(server, count): (&str, u64)| {
        let server = one_line(server, 64);
        let streams = counted(count, "stream");
        format!(
            "NATS server {server}: its copies of {streams} are offline or behind, so one more \
             failure may stop them; start it again, or wait until it has caught up"
        )
    };
    servers.into_iter().map(line).collect()
}

fn slow(nats: &NatsStatus) -> Option<String> {
    let answers = nats
        .streams
        .iter()
        .filter_map(|s| Some((s.answer_us?, s.stream.as_str())));
    let own = nats.round_trip_us.map(|micros| (micros, "JetStream"));
    let (micros, which) = answers.chain(own).max()?;
    let took = Duration::from_micros(micros);
    (took >= ANSWER_SLOW).then(|| {
        format!(
            "NATS answers slowly: {which} took {}; see the disks and the load of its servers, \
             nats server report jetstream",
            length(took)
        )
    })
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::Role;
    use rolecast_common::time::WallTime;

    use super::super::tests::{nats, status, stream};
    use super::*;

    fn vacant() -> VacantRole {
        VacantRole {
            role: Role::new("leader").unwrap(),
            wanted: 1,
            acting: 0,
            since_ms: WallTime::from_millis(1_000),
            offered: 2,
            assigned: Vec::new(),
            is_changing: false,
            failed: None,
            reason: String::new(),
        }
    }

    fn lines(status: &Status) -> Vec<String> {
        attention(status)
    }

    #[test]
    fn a_vacant_role_shows_its_cause_once_it_lasts() {
        let mut status = status();
        let oak = NodeId::new("oak").unwrap();
        for (role, part) in [
            (
                VacantRole {
                    offered: 0,
                    ..vacant()
                },
                "no live node offers it; start a worker with offers = [\"leader\"]",
            ),
            (
                VacantRole {
                    failed: Some(oak.clone()),
                    reason: "hook ended with 3".to_owned(),
                    ..vacant()
                },
                "oak could not take it on: hook ended with 3; see the log",
            ),
            (
                VacantRole {
                    is_changing: true,
                    ..vacant()
                },
                "a change is under way",
            ),
            (
                VacantRole {
                    assigned: vec![oak],
                    ..vacant()
                },
                "oak should, and do not report to",
            ),
            (vacant(), "none of 2 live nodes that offer it"),
        ] {
            status.vacant = vec![role];
            status.at_ms = WallTime::from_millis(9_000);
            assert!(lines(&status).is_empty(), "a change takes that long");
            status.at_ms = WallTime::from_millis(61_000);
            let found = lines(&status).remove(0);
            assert!(
                found.starts_with("role leader: nobody acts in it, for 1m"),
                "{found}"
            );
            assert!(found.contains(part), "{found}");
        }
    }

    #[test]
    fn a_silent_dispatcher_is_named_with_what_it_did() {
        let mut status = status();
        status.dispatchers[0].state = DispatcherState::SilentLeader;
        status.dispatchers[0].age_ms = 90_000;
        let found = lines(&status);
        assert!(
            found[0].starts_with("dispatcher d2: no sign of life for 1m 30s, it led"),
            "{found:?}"
        );
        status.dispatchers[0].state = DispatcherState::StandsBy;
        assert!(lines(&status).is_empty());
    }

    #[test]
    fn trouble_with_nats_is_named_with_the_stream_and_the_server() {
        let mut status = status();
        let silent = StreamStatus {
            why: "no answer within 2 s".to_owned(),
            ..stream("ROLECAST_JOBS")
        };
        let lone = StreamStatus {
            leader: None,
            replicas: 3,
            ..stream("KV_ROLECAST_CONTROL")
        };
        let full = StreamStatus {
            bytes: 95,
            bytes_max: 100,
            ..stream("ROLECAST_DEAD")
        };
        let lagging = StreamStatus {
            behind: vec!["n2".to_owned()],
            answer_us: Some(700_000),
            ..stream("ROLECAST_RESULTS")
        };
        let rotating = StreamStatus {
            bytes: 99,
            bytes_max: 100,
            ..stream("ROLECAST_DECISIONS")
        };
        status.nats = Some(NatsStatus {
            round_trip_us: None,
            streams: vec![silent, lone, full, lagging, rotating],
            ..nats()
        });
        let found = lines(&status);
        let expected = [
            "NATS: JetStream does not answer",
            "stream ROLECAST_JOBS: no answer within 2 s; its servers may be away",
            "stream KV_ROLECAST_CONTROL has no leader",
            "stream ROLECAST_DEAD is 95 % full; make room with rolecast dead",
            "NATS server n2: its copies of 1 stream are offline or behind",
            "NATS answers slowly: ROLECAST_RESULTS took 700 ms",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (line, start) in found.iter().zip(expected) {
            assert!(line.starts_with(start), "{line}");
        }
    }
}
