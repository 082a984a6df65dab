//! A fault for each finding about the dispatchers beside the leader.

use rolecast_common::wire::{DispatcherState, DispatcherStatus};

use super::healthy::{change_dispatchers, change_server, change_status, change_stream, healthy};
use super::{CONTROL, Spoil, ids};
use crate::doctor::facts::{Answer, Facts, Found, Lead, Part, is_changing};
use crate::doctor::{check, is_settling};

pub(super) const CASES: &[(&str, Spoil)] = &[
    ("nobody-leads", |facts| {
        change_dispatchers(facts, |found| {
            found.remove(0);
        });
        let unknown = healthy_without_dispatcher();
        *facts = Facts {
            dispatchers: facts.dispatchers.clone(),
            ..unknown
        };
    }),
    ("leaders-many", |facts| {
        change_dispatchers(facts, |found| found[1].is_leader = true);
        signs(facts, |signs| signs[1].state = DispatcherState::Leads);
    }),
    ("standby-lost", |facts| {
        change_dispatchers(facts, |found| found.truncate(1));
        signs(facts, |signs| signs[1].state = DispatcherState::Silent);
    }),
    ("dispatcher-versions", |facts| {
        change_dispatchers(facts, |found| found[1].version = "0.0.9".to_owned());
    }),
    ("standby-none", |facts| {
        change_dispatchers(facts, |found| found.truncate(1));
        signs(facts, |signs| signs.truncate(1));
        change_server(facts, |server| server.cluster = Some("east".to_owned()));
        change_stream(facts, super::JOBS, |jobs| {
            jobs.replicas = 3;
            jobs.leader = Some("s1".to_owned());
        });
    }),
    ("clock-skew-standby", |facts| {
        change_dispatchers(facts, |found| {
            found[1].lead = Some(Lead {
                millis: -30_000,
                unsure_millis: 2,
            });
        });
    }),
];

fn signs(facts: &mut Facts, change: impl FnOnce(&mut Vec<DispatcherStatus>)) {
    change_status(facts, |status| change(&mut status.dispatchers));
}

/// Returns the facts if nobody answers for the leader.
fn healthy_without_dispatcher() -> Facts {
    let why = || "no dispatcher answers".to_owned();
    Facts {
        fleet: Part::Known(Answer::Nobody),
        roles: Part::Unknown(why()),
        forecasts: Part::Unknown(why()),
        ..healthy()
    }
}

#[test]
fn one_dispatcher_on_one_server_is_in_order() {
    let mut facts = healthy();
    change_dispatchers(&mut facts, |found| found.truncate(1));
    signs(&mut facts, |signs| signs.truncate(1));
    assert!(ids(&facts).is_empty(), "{:?}", check(&facts));
}

#[test]
fn one_of_two_with_the_same_name_that_does_not_answer_is_found() {
    let mut facts = healthy();
    change_dispatchers(&mut facts, |found| found[1].name = "d1".to_owned());
    signs(&mut facts, |signs| signs[1].name = "d1".to_owned());
    assert!(ids(&facts).is_empty());
    change_dispatchers(&mut facts, |found| found.truncate(1));
    assert!(ids(&facts).contains("standby-lost"));
}

#[test]
fn a_leader_that_takes_no_request_is_silent_and_not_missing() {
    let mut facts = healthy_without_dispatcher();
    assert!(ids(&facts).contains("dispatcher-silent"));
    change_dispatchers(&mut facts, Vec::clear);
    assert!(ids(&facts).contains("dispatcher-missing"));
}

#[test]
fn what_is_missing_while_the_system_is_set_up_is_checked_again() {
    let mut facts = healthy();
    let missing = Part::Known(Found::Missing);
    facts.streams.insert(super::JOBS.to_owned(), missing);
    assert!(!is_settling(&facts, &check(&facts)));
    change_stream(&mut facts, CONTROL, |control| {
        control.times.created = control.at;
    });
    assert!(is_settling(&facts, &check(&facts)));
    // What does not pass by itself is reported at once.
    let mut lapsed = healthy();
    change_stream(&mut lapsed, CONTROL, |control| {
        control.times.created = control.at;
    });
    change_status(&mut lapsed, |status| status.is_lapsed = true);
    assert!(!is_settling(&lapsed, &check(&lapsed)));
}

#[test]
fn dispatchers_are_asked_again_while_they_change() {
    let facts = healthy();
    let is_changing_now = |facts: &Facts| is_changing(&facts.fleet, &facts.dispatchers);
    assert!(!is_changing_now(&facts));
    let mut taken_over = facts.clone();
    change_dispatchers(&mut taken_over, |found| found[1].is_leader = true);
    assert!(is_changing_now(&taken_over));
    let mut starting = facts;
    change_dispatchers(&mut starting, |found| found.truncate(1));
    assert!(is_changing_now(&starting));
    let mut gone = healthy_without_dispatcher();
    assert!(is_changing_now(&gone));
    change_dispatchers(&mut gone, Vec::clear);
    assert!(!is_changing_now(&gone));
}
