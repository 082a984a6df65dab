//! Tests of nodes that are late, absent or silent.

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Attempt, Sequence};
use rolecast_common::wire::OutcomeStatus;
use std::time::Duration;

use super::super::{Event, Input, Output, Scheduler};
use super::{
    ack, all, delivery, forwarded, heartbeat, led, machine, node, now, report, running, sent_as,
    turn,
};

pub(super) const NONE: [u64; 0] = [];

pub(super) fn absent(name: &str) -> Input {
    Input::Absent { node: node(name) }
}

pub(super) fn answered(name: &str) -> Input {
    Input::Latency {
        node: node(name),
        round_trip: Duration::from_millis(1),
    }
}

pub(super) fn given_back(out: &[Output]) -> Vec<u64> {
    let given = out.iter().filter_map(|output| {
        let Output::GiveBack { sequence, .. } = output else {
            return None;
        };
        Some(sequence.get())
    });
    given.collect()
}

pub(super) fn pinged(out: &[Output], name: &str) -> usize {
    let pings = out
        .iter()
        .filter(|output| matches!(output, Output::Ping { node: to, .. } if *to == node(name)));
    pings.count()
}

pub(super) fn gone(out: &[Output]) -> Vec<&'static str> {
    let gone = out.iter().filter_map(|output| {
        let Output::Event(Event::NodeGone { why, .. }) = output else {
            return None;
        };
        Some(*why)
    });
    gone.collect()
}

/// Starts with job 1 running on node n1, which has answered a ping.
pub(super) fn known() -> (Scheduler, Assignment) {
    let (mut machine, assignment) = running();
    all(&mut machine, 0.0, [answered("n1")]);
    (machine, assignment)
}

/// Returns whether no node is judged.
pub(super) fn is_calm(out: &[Output]) -> bool {
    given_back(out).is_empty() && gone(out).is_empty()
}

#[test]
fn a_late_node_is_asked_and_loses_its_jobs_when_nobody_listens_twice() {
    let (mut machine, _) = known();
    assert_eq!(pinged(&all(&mut machine, 1.0, []), "n1"), 0);
    // Its own regular ping may fall into this.
    assert!(pinged(&all(&mut machine, 1.1, []), "n1") >= 1);
    let out = all(&mut machine, 1.1, [absent("n1")]);
    assert_eq!(given_back(&out), NONE);
    let out = all(&mut machine, 1.52, []);
    assert!(pinged(&out, "n1") >= 1, "it is asked once more");
    let out = all(&mut machine, 1.52, [absent("n1")]);
    assert_eq!(given_back(&out), [1]);
    assert_eq!(gone(&out), ["nobody listens on its subject"]);
    let lost = machine.reporting.counters().jobs_lost_with_node;
    assert_eq!(lost, 1);
}

#[test]
fn a_worker_that_connects_anew_between_two_probes_loses_nothing() {
    for sign in [answered("n1"), heartbeat("n1", "a", 2, vec![])] {
        let (mut machine, _) = known();
        all(&mut machine, 1.1, [absent("n1")]);
        all(&mut machine, 1.3, [sign]);
        let out = all(&mut machine, 1.55, [absent("n1")]);
        assert!(is_calm(&out), "{out:?}");
    }
}

#[test]
fn a_node_that_answers_without_heartbeats_keeps_its_jobs_and_gets_no_more() {
    let (mut machine, assignment) = running();
    let mut out = Vec::new();
    for tenth in 1..50u32 {
        out.extend(all(&mut machine, f64::from(tenth) / 10.0, [answered("n1")]));
    }
    assert_eq!(given_back(&out), NONE);
    assert_eq!(gone(&out), ["its heartbeats stopped"]);
    let out = all(&mut machine, 5.0, [delivery(2, 1)]);
    assert_eq!(forwarded(&out), []);
    let done = report("n1", &assignment, OutcomeStatus::Completed);
    let out = turn(&mut machine, 5.1, [done]);
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
    let out = all(&mut machine, 5.2, [heartbeat("n1", "a", 2, vec![])]);
    assert_eq!(forwarded(&out).len(), 1);
}

#[test]
fn a_job_that_could_not_be_sent_waits_where_it_was_and_costs_no_attempt() {
    let (mut machine, first) = running();
    let unsent = |attempt| Input::Unsent {
        sequence: Sequence::new(1),
        attempt: Attempt::new(attempt),
    };
    let out = turn(&mut machine, 0.1, [unsent(1)]);
    let again = forwarded(&out);
    assert_eq!(again, [(node("n1"), first)]);
    assert_eq!(
        turn(&mut machine, 0.2, [unsent(7)]),
        [],
        "of another attempt"
    );
}

#[test]
fn a_waiting_job_that_a_node_has_in_hand_is_left_to_it() {
    let (_, theirs) = running();
    let theirs = sent_as(4, &theirs, ack(1, 1));
    let mut successor = led(Scheduler::new(machine().params, now(0.0)), 5);
    // It is redelivered before its node is back, and no other node is there.
    assert_eq!(turn(&mut successor, 0.1, [delivery(1, 2)]), []);
    let beat = heartbeat("n1", "a", 9, vec![theirs.clone()]);
    let out = turn(&mut successor, 0.2, [beat]);
    assert_eq!(
        out,
        [Output::Drop(Sequence::new(1)), Output::KeepAlive(ack(1, 2))]
    );
    let done = report("n1", &theirs, OutcomeStatus::Completed);
    let out = turn(&mut successor, 0.3, [done]);
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
}

#[test]
fn lost_jobs_go_before_those_that_came_after_them() {
    let mut machine = machine();
    let beats = |sequence| ["n1", "n2"].map(|name| heartbeat(name, "a", sequence, vec![]));
    let jobs = (1..=40).map(|job| delivery(job, 1));
    let out = all(&mut machine, 0.0, beats(1).into_iter().chain(jobs));
    let on_n1: Vec<Assignment> = forwarded(&out)
        .into_iter()
        .filter(|(at, _)| *at == node("n1"))
        .map(|(_, assignment)| assignment)
        .collect();
    let on_n2 = forwarded(&out)
        .into_iter()
        .find(|(at, _)| *at == node("n2"));
    assert_eq!(on_n1.len(), 4);
    let lost: Vec<u64> = on_n1.iter().map(|a| a.ack().sequence().get()).collect();
    // The room is full; still the stream is asked for the lost ones.
    all(&mut machine, 0.05, [answered("n1")]);
    all(&mut machine, 0.1, [absent("n1")]);
    let out = all(&mut machine, 0.6, [absent("n1")]);
    assert_eq!(given_back(&out), lost);
    let source = rolecast_common::subjects::Source::parse("rolecast.jobs.ocr").unwrap();
    let asked = out.iter().find_map(|output| {
        let Output::Fetch { source: of, batch } = output else {
            return None;
        };
        (*of == source).then_some(*batch)
    });
    assert_eq!(asked, Some(4), "{out:?}");
    let again = lost.iter().map(|job| delivery(*job, 2));
    all(&mut machine, 0.7, again);
    let (_, ended) = on_n2.unwrap();
    let done = report("n2", &ended, OutcomeStatus::Completed);
    let out = all(&mut machine, 0.8, [done]);
    let next = forwarded(&out).remove(0).1;
    assert_eq!(next.ack().sequence().get(), lost[0]);
}

#[test]
fn a_node_without_a_listener_gets_no_jobs_until_it_answers_or_has_completed_one() {
    let mut machine = machine();
    all(&mut machine, 0.0, [heartbeat("n1", "a", 1, vec![])]);
    // The server's report arrives before any job.
    let out = turn(&mut machine, 0.1, [absent("n1"), delivery(1, 1)]);
    assert!(forwarded(&out).is_empty(), "{out:?}");
    let out = turn(&mut machine, 0.2, [heartbeat("n1", "a", 2, vec![])]);
    assert!(
        forwarded(&out).is_empty(),
        "a heartbeat costs nothing: {out:?}"
    );
    let answered = Input::Latency {
        node: node("n1"),
        round_trip: Duration::from_millis(1),
    };
    let out = turn(&mut machine, 0.21, [answered]);
    assert_eq!(forwarded(&out).len(), 1, "{out:?}");
}

#[test]
fn workers_that_hear_jobs_and_no_pings_are_tried_in_turn() {
    let mut machine = machine();
    let names = ["n1", "n2", "n3"];
    all(
        &mut machine,
        0.0,
        names.map(|name| heartbeat(name, "a", 1, vec![])),
    );
    all(&mut machine, 0.01, names.map(absent));
    let out = turn(&mut machine, 0.3, [delivery(1, 1), delivery(2, 1)]);
    // One is open; it takes both, since the server did not report its absence again.
    let sent = forwarded(&out);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|(at, _)| *at == node("n1")), "{sent:?}");
    let done = report("n1", &sent[0].1, OutcomeStatus::Completed);
    turn(&mut machine, 0.31, [done]);
    // From now on the server's report on pings is no evidence about it.
    let more = [absent("n1"), absent("n2"), delivery(3, 1)];
    let out = turn(&mut machine, 0.32, more);
    assert_eq!(forwarded(&out)[0].0, node("n1"), "{out:?}");
}

/// Reports for each invented name that was pinged that nobody listens there; returns
/// their number.
fn bounce(machine: &mut Scheduler, seconds: f64, out: &[Output]) -> usize {
    let names = out.iter().filter_map(|output| {
        let Output::Ping { node, .. } = output else {
            return None;
        };
        Some(node.as_str())
    });
    let fakes: Vec<&str> = names.filter(|name| name.starts_with("fake")).collect();
    all(machine, seconds, fakes.iter().map(|name| absent(name)));
    fakes.len()
}

#[test]
fn names_where_nobody_listens_show_nothing_of_the_network_and_are_seldom_pinged() {
    let mut machine = machine();
    let beats = |seq| {
        let fakes = (0..2000).map(move |n| heartbeat(&format!("fake-{n}"), "a", seq, vec![]));
        fakes.chain([heartbeat("n1", "a", seq, vec![])])
    };
    all(&mut machine, 0.0, beats(100));
    let fakes = (0..2000).map(|n| absent(&format!("fake-{n}")));
    all(&mut machine, 0.01, fakes.chain([answered("n1")]));
    let mut to_fakes = 0;
    let mut to_n1 = 0;
    for quarter in 1..=24_u32 {
        let seconds = f64::from(quarter) / 4.0;
        let beats = (quarter % 4 == 0).then(|| beats(100 + u64::from(quarter)));
        let out = all(&mut machine, seconds, beats.into_iter().flatten());
        to_n1 += pinged(&out, "n1");
        to_fakes += bounce(&mut machine, seconds, &out);
    }
    assert!((1..=2).contains(&to_n1), "{to_n1}");
    assert!((400..=900).contains(&to_fakes), "{to_fakes}");
    // All fall silent at once: that is no reason to doubt NATS when n1 dies.
    let mut out = Vec::new();
    for seconds in [7.1, 7.11, 7.52, 7.53] {
        let asked = all(&mut machine, seconds, []);
        bounce(&mut machine, seconds, &asked);
        out.extend(asked);
        out.extend(all(&mut machine, seconds, [absent("n1")]));
    }
    let n1 = node("n1");
    let lost = |output: &Output| matches!(output, Output::Event(Event::NodeGone { node, .. }) if *node == n1);
    assert!(out.iter().any(lost));
    let is_doubt = |output: &Output| matches!(output, Output::Event(Event::ManyMissing { .. }));
    assert!(!out.iter().any(is_doubt));
}
