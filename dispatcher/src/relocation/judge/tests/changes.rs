//! Tests of recent changes of a role, which make the next one more expensive or forbid it.

use super::*;

#[test]
fn each_recent_change_makes_the_next_one_dearer() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    group
        .judge
        .changes
        .add(group.now(), Duration::from_secs(40));
    group
        .judge
        .changes
        .add(group.now(), Duration::from_secs(40));
    group
        .judge
        .changes
        .add(group.now(), Duration::from_secs(40));
    for _ in 0..12 {
        group.tick();
    }
    let verdict = group.tick();
    let assessment = verdict.assessment();
    assert!(assessment.recent_changes > 2.0);
    assert!(assessment.needed_s > 10.0 && assessment.needed_s <= 40.0);
}

#[test]
fn the_last_changes_of_an_hour_are_kept_for_what_lasts() {
    let needed_s = |made: usize| {
        let mut group = Group::calm();
        group.resume(made, Duration::from_secs(3000));
        group.loads[0] = 1.0;
        group.tick();
        group.tick().assessment().needed_s
    };
    assert_eq!(needed_s(3), needed_s(0));
    assert!(needed_s(4) > 1.9 * needed_s(3));
    assert!(needed_s(5) > 1.9 * needed_s(4));
}

#[test]
fn a_long_change_raises_what_the_next_one_must_be_worth() {
    let mut group = Group::calm();
    let change = Change {
        length: Duration::from_secs(60),
        ..group.change(Purpose::Return, 1, 0, Duration::ZERO)
    };
    group.judge.record(group.now(), &change);
    assert_eq!(group.tick().assessment().change_s, 60.0);
}

#[test]
fn nothing_moves_within_the_cool_down_or_beyond_the_bound() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    group.resume(1, Duration::ZERO);
    assert_eq!(group.go_on(6), None);
    assert_eq!(objection(&group.tick()), Some(Objection::CoolDown));
    group.resume(6, Duration::from_secs(1000));
    assert_eq!(group.go_on(600), None);
    assert_eq!(objection(&group.tick()), Some(Objection::TooManyChanges));
}
