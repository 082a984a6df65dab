//! Tests of silence that is no node's own: outages, lapsed leases, standstills.

use std::time::Duration;

use rolecast_common::id::{Epoch, Sequence};
use rolecast_common::time::Time;
use rolecast_common::wire::OutcomeStatus;

use super::super::{Event, Input, Output, Scheduler};
use super::absence::{NONE, absent, answered, given_back, gone, is_calm, known, pinged};
use super::{ack, all, delivery, forwarded, heartbeat, machine, now, report, running, seals, turn};
use crate::lease::timing::TERM;

fn until(seconds: f64) -> Time {
    Time::from_start(Duration::from_secs_f64(seconds))
}

#[test]
fn many_nodes_that_go_missing_at_once_are_given_more_time() {
    let mut machine = machine();
    let beats = |sequence| (1..=4).map(move |n| heartbeat(&format!("n{n}"), "a", sequence, vec![]));
    all(&mut machine, 0.0, beats(1));
    let pongs = ['1', '2', '3', '4'].map(|n| answered(&format!("n{n}")));
    all(&mut machine, 0.0, pongs);
    let out = all(&mut machine, 0.5, [absent("n1")]);
    // The others are probed at once.
    assert!(
        (2..5).all(|n| pinged(&out, &format!("n{n}")) > 0),
        "{out:?}"
    );
    let out = all(
        &mut machine,
        0.5,
        [absent("n2"), answered("n3"), answered("n4")],
    );
    let is_told = |out: &[Output]| {
        out.iter().any(|o| {
            matches!(
                o,
                Output::Event(Event::ManyMissing {
                    missing: 2,
                    nodes: 4
                })
            )
        })
    };
    assert!(is_told(&out), "{out:?}");
    let both = |tenth: u32| {
        let beat = |name| heartbeat(name, "a", u64::from(tenth), vec![]);
        [absent("n1"), absent("n2"), beat("n3"), beat("n4")]
    };
    for tenth in 6..29u32 {
        let out = all(&mut machine, f64::from(tenth) / 10.0, both(tenth));
        assert_eq!(gone(&out), Vec::<&str>::new(), "at {tenth}");
    }
    // A server's clients are back by then.
    let out = all(&mut machine, 3.1, both(31));
    assert_eq!(gone(&out).len(), 2);
}

#[test]
fn nobody_is_judged_while_we_are_cut_off_nor_before_workers_can_be_back() {
    let (mut machine, assignment) = known();
    let mut out = all(&mut machine, 0.5, [Input::Disconnected]);
    out.extend(all(&mut machine, 4.5, []));
    out.extend(all(&mut machine, 4.5, [Input::Reconnected]));
    out.extend(all(&mut machine, 4.6, [absent("n1")]));
    out.extend(all(&mut machine, 5.2, [absent("n1")]));
    assert!(is_calm(&out), "{out:?}");
    let done = report("n1", &assignment, OutcomeStatus::Completed);
    let out = turn(&mut machine, 6.0, [done]);
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
}

#[test]
fn a_node_that_does_not_come_back_after_an_outage_is_gone_at_last() {
    let (mut machine, _) = known();
    all(&mut machine, 0.5, [Input::Disconnected]);
    all(&mut machine, 4.5, [Input::Reconnected]);
    let out = all(&mut machine, 12.4, []);
    assert_eq!(given_back(&out), NONE);
    assert_eq!(given_back(&all(&mut machine, 12.6, [])), [1]);
}

#[test]
fn after_an_outage_jobs_are_kept_alive_before_others_are_asked_for() {
    let (mut machine, _) = running();
    all(&mut machine, 0.5, [Input::Disconnected]);
    let out = all(&mut machine, 4.5, [Input::Reconnected]);
    let kept = out.iter().position(|o| *o == Output::KeepAlive(ack(1, 1)));
    let asked = out.iter().position(|o| matches!(o, Output::Fetch { .. }));
    assert!(kept < asked && kept.is_some(), "{out:?}");
    // The job of a redelivery still runs.
    let out = turn(&mut machine, 4.6, [delivery(1, 2)]);
    assert_eq!(out, [Output::Drop(Sequence::new(1))]);
}

#[test]
fn nobody_is_judged_and_nothing_sent_while_the_lease_is_not_held() {
    let mut machine = machine();
    let [beat, job] = [heartbeat("n1", "a", 1, vec![]), delivery(1, 1)];
    all(
        &mut machine,
        0.0,
        [beat, job, Input::Renewed { until: until(1.0) }],
    );
    let out = all(&mut machine, 9.0, [delivery(2, 1)]);
    assert_eq!((given_back(&out), forwarded(&out)), (vec![], vec![]));
    let renewed = Input::Renewed { until: until(20.0) };
    let out = all(
        &mut machine,
        9.1,
        [renewed, heartbeat("n1", "a", 2, vec![])],
    );
    assert!(out.contains(&Output::KeepAlive(ack(1, 1))), "{out:?}");
    assert_eq!(given_back(&out), NONE);
    assert_eq!(forwarded(&out).len(), 1, "the second job goes");
}

#[test]
fn in_the_smaller_part_of_a_cluster_nobody_is_judged() {
    let (mut machine, _) = known();
    // The lease was renewed last before the node went missing.
    let renewed = Input::Renewed {
        until: until(0.9) + TERM,
    };
    all(&mut machine, 0.9, [renewed]);
    all(&mut machine, 1.1, [absent("n1")]);
    let out = all(&mut machine, 1.6, [absent("n1")]);
    assert_eq!(given_back(&out), NONE);
    let renewed = Input::Renewed {
        until: until(1.7) + TERM,
    };
    let out = all(&mut machine, 1.71, [renewed, absent("n1")]);
    assert_eq!(given_back(&out), [1]);
}

#[test]
fn a_dispatcher_that_stood_still_judges_nobody_by_what_it_missed() {
    let (mut machine, _) = running();
    let mut out = Vec::new();
    // SIGSTOP for five seconds; then a heartbeat from before the job arrived is read.
    for input in [heartbeat("n1", "a", 2, vec![]), Input::Turn] {
        machine.handle(now(5.0), input, &mut out);
    }
    out.extend(all(&mut machine, 5.3, []));
    assert!(is_calm(&out), "{out:?}");
    // A node that is really missing is found anyway.
    for second in 6..9u32 {
        let beat = heartbeat("n1", "a", u64::from(second), vec![]);
        out.extend(all(&mut machine, f64::from(second), [beat]));
    }
    assert_eq!(given_back(&out), [1]);
}

#[test]
fn heartbeats_that_wait_to_be_read_are_read_before_anybody_is_judged() {
    let (mut machine, _) = running();
    all(&mut machine, 2.9, []);
    let out = all(&mut machine, 2.95, [Input::Behind]);
    assert_eq!(gone(&out), Vec::<&str>::new());
    assert_eq!(gone(&all(&mut machine, 3.5, [])), Vec::<&str>::new());
    assert_eq!(
        gone(&all(&mut machine, 6.0, [])),
        ["its heartbeats stopped"]
    );
}

#[test]
fn a_new_leader_waits_for_workers_it_knows_after_an_outage() {
    let fetches = |out: &[Output]| out.iter().any(|o| matches!(o, Output::Fetch { .. }));
    let restarted = || {
        let mut machine = Scheduler::new(machine().params, now(0.0));
        all(&mut machine, 0.5, [heartbeat("n1", "a", 1, vec![])]);
        all(&mut machine, 1.0, [Input::Disconnected]);
        let lead = Input::Lead {
            epoch: Epoch::new(6),
            until: Time::from_start(Duration::MAX),
            seals: seals(6),
            histories: Vec::new(),
        };
        let out = all(&mut machine, 4.0, [Input::Reconnected, lead]);
        assert!(!fetches(&out), "{out:?}");
        machine
    };
    let mut back = restarted();
    assert!(fetches(&all(
        &mut back,
        4.5,
        [heartbeat("n1", "a", 2, vec![])]
    )));
    let mut away = restarted();
    assert!(!fetches(&all(&mut away, 8.9, [])));
    assert!(fetches(&all(&mut away, 9.1, [])));
}
