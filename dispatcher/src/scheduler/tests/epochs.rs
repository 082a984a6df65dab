//! Tests of nodes that report a later epoch: the bucket decides, and not they.

use std::collections::BTreeMap;

use rolecast_common::wire::{Admission, RoleDocument};

use super::*;
use crate::roles;

/// A heartbeat of a node that has seen this epoch.
fn follower(name: &str, sequence: u64, epoch: u64) -> Input {
    let Input::Heartbeat {
        from,
        mut heartbeat,
    } = heartbeat(name, "a", sequence, Vec::new())
    else {
        unreachable!("it is a heartbeat");
    };
    heartbeat.epoch = Epoch::new(epoch);
    Input::Heartbeat { from, heartbeat }
}

fn is_end(output: &Output) -> bool {
    matches!(output, Output::StepDown { .. })
}

fn doubts(out: &[Output]) -> usize {
    let is_doubt = |output: &&Output| matches!(output, Output::DoubtLease);
    out.iter().filter(is_doubt).count()
}

/// Returns the notices to nodes about their epochs.
fn refuted(out: &[Output]) -> Vec<(&NodeId, &Admission)> {
    let told = out.iter().filter_map(|output| {
        let Output::Admit { node, admission } = output else {
            return None;
        };
        admission.refuted.map(|_| (node, &**admission))
    });
    told.collect()
}

/// A scheduler that leads under epoch 5 by a lease that is renewed by inputs.
fn renewed() -> Scheduler {
    let mut machine = Scheduler::new(machine().params, now(0.0));
    let lead = Input::Lead {
        epoch: Epoch::new(5),
        until: now(1.2).time,
        seals: seals(5),
        histories: Vec::new(),
    };
    machine.handle(now(0.0), lead, &mut Vec::new());
    machine
}

/// A renewal that was requested at that time.
fn renewal(seconds: f64) -> Input {
    let until = now(seconds + 1.2).time;
    Input::Renewed { until }
}

#[test]
fn names_where_nobody_listens_have_no_word_about_epochs() {
    let fakes = ["f1", "f2", "f3", "f4"];
    for is_there in [true, false] {
        let mut machine = renewed();
        let beats = fakes.map(|name| follower(name, 100, 5));
        all(&mut machine, 0.0, beats);
        all(&mut machine, 0.0, [follower("n1", 100, 5)]);
        if !is_there {
            let absent = fakes.map(|name| Input::Absent { node: node(name) });
            all(&mut machine, 0.01, absent);
        }
        // Another one may have led from 1.2 s to 2 s.
        all(&mut machine, 2.0, [renewal(1.9), follower("n1", 101, 5)]);
        let out = all(&mut machine, 2.1, fakes.map(|name| follower(name, 101, 9)));
        assert_eq!(out.iter().any(is_end), is_there, "{out:?}");
    }
}

#[test]
fn nodes_that_report_a_later_epoch_unseat_nobody_whom_they_followed_and_are_shown() {
    let mut machine = machine();
    for second in 0..10u32 {
        let (seconds, sequence) = (f64::from(second), u64::from(second) + 1);
        let honest = ["n2", "n3", "n4"].map(|name| heartbeat(name, "a", sequence, vec![]));
        let out = all(&mut machine, seconds, honest);
        assert!(!out.iter().any(is_end), "{out:?}");
        let beat = follower("n1", sequence, 1_000 + u64::from(second));
        let out = all(&mut machine, seconds + 0.1, [beat]);
        assert!(!out.iter().any(is_end), "{out:?}");
    }
    let troubles = machine.status(now(9.5)).troubles;
    let [trouble] = &troubles[..] else {
        panic!("{troubles:?}");
    };
    assert_eq!(trouble.what, "the epochs of workers");
    assert!(
        trouble.why.contains("1 of 4 nodes, such as n1"),
        "{trouble:?}"
    );
    // All others report it too: they followed this one, which has led ever since.
    for second in 10..30u32 {
        let (seconds, sequence) = (f64::from(second), u64::from(second) + 1);
        let beats = ["n1", "n2", "n3", "n4"].map(|name| follower(name, sequence, 2_000));
        let out = all(&mut machine, seconds, beats);
        assert!(!out.iter().any(is_end), "{out:?}");
    }
    assert_eq!(machine.known_epoch(), Epoch::new(5));
    let why = &machine.status(now(29.5)).troubles[0].why;
    assert!(why.starts_with("4 of 4 nodes"), "{why}");
}

#[test]
fn most_nodes_that_never_followed_this_one_show_that_the_bucket_was_rolled_back() {
    let mut machine = machine();
    let out = all(&mut machine, 0.1, ["n1", "n2"].map(|n| follower(n, 1, 5)));
    assert!(!out.iter().any(is_end), "{out:?}");
    // Two are half of all, three are most.
    let out = all(
        &mut machine,
        0.2,
        [follower("n3", 1, 80), follower("n4", 1, 70)],
    );
    assert!(!out.iter().any(is_end), "{out:?}");
    let out = all(&mut machine, 0.3, [follower("n5", 1, 70)]);
    let Some(Output::StepDown { reason }) = out.iter().find(|output| is_end(output)) else {
        panic!("{out:?}");
    };
    assert_eq!(reason, "3 of 5 nodes follow an epoch above 5, such as n5");
    assert_eq!(machine.known_epoch(), Epoch::new(80));
}

#[test]
fn what_nodes_followed_before_the_lease_lapsed_excuses_nobody() {
    let mut machine = renewed();
    let all_of = |sequence, epoch| ["n1", "n2"].map(|name| follower(name, sequence, epoch));
    all(&mut machine, 0.1, all_of(1, 5));
    let out = all(&mut machine, 1.0, all_of(2, 6));
    assert!(!out.iter().any(is_end), "{out:?}");
    // Another one may have led from 1.2 s to 4 s.
    all(&mut machine, 4.0, [renewal(3.9)]);
    let out = all(&mut machine, 4.1, all_of(3, 6));
    assert!(out.iter().any(is_end), "{out:?}");
    assert_eq!(machine.known_epoch(), Epoch::new(6));
}

#[test]
fn the_lease_is_read_once_a_second_whatever_number_of_nodes_reports_it() {
    let mut machine = machine();
    let names: Vec<String> = (0..50).map(|n| format!("n{n}")).collect();
    let beats = |sequence: u64, epoch| {
        let beats = names
            .iter()
            .map(move |name| follower(name, sequence, epoch));
        beats.collect::<Vec<Input>>()
    };
    let out = all(&mut machine, 0.0, beats(1, 5));
    assert_eq!(doubts(&out), 0);
    let mut asked = 0;
    for tenth in 0..100u32 {
        let seconds = 1.0 + f64::from(tenth) / 10.0;
        let sequence = u64::from(tenth) + 2;
        let out = all(&mut machine, seconds, beats(sequence, 1_000 + sequence));
        asked += doubts(&out);
    }
    assert_eq!(asked, 10);
}

#[test]
fn a_node_is_notified_that_the_bucket_does_not_know_its_epoch_once_that_has_answered() {
    let mut machine = renewed();
    let honest = |sequence| follower("n2", sequence, 5);
    all(&mut machine, 0.0, [honest(1), follower("n1", 1, 5)]);
    all(&mut machine, 0.9, [renewal(0.6)]);
    let out = all(&mut machine, 1.0, [follower("n1", 2, 9)]);
    assert_eq!((doubts(&out), refuted(&out).len()), (1, 0), "{out:?}");
    assert_eq!(machine.status(now(1.0)).troubles, []);
    // This one was requested before the node reported.
    let out = all(&mut machine, 1.2, [renewal(0.9), follower("n1", 3, 9)]);
    assert_eq!(refuted(&out), [], "{out:?}");
    let out = all(&mut machine, 1.5, [renewal(1.3), follower("n1", 4, 9)]);
    let [(name, admission)] = &refuted(&out)[..] else {
        panic!("{out:?}");
    };
    assert_eq!(**name, node("n1"));
    assert_eq!(admission.boot.as_str(), "a");
    assert_eq!(
        (admission.epoch, admission.refuted),
        (Epoch::new(5), Some(Epoch::new(9)))
    );
    assert_eq!(machine.status(now(1.5)).troubles.len(), 1);
    // It is not notified with each heartbeat, and not at all once it follows again.
    let out = all(&mut machine, 2.3, [renewal(2.2), follower("n1", 5, 9)]);
    assert_eq!(refuted(&out), []);
    let out = all(&mut machine, 2.4, [follower("n1", 6, 5), honest(2)]);
    assert_eq!((doubts(&out), refuted(&out).len()), (0, 0));
}

#[test]
fn a_later_epoch_that_was_seen_while_the_lease_was_taken_is_not_forgotten() {
    let mut machine = Scheduler::new(machine().params, now(0.0));
    all(&mut machine, 0.1, [follower("n1", 1, 9)]);
    assert_eq!(machine.known_epoch(), Epoch::new(9));
    // The claim was made before that was known.
    let mut machine = led(machine, 6);
    let out = all(&mut machine, 1.1, [follower("n1", 2, 9)]);
    assert!(out.iter().any(is_end), "{out:?}");
    assert_eq!(machine.known_epoch(), Epoch::new(9));
}

#[test]
fn a_forged_epoch_stops_no_dispatcher() {
    let (mut machine, _) = running();
    let out = all(&mut machine, 1.0, [follower("n1", 2, u64::MAX)]);
    let is_refused =
        |output: &Output| matches!(output, Output::Event(Event::HeartbeatsRefused { .. }));
    assert!(out.iter().any(is_refused), "{out:?}");
    assert!(!out.iter().any(is_end), "{out:?}");
    assert_eq!((doubts(&out), machine.known_epoch()), (0, Epoch::new(5)));
}

#[test]
fn a_machine_that_stands_by_learns_and_does_nothing() {
    let mut machine = Scheduler::new(machine().params, now(0.0));
    let out = all(&mut machine, 0.1, [follower("n1", 1, 9)]);
    let is_said = |output: &Output| {
        matches!(
            output,
            Output::Event(_) | Output::PublishCapacity(_) | Output::Ping { .. }
        )
    };
    assert!(out.iter().all(is_said), "{out:?}");
    assert_eq!(machine.known_epoch(), Epoch::new(9));
    let lead = Input::Lead {
        epoch: Epoch::new(10),
        until: Time::from_start(Duration::MAX),
        seals: seals(10),
        histories: Vec::new(),
    };
    let out = all(&mut machine, 0.2, [lead]);
    assert!(
        out.iter().any(|o| matches!(o, Output::Fetch { .. })),
        "{out:?}"
    );
}

#[test]
fn a_later_epoch_in_the_document_of_the_roles_ends_the_lead_and_a_wild_one_does_not() {
    for (found, is_later) in [(5, false), (1376, true), (u64::MAX, false)] {
        let mut params = machine().params;
        params.roles = roles::tests::bench::settings();
        let mut machine = Scheduler::new(params, now(0.0));
        let lead = Input::Lead {
            epoch: Epoch::new(5),
            until: now(9.0).time,
            seals: seals(5),
            histories: Vec::new(),
        };
        let out = all(&mut machine, 0.1, [lead]);
        let request = out.iter().find_map(|output| {
            let Output::Roles(roles::Output::Read { request }) = output else {
                return None;
            };
            Some(*request)
        });
        let document = RoleDocument {
            v: VERSION,
            epoch: Epoch::new(found),
            generation: 1,
            roles: BTreeMap::new(),
            changes: BTreeMap::new(),
            history: Vec::new(),
            drained: BTreeSet::new(),
        };
        let read = roles::Input::Read {
            request: request.expect("it reads the document first"),
            entry: Some((7, document)),
        };
        let out = all(&mut machine, 0.2, [Input::Roles(read)]);
        assert_eq!(out.iter().any(is_end), is_later, "{out:?}");
        let known = if is_later { found } else { 5 };
        assert_eq!(machine.known_epoch(), Epoch::new(known));
    }
}
