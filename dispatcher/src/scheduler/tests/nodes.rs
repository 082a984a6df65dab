//! Tests of nodes that leave, return, or follow another dispatcher.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::{Attempt, Category, Sequence};
use rolecast_common::wire::OutcomeStatus;

use super::super::{Event, Input, Malformed, Output, Params, Recorded, Scheduler};
use super::{
    ack, all, beat, delivery, delivery_of, forwarded, heartbeat, led, machine, node, now, report,
    running, sent_as, turn,
};
use crate::allowance::{Allowance, Allowances, Pattern};

#[test]
fn the_jobs_of_a_silent_node_go_back_and_its_outcome_is_too_late_once_another_has_them() {
    let (mut machine, first) = running();
    assert!(turn(&mut machine, 2.9, []).is_empty());
    let out = turn(&mut machine, 3.2, []);
    let [Output::SaveHistory { .. }, Output::GiveBack { delay, .. }] = &out[..] else {
        panic!("{out:?}");
    };
    assert!(delay.is_zero());
    let out = turn(
        &mut machine,
        3.4,
        [heartbeat("n2", "a", 1, vec![]), delivery(1, 2)],
    );
    let (at, second) = forwarded(&out).remove(0);
    assert_eq!((at, second.attempt().get()), (node("n2"), 2));
    let late = turn(
        &mut machine,
        3.5,
        [report("n1", &first, OutcomeStatus::Completed)],
    );
    assert_eq!(late, [Output::Confirm("confirm".to_owned())]);
    assert_eq!(machine.reporting.counters().outcomes_stale, 1);
    let out = turn(
        &mut machine,
        4.0,
        [report("n2", &second, OutcomeStatus::Completed)],
    );
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
}

/// The node of [`running`] was silent for too long; its job is on its way back, or
/// delivered again already and waits for a node.
fn silenced(is_delivered: bool) -> (Scheduler, Assignment) {
    let (mut machine, first) = running();
    turn(&mut machine, 3.2, []);
    if is_delivered {
        assert!(turn(&mut machine, 3.3, [delivery(1, 2)]).is_empty());
    }
    (machine, first)
}

#[test]
fn a_node_that_was_only_silent_goes_on_with_its_jobs() {
    for is_delivered in [false, true] {
        let (mut machine, first) = silenced(is_delivered);
        let back = heartbeat("n1", "a", 2, vec![first.clone()]);
        let out = turn(&mut machine, 3.5, [back]);
        assert!(forwarded(&out).is_empty(), "{out:?}");
        let forgets = |output: &&Output| matches!(output, Output::ForgetHistory(_));
        assert_eq!(out.iter().filter(forgets).count(), 1, "{out:?}");
        let out = turn(
            &mut machine,
            3.6,
            [heartbeat("n2", "a", 1, vec![]), delivery(1, 3)],
        );
        assert!(forwarded(&out).is_empty(), "{out:?}");
        let out = turn(
            &mut machine,
            4.0,
            [report("n1", &first, OutcomeStatus::Completed)],
        );
        let [Output::Record(record)] = &out[..] else {
            panic!("{out:?}");
        };
        assert_eq!(record.attempt, Some(Attempt::FIRST));
        assert!(record.losses.is_empty(), "{record:?}");
    }
}

#[test]
fn what_ended_on_a_node_that_was_only_silent_is_recorded() {
    for is_delivered in [false, true] {
        let (mut machine, first) = silenced(is_delivered);
        let late = report("n1", &first, OutcomeStatus::Completed);
        let out = turn(&mut machine, 3.5, [late]);
        let records = |output: &&Output| matches!(output, Output::Record(_));
        assert_eq!(out.iter().filter(records).count(), 1, "{out:?}");
        let other = heartbeat("n2", "a", 1, vec![]);
        let out = turn(&mut machine, 3.6, [other, delivery(1, 3)]);
        assert!(forwarded(&out).is_empty(), "{out:?}");
    }
}

#[test]
fn a_bounced_job_goes_back_at_once_and_the_node_gets_no_more() {
    let (mut machine, assignment) = running();
    let bounced = Input::Bounced {
        node: node("n1"),
        assignment,
    };
    let out = turn(&mut machine, 0.1, [bounced, delivery(2, 1)]);
    let [
        Output::GiveBack {
            sequence, delay, ..
        },
    ] = &out[..]
    else {
        panic!("{out:?}");
    };
    assert_eq!((*sequence, *delay), (Sequence::new(1), Duration::ZERO));
    let out = turn(&mut machine, 1.0, [heartbeat("n1", "a", 2, vec![])]);
    assert_eq!(forwarded(&out).len(), 1);
}

#[test]
fn a_clock_that_is_wrong_is_reported_once_and_shown() {
    let mut machine = machine();
    let mut events = 0;
    for second in 0..20u32 {
        let mut beat = beat("n1", "a", u64::from(second) + 1);
        let at = now(f64::from(second));
        beat.sent_ms = Some(at.wall + Duration::from_secs(600));
        let input = Input::Heartbeat {
            from: node("n1"),
            heartbeat: Box::new(beat),
        };
        let out = all(&mut machine, f64::from(second), [input]);
        let is_event =
            |output: &&Output| matches!(output, Output::Event(Event::ClockSkewed { .. }));
        events += out.iter().filter(is_event).count();
    }
    assert_eq!(events, 1);
    let status = machine.status(now(20.0));
    assert_eq!(status.nodes[0].clock_skew_ms, Some(600_000));
}

#[test]
fn a_job_that_never_reached_its_node_goes_back_after_three_heartbeats() {
    let (mut machine, _) = running();
    for second in 1..3u32 {
        let beat = heartbeat("n1", "a", u64::from(second) + 1, vec![]);
        assert!(turn(&mut machine, f64::from(second), [beat]).is_empty());
    }
    let out = turn(&mut machine, 3.0, [heartbeat("n1", "a", 4, vec![])]);
    assert!(
        out.iter()
            .any(|output| matches!(output, Output::GiveBack { .. })),
        "{out:?}"
    );
}

#[test]
fn a_job_in_hand_is_kept_alive_and_not_sent_twice() {
    let (mut machine, assignment) = running();
    let mut kept = 0;
    for second in 1..12u32 {
        let beat = heartbeat("n1", "a", u64::from(second) + 1, vec![assignment.clone()]);
        let out = turn(&mut machine, f64::from(second), [beat]);
        kept += out
            .iter()
            .filter(|o| matches!(o, Output::KeepAlive(_)))
            .count();
    }
    assert_eq!(kept, 2);
    let out = turn(&mut machine, 12.0, [delivery(1, 2)]);
    assert_eq!(out, [Output::Drop(Sequence::new(1))]);
    let job = machine.jobs.get(Sequence::new(1)).unwrap();
    assert_eq!(*job.ack(), ack(1, 2));
}

#[test]
fn a_successor_adopts_jobs_in_hand_and_settles_what_it_never_sent() {
    let (_, theirs) = running();
    let theirs = sent_as(4, &theirs, ack(1, 1));
    let mut successor = machine();
    let beat = heartbeat("n1", "a", 9, vec![theirs.clone()]);
    let out = turn(&mut successor, 0.1, [beat]);
    assert_eq!(out, [Output::KeepAlive(ack(1, 1))]);
    let out = turn(&mut successor, 0.2, [delivery(1, 2)]);
    assert_eq!(out, [Output::Drop(Sequence::new(1))]);
    let out = turn(
        &mut successor,
        0.3,
        [report("n1", &theirs, OutcomeStatus::Completed)],
    );
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
    let other = sent_as(4, &theirs, ack(77, 1));
    let out = turn(
        &mut successor,
        0.4,
        [report("n1", &other, OutcomeStatus::Completed)],
    );
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
}

#[test]
fn what_was_never_sent_to_a_node_counts_for_nothing_that_it_reports_of_it() {
    let (_, theirs) = running();
    let text = theirs.as_str();
    let unsealed: String = theirs.sealed_text().concat();
    let forged = [
        text.replace("5.ocr", "4.ocr"),
        text.replace("job-1", "job-2"),
        text.replace(".1.1.1.", ".1.9.1."),
        unsealed,
    ];
    for forged in forged {
        let forged: Assignment = forged.parse().unwrap();
        let mut successor = machine();
        let out = turn(
            &mut successor,
            0.1,
            [heartbeat("n1", "a", 1, vec![forged.clone()])],
        );
        assert_eq!(out, [], "{forged}");
        let done = report("n1", &forged, OutcomeStatus::Completed);
        let out = turn(&mut successor, 0.2, [done]);
        // It is answered, so that the worker does not repeat it for ever.
        assert_eq!(out, [Output::Confirm("confirm".to_owned())], "{forged}");
        // The jobs are free for the node that they are sent to.
        let sequence = forged.ack().sequence().get();
        let out = turn(&mut successor, 0.3, [delivery(sequence, 2)]);
        assert_eq!(forwarded(&out).len(), 1, "{forged}");
        assert_eq!(successor.reporting.counters().outcomes_malformed, 2);
    }
    // A job that was sent to n1 cannot be reported by n2.
    let genuine = sent_as(4, &theirs, ack(1, 1));
    let mut successor = machine();
    let other = heartbeat("n2", "a", 1, vec![genuine.clone()]);
    assert_eq!(turn(&mut successor, 0.1, [other]), []);
    let done = report("n2", &genuine, OutcomeStatus::Completed);
    let out = turn(&mut successor, 0.2, [done]);
    assert_eq!(out, [Output::Confirm("confirm".to_owned())]);
}

#[test]
fn an_outcome_of_a_job_that_is_held_names_its_job_and_attempt() {
    let (mut machine, assignment) = running();
    for other in ["job-2", "job-3"] {
        let other: Assignment = assignment.as_str().replace("job-1", other).parse().unwrap();
        let out = turn(
            &mut machine,
            0.1,
            [report("n1", &other, OutcomeStatus::Completed)],
        );
        assert_eq!(out, [Output::Confirm("confirm".to_owned())]);
    }
    // Its ack subject may be any: the one that is known here is acknowledged.
    let elsewhere = assignment.as_str().replace("ROLECAST_JOBS", "OTHER");
    let elsewhere: Assignment = elsewhere.parse().unwrap();
    let out = turn(
        &mut machine,
        0.2,
        [report("n1", &elsewhere, OutcomeStatus::Completed)],
    );
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
    let recorded = Input::Recorded {
        sequence: Sequence::new(1),
        result: Recorded::Stored,
    };
    let out = turn(&mut machine, 0.3, [recorded]);
    let is_ours =
        |output: &Output| matches!(output, Output::Ack { ack: at, .. } if *at == ack(1, 1));
    assert!(out.iter().any(is_ours), "{out:?}");
}

#[test]
fn an_adopted_job_of_a_category_nobody_serves_is_lost_with_its_node_and_given_back() {
    let mut successor = machine();
    let (_, theirs) = running();
    let strange = theirs.as_str().replace("ocr", "strange");
    let ack = Ack::parse(&ack(1, 1).as_str().replace("ocr", "strange")).unwrap();
    let theirs = sent_as(4, &strange.parse().unwrap(), ack);
    turn(&mut successor, 0.1, [heartbeat("n1", "a", 1, vec![theirs])]);
    let out = turn(&mut successor, 2.5, [heartbeat("n1", "b", 1, vec![])]);
    let is_given_back = |output: &Output| matches!(output, Output::GiveBack { .. });
    assert!(out.iter().any(is_given_back), "{out:?}");
    assert_eq!(successor.fleet.get(&node("n1")).unwrap().jobs(), 0);
}

#[test]
fn a_node_gets_no_jobs_beyond_what_it_may_claim() {
    let entry = Allowance {
        pattern: Pattern::parse("n*").unwrap(),
        roles: None,
        categories: Some(BTreeSet::from([Category::new("scan").unwrap()])),
        jobs_max: None,
        labels: None,
    };
    let params = Params {
        allowances: Allowances::new(vec![entry]),
        ..machine().params
    };
    let mut machine = led(Scheduler::new(params, now(0.0)), 5);
    let beats = ["n1", "other"].map(|name| heartbeat(name, "a", 1, vec![]));
    let out = turn(&mut machine, 0.1, beats);
    assert_eq!(out, []);
    assert!(machine.fleet.get(&node("other")).is_none());
    let scan = Input::Delivered(delivery_of("rolecast.jobs.scan", 2, 1));
    let out = turn(&mut machine, 0.2, [delivery(1, 1), scan]);
    let [(at, assignment)] = &forwarded(&out)[..] else {
        panic!("{out:?}");
    };
    assert_eq!((at, assignment.category().as_str()), (&node("n1"), "scan"));
    let status = machine.status(now(0.2));
    assert_eq!(status.troubles[0].what, "the claims of nodes");
    assert_eq!(status.refused[0].from, "other");
}

#[test]
fn refused_heartbeats_are_counted_and_reported_at_most_once_a_second() {
    let mut machine = machine();
    let mut out = Vec::new();
    for _ in 0..100 {
        let input = Input::Malformed {
            what: Malformed::Heartbeat,
            from: "rolecast.heartbeat.x".to_owned(),
            why: "nonsense".to_owned(),
        };
        machine.handle(now(0.0), input, &mut out);
    }
    assert_eq!(machine.reporting.counters().heartbeats_refused, 100);
    assert_eq!(out.len(), 1);
}
