//! Tests of failback: a role returns to the node that it was taken from.

use super::*;

#[test]
fn the_former_holder_gets_the_role_back_after_a_term() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    let to = group.moved(120).unwrap();
    group.go_on(60);
    group.loads[0] = 0.2;
    let before = group.second;
    let Some(Verdict::Restore { to: home, .. }) = group.go_on(3000) else {
        panic!("it stays on {to}");
    };
    assert_eq!(home.as_str(), "n0");
    assert!(group.second - before >= 600);
}

#[test]
fn a_former_holder_with_a_doubtful_forecast_waits() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    group.moved(120).unwrap();
    group.loads[0] = 0.2;
    group.ahead[0] = 0.9;
    assert_eq!(group.go_on(5000), None);
    group.ahead[0] = 0.3;
    assert_eq!(group.moved(5), Some(0));
    assert_eq!(group.go_on(5000), None);
}

#[test]
fn a_role_that_somebody_else_moved_is_not_brought_back() {
    let mut group = Group::calm();
    group.holder = 3;
    assert_eq!(group.go_on(5000), None);
}

#[test]
fn a_successor_restores_what_its_predecessor_moved() {
    let ago = Duration::from_secs(500);
    let mut group = Group::calm();
    let moved = group.change(Purpose::Relief, 2, 0, ago);
    group.judge.resume(group.now(), [moved]);
    assert_eq!(group.go_on(60), None);
    assert_eq!(group.moved(60), Some(2));
    // The node that had it before all of them.
    let mut group = Group::calm();
    let moved = [
        group.change(Purpose::Relief, 2, 1, ago),
        group.change(Purpose::Relief, 1, 0, ago),
    ];
    group.judge.resume(group.now(), moved);
    assert_eq!(group.moved(600), Some(2));
    // Not if it was given back, or an operator moved it since, or the change failed.
    for purpose in [Purpose::Return, Purpose::Other] {
        let mut group = Group::calm();
        let changes = [
            group.change(Purpose::Relief, 2, 1, ago),
            group.change(purpose, 1, 0, ago),
        ];
        group.judge.resume(group.now(), changes);
        assert_eq!(group.moved(5000), None);
    }
    let mut group = Group::calm();
    let undone = Change {
        is_done: false,
        ..group.change(Purpose::Relief, 2, 0, ago)
    };
    group.judge.resume(group.now(), [undone]);
    assert_eq!(group.moved(5000), None);
}
