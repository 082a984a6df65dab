//! Tests of the node that a role moves to.

use super::*;

#[test]
fn a_node_that_is_silent_is_no_target() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    group.silent = [false, true, true, true, false];
    group.second += 3;
    assert_eq!(group.moved(120), Some(4));
}

#[test]
fn a_target_needs_room_for_the_whole_role_over_its_last_minute() {
    let mut group = Group::calm();
    // The first is full, the second was until now, the third has too little.
    group.loads = [0.2, 0.2, 0.8, 0.45, 0.2];
    assert_eq!(group.go_on(40), None);
    group.loads = [1.0, 0.8, 0.1, 0.45, 0.2];
    assert_eq!(group.moved(8).or_else(|| group.moved(60)), Some(4));
}

#[test]
fn equals_are_distinguished_by_the_room_that_is_forecast() {
    let mut group = Group::calm();
    group.ahead = [0.3, 0.6, 0.5, 0.2, 0.6];
    group.loads[0] = 1.0;
    assert_eq!(group.moved(120), Some(3));
}

#[test]
fn with_no_candidate_nothing_moves() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    for _ in 0..120 {
        group.tick();
        let (now, holder) = (group.now(), group.names[0].clone());
        for candidates in [vec![], vec![holder.clone()]] {
            let verdict = group.judge.decide(now, &holder, &candidates);
            assert!(matches!(verdict, Verdict::Keep(_)), "{verdict:?}");
        }
        // Only requested, never done.
        group.judge.changes = Changes::default();
    }
}
