//! Tests of the orders of an operator, and of the moves that the judge asks for.

use rolecast_common::wire::{Figures, Why};

use super::super::*;
use super::bench::{Bench, node, role};
use super::{SECOND, set};

#[test]
fn an_order_swaps_leader_and_backup_and_is_answered() {
    let mut bench = Bench::led();
    bench.order(1, set("leader", "a"));
    assert!(bench.answers.is_empty());
    bench.order(2, set("leader", "c"));
    let role = role("leader");
    assert_eq!(bench.answers, [(2, Err(Refusal::Busy { role }))]);
    bench.pass(3 * SECOND);
    assert_eq!(bench.holders(), ("a".to_owned(), "b".to_owned()));
    assert_eq!(bench.answers[1], (1, Ok(())));
    let story = [
        "leader Demoting  node: b, to: Some(a) ",
        "leader Promoting  node: a ",
        "leader Done Operator",
        "backup Promoting  node: b ",
        "backup Done Swap",
    ];
    assert_eq!(bench.story(), story);
}

#[test]
fn a_drained_node_gives_its_roles_up_and_gets_none() {
    let mut bench = Bench::led();
    bench.order(1, Order::Drain(node("b")));
    bench.pass(5 * SECOND);
    assert_eq!(bench.holders(), ("a".to_owned(), "c".to_owned()));
    assert!(bench.coordinator.is_drained(&node("b")));
    bench.order(2, Order::Drain(node("c")));
    bench.pass(5 * SECOND);
    assert_eq!(bench.holders(), ("a".to_owned(), String::new()));
    let is_vacant = |event: &Event| matches!(event, Event::Vacant { missing: 1, .. });
    assert_eq!(
        bench.events.iter().filter(|event| is_vacant(event)).count(),
        1
    );
    bench.order(3, Order::Undrain(node("b")));
    bench.pass(5 * SECOND);
    assert_eq!(bench.holders(), ("a".to_owned(), "b".to_owned()));
    assert_eq!(bench.answers, [(1, Ok(())), (2, Ok(())), (3, Ok(()))]);
    let filled = Event::Filled {
        role: role("backup"),
    };
    assert!(bench.events.contains(&filled));
}

#[test]
fn an_order_that_changes_nothing_is_answered_at_once() {
    let mut bench = Bench::led();
    bench.order(1, Order::Drain(node("b")));
    bench.pass(5 * SECOND);
    let stored = bench.key.clone();
    bench.order(2, Order::Drain(node("b")));
    bench.order(3, Order::Undrain(node("nosuch")));
    bench.order(4, set("leader", "a"));
    let answered: Vec<u64> = bench.answers.iter().map(|(id, _)| *id).collect();
    assert_eq!(answered, [1, 2, 3, 4]);
    assert!(bench.answers.iter().all(|(_, result)| result.is_ok()));
    assert_eq!(bench.key, stored, "nothing was stored for it");
    // Behind an order that is not carried out yet it waits its turn.
    bench.order(5, Order::Undrain(node("b")));
    bench.order(6, Order::Undrain(node("b")));
    bench.pass(5 * SECOND);
    assert!(!bench.coordinator.is_drained(&node("b")));
    assert_eq!(bench.answers.len(), 6);
}

#[test]
fn the_judges_moves_bring_their_figures_and_lapse_with_another_change() {
    let mut bench = Bench::led();
    let wanted = |from: &str, to: &str| Move {
        role: role("leader"),
        from: node(from),
        to: node(to),
        why: Why::Bottleneck {
            figures: Figures::new([("regret", 12.5), ("nonsense", f64::NAN)]),
        },
    };
    bench.input(Input::Move(wanted("b", "a")));
    bench.pass(3 * SECOND);
    assert_eq!(bench.holders().0, "a");
    let (_, document) = bench.key.clone().unwrap();
    let past = document
        .history
        .iter()
        .rev()
        .find(|past| past.role == role("leader"));
    let Why::Bottleneck { figures } = &past.unwrap().why else {
        panic!("{past:?}");
    };
    assert_eq!(figures.iter().collect::<Vec<_>>(), [("regret", 12.5)]);
    // A move from before a change of the group is forgotten with it.
    bench.order(1, set("backup", "c"));
    bench.input(Input::Move(wanted("a", "b")));
    bench.pass(3 * SECOND);
    assert_eq!(bench.holders(), ("a".to_owned(), "c".to_owned()));
    // Nor does a move count from a node that holds nothing.
    bench.input(Input::Move(wanted("c", "b")));
    bench.pass(3 * SECOND);
    assert_eq!(bench.holders().0, "a");
}

#[test]
fn orders_that_cannot_be_carried_out_are_refused_with_the_reason() {
    let mut bench = Bench::led();
    bench.puppet("c").report.offers = vec![role("backup")];
    bench.pass(SECOND);
    bench.order(1, set("boss", "a"));
    bench.order(2, set("leader", "c"));
    bench.order(3, Order::Drain(node("nobody")));
    let swap = Order::Swap {
        role: role("leader"),
        from: Some(node("c")),
        to: node("a"),
    };
    bench.order(4, swap);
    bench.order(5, set("leader", "b"));
    bench.pass(SECOND);
    let unfit = Refusal::Unfit {
        node: node("c"),
        role: role("leader"),
        reason: "it does not offer it".to_owned(),
    };
    let not_holder = Refusal::NotHolder {
        node: node("c"),
        role: role("leader"),
    };
    let expected = [
        (1, Err(Refusal::NotManaged(role("boss")))),
        (2, Err(unfit)),
        (3, Err(Refusal::UnknownNode(node("nobody")))),
        (4, Err(not_holder)),
        (5, Ok(())),
    ];
    assert_eq!(bench.answers, expected);
}
