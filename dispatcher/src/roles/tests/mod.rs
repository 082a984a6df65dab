//! Tests of the coordinator, one situation at a time; the protocol simulator has the rest.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks out the outputs it is about"
)]

pub(crate) mod bench;
mod orders;

use rolecast_common::wire::{RoleAssignment, RolePhase};

use super::*;
use crate::lease::Written;
use bench::{Bench, node, role};

const SECOND: Duration = Duration::from_secs(1);

fn set(role_name: &str, name: &str) -> Order {
    Order::Set {
        role: role(role_name),
        node: node(name),
    }
}

#[test]
fn empty_places_are_filled_by_preference_the_leader_first() {
    let mut bench = Bench::new();
    bench.lead(1);
    bench.pass(SECOND);
    assert_eq!(
        bench.holders(),
        (String::new(), String::new()),
        "not all have sent heartbeats"
    );
    bench.pass(7 * SECOND);
    assert_eq!(bench.holders(), ("b".to_owned(), "a".to_owned()));
    let story = [
        "leader Promoting  node: b ",
        "leader Done Election",
        "backup Promoting  node: a ",
        "backup Done Election",
    ];
    assert_eq!(bench.story(), story);
    bench.pass(60 * SECOND);
    assert!(bench.story().is_empty(), "it stays so");
}

#[test]
fn who_does_not_confirm_is_waited_for_until_its_lease_is_over() {
    let mut bench = Bench::led();
    bench.puppet("b").listens = false;
    bench.order(1, set("leader", "a"));
    bench.pass(ROLE_LEASE + ROLE_LEASE_MARGIN - SECOND);
    assert_eq!(bench.story(), ["leader Demoting  node: b, to: Some(a) "]);
    bench.pass(3 * SECOND);
    assert_eq!(bench.holders().0, "a");
}

#[test]
fn a_holder_that_is_gone_is_replaced_when_its_lease_is_over() {
    let mut bench = Bench::led();
    bench.puppet("b").speaks = false;
    bench.pass(ROLE_LEASE);
    assert_eq!(bench.holders().0, "b");
    bench.pass(3 * SECOND);
    assert_eq!(bench.holders(), ("a".to_owned(), "c".to_owned()));
    bench.puppet("b").speaks = true;
    bench.pass(10 * SECOND);
    assert_eq!(bench.holders(), ("a".to_owned(), "c".to_owned()));
}

#[test]
fn a_role_without_a_live_holder_is_vacant_with_the_cause() {
    let mut bench = Bench::led();
    assert_eq!(bench.vacancy("leader"), None);
    bench.puppet("b").speaks = false;
    bench.pass(5 * SECOND);
    let vacant = bench.vacancy("leader").unwrap();
    assert_eq!((vacant.wanted, vacant.acting, vacant.offered), (1, 0, 2));
    assert_eq!(vacant.assigned, [node("b")]);
    bench.pass(20 * SECOND);
    assert_eq!(bench.vacancy("leader"), None);
    for name in ["a", "c"] {
        bench.puppet(name).fails.insert(role("leader"));
        bench.puppet(name).report.roles.clear();
    }
    bench.pass(30 * SECOND);
    let vacant = bench.vacancy("leader").unwrap();
    assert_eq!(vacant.reason, "the hook failed");
    assert!(vacant.failed.is_some());
}

#[test]
fn a_role_without_candidates_has_no_holder_as_soon_as_that_is_gone() {
    let mut bench = Bench::led();
    for name in ["a", "b", "c"] {
        bench.puppet(name).speaks = false;
    }
    assert_eq!(bench.coordinator.acting(&role("leader")), [node("b")]);
    for name in ["a", "b", "c"] {
        bench.input(Input::Gone(node(name)));
    }
    assert!(bench.coordinator.acting(&role("leader")).is_empty());
    assert!(bench.coordinator.offered_by(&role("leader")).is_empty());
    assert_eq!(bench.coordinator.sole_holder(&role("leader")), None);
    // Nobody takes its place, and still nobody acts in the role.
    bench.pass(40 * SECOND);
    assert!(bench.coordinator.acting(&role("leader")).is_empty());
    bench.puppet("b").speaks = true;
    bench.pass(2 * SECOND);
    assert_eq!(bench.coordinator.offered_by(&role("leader")), [node("b")]);
}

#[test]
fn a_holder_that_comes_back_within_its_lease_stays() {
    let mut bench = Bench::led();
    bench.puppet("b").speaks = false;
    bench.pass(ROLE_LEASE - SECOND);
    bench.puppet("b").speaks = true;
    bench.pass(20 * SECOND);
    assert_eq!(bench.holders().0, "b");
    assert!(bench.story().is_empty());
}

#[test]
fn a_failed_promotion_is_undone_and_shows_why() {
    let mut bench = Bench::led();
    bench.puppet("c").fails.insert(role("leader"));
    bench.order(1, set("leader", "c"));
    bench.pass(5 * SECOND);
    assert_eq!(bench.holders(), ("b".to_owned(), "a".to_owned()));
    let undone = Refusal::Undone("c: the hook failed".to_owned());
    assert_eq!(bench.answers, [(1, Err(undone))]);
    bench.order(2, set("leader", "c"));
    assert!(matches!(bench.answers[1].1, Err(Refusal::Unfit { .. })));
}

#[test]
fn one_that_dies_while_it_takes_a_role_on_is_not_waited_for() {
    let mut bench = Bench::led();
    bench.order(1, set("leader", "c"));
    bench.puppet("c").listens = false;
    bench.pass(SECOND);
    bench.puppet("c").speaks = false;
    bench.pass(5 * SECOND);
    let (_, document) = bench.key.clone().unwrap();
    let change = document.changes.values().next().unwrap();
    let is_taken_back =
        matches!(&change.phase, RolePhase::Demoting { node: name, .. } if *name == node("c"));
    assert!(is_taken_back, "{change:?}");
    bench.pass(2 * ROLE_LEASE);
    assert_eq!(bench.holders().0, "b");
    let Err(Refusal::Undone(reason)) = &bench.answers[0].1 else {
        panic!("{:?}", bench.answers);
    };
    assert_eq!(reason, "c: it sends no heartbeats");
}

#[test]
fn generations_go_on_where_the_key_was_set_back_under_the_same_dispatcher() {
    let mut bench = Bench::led();
    let old = bench.key.clone();
    bench.order(1, set("leader", "c"));
    bench.pass(4 * SECOND);
    let (_, newest) = bench.key.clone().unwrap();
    bench.key = old;
    // The next step detects it.
    bench.order(2, Order::Drain(node("a")));
    bench.pass(SECOND);
    let (_, document) = bench.key.clone().unwrap();
    assert_eq!(document.epoch, newest.epoch);
    assert!(document.generation > newest.generation);
}

#[test]
fn a_holder_that_fails_under_its_role_is_replaced() {
    let mut bench = Bench::led();
    let b = bench.puppet("b");
    b.report.roles.clear();
    b.listens = false;
    bench.pass(30 * SECOND);
    assert_eq!(bench.holders().0, "a");
}

#[test]
fn nobody_acts_for_a_new_dispatcher_before_its_epoch_is_stored() {
    let mut bench = Bench::led();
    bench.order(1, set("leader", "a"));
    bench.puppet("a").listens = false;
    bench.pass(SECOND);
    bench.writes = vec![Written::Conflict; 3];
    bench.told.clear();
    bench.take_over(2);
    assert!(bench.told.is_empty());
    bench.pass(SECOND);
    let is_new = |(_, assignment): &(NodeId, RoleAssignment)| assignment.epoch.get() == 2;
    assert!(!bench.told.is_empty() && bench.told.iter().all(is_new));
    bench.puppet("a").listens = true;
    bench.pass(5 * SECOND);
    assert_eq!(
        bench.holders(),
        ("a".to_owned(), "b".to_owned()),
        "it is finished"
    );
}

#[test]
fn what_a_former_dispatcher_may_have_granted_is_waited_for() {
    let mut bench = Bench::led();
    bench.puppet("b").listens = false;
    bench.order(1, set("leader", "a"));
    bench.pass(SECOND);
    bench.take_over(2);
    bench.pass(ROLE_LEASE - SECOND);
    let (_, document) = bench.key.clone().unwrap();
    let change = document.changes.values().next().unwrap();
    assert!(matches!(change.phase, RolePhase::Demoting { .. }));
    bench.pass(4 * SECOND);
    assert_eq!(bench.holders().0, "a");
}

#[test]
fn when_the_document_is_lost_nobody_acts_until_all_leases_are_over() {
    let mut bench = Bench::led();
    bench.key = None;
    bench.take_over(2);
    bench.pass(ROLE_LEASE);
    assert_eq!(bench.holders(), (String::new(), String::new()));
    bench.pass(5 * SECOND);
    assert_eq!(bench.holders(), ("b".to_owned(), "a".to_owned()));
}

#[test]
fn a_document_that_was_set_back_makes_no_second_leader() {
    let mut bench = Bench::led();
    let old = bench.key.clone();
    bench.order(1, set("leader", "c"));
    bench.pass(Duration::from_secs(4));
    assert_eq!(bench.holders().0, "c");
    // The key is as it was when b led; c leads anyway, and receives nothing.
    bench.key = old;
    bench.puppet("c").listens = false;
    bench.take_over(2);
    let is_told = |bench: &Bench| {
        let mut told = bench.told.iter();
        told.any(|(name, told)| *name == node("b") && told.roles.contains(&role("leader")))
    };
    bench.told.clear();
    bench.pass(ROLE_LEASE);
    assert!(!is_told(&bench));
    bench.pass(4 * SECOND);
    assert!(is_told(&bench));
}

#[test]
fn a_write_of_unknown_outcome_is_found_or_repeated() {
    for written in [Written::Unknown, Written::Conflict] {
        let mut bench = Bench::led();
        let (_, before) = bench.key.clone().unwrap();
        bench.writes.push(written);
        bench.order(1, set("leader", "c"));
        bench.pass(3 * SECOND);
        assert_eq!(bench.holders().0, "c", "{written:?}");
        let (_, after) = bench.key.clone().unwrap();
        assert_eq!(after.generation, before.generation + 3, "{written:?}");
    }
}

#[test]
fn a_later_dispatchers_document_ends_the_work() {
    let mut bench = Bench::led();
    let (revision, mut document) = bench.key.clone().unwrap();
    document.epoch = Epoch::new(2);
    document.generation += 1;
    bench.key = Some((revision + 1, document));
    bench.order(1, set("leader", "a"));
    bench.pass(SECOND);
    assert_eq!(bench.answers, [(1, Err(Refusal::NotLeading))]);
    let (ours, found) = (Epoch::new(1), Epoch::new(2));
    assert!(bench.events.contains(&Event::Overtaken { ours, found }));
    bench.told.clear();
    bench.lead(1);
    bench.pass(5 * SECOND);
    assert!(bench.told.is_empty());
}

#[test]
fn after_the_own_lease_nobody_is_notified_of_anything() {
    let mut bench = Bench::new();
    let until = bench.now.time + SECOND;
    let epoch = Epoch::new(1);
    bench.input(Input::Lead { epoch, until });
    bench.pass(SECOND);
    bench.pass(20 * SECOND);
    assert!(bench.told.is_empty());
    assert_eq!(bench.holders(), (String::new(), String::new()));
    bench.lead(1);
    bench.pass(8 * SECOND);
    assert_eq!(bench.holders().0, "b");
}

#[test]
fn a_role_that_was_not_given_is_stripped_and_reported_once() {
    let mut bench = Bench::led();
    let c = bench.puppet("c");
    c.report.roles = vec![role("leader"), role("own")];
    c.listens = false;
    bench.pass(5 * SECOND);
    let reported = [role("leader"), role("own")];
    let effective = bench.coordinator.effective_roles(&node("c"), &reported);
    assert_eq!(effective, [role("own")]);
    assert_eq!(
        bench.coordinator.effective_roles(&node("b"), &reported),
        reported
    );
    let claimed = Event::Claimed {
        node: node("c"),
        role: role("leader"),
    };
    assert_eq!(bench.events, [claimed]);
    assert_eq!(bench.coordinator.claim_count(), 1);
}

#[test]
fn a_node_that_has_seen_a_later_epoch_gets_no_command() {
    let mut bench = Bench::led();
    bench.puppet("c").report.epoch = Epoch::new(9);
    bench.pass(SECOND);
    let ahead = |event: &Event| matches!(event, Event::EpochAhead { seen, .. } if seen.get() == 9);
    assert_eq!(bench.events.iter().filter(|event| ahead(event)).count(), 1);
    bench.order(1, set("leader", "c"));
    assert!(matches!(bench.answers[0].1, Err(Refusal::Unfit { .. })));
    bench.puppet("b").report.epoch = Epoch::new(9);
    bench.pass(SECOND);
    bench.told.clear();
    bench.pass(5 * SECOND);
    let is_told = |name: &str| bench.told.iter().any(|(told, _)| *told == node(name));
    assert!(is_told("a") && !is_told("b"), "{:?}", bench.told);
}
