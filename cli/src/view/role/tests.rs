//! Tests of the views of managed roles.

use std::collections::{BTreeMap, BTreeSet};

use rolecast_common::id::{Epoch, Group};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{Figures, RoleDocument, VERSION, Why};

use super::order::{drained, moved, undrained};
use super::*;

#[test]
fn a_fleet_in_order_is_a_table_and_no_more() {
    let view = view(&["n1"], &["n2"]);
    let expected = "\
ROLE    GROUP    HOLDERS  WANTED  COULD           CHANGE  SINCE  WHY
backup  default  n2            1  n1, n2, n3, n4  -       -      -
leader  default  n1            1  n1, n2          -       -      -
";
    assert_eq!(list(&view, false, Palette::PLAIN), expected);
}

#[test]
fn a_change_under_way_is_reported_with_who_still_acts() {
    let mut view = view(&[], &["n2"]);
    acting(&mut view, "leader", &["n1"]);
    let mut change = change("leader", Some("n1"), demoting("n1", "n2"));
    change.why = Why::Bottleneck {
        figures: Figures::new([("benefit_core_s", 41.0)]),
    };
    begin(&mut view, change);
    let text = list(&view, false, Palette::PLAIN);
    let line = "leader  default  n1 (still acting)       1  n1, n2          \
                demoting, n1 -> n2  1970-01-01T00:00:09.000Z  bottleneck\n";
    assert!(text.ends_with(line), "{text}");
    let mut change = view.document.changes.pop_first().unwrap().1;
    change.phase = promoting("n2");
    change.trouble = Some("n3: hook\nfailed".to_owned());
    begin(&mut view, change);
    acting(&mut view, "leader", &["n2"]);
    let text = list(&view, false, Palette::PLAIN);
    for part in [
        "n2 (acting, not confirmed)",
        "promoting, n1 -> n2",
        "\n! role leader: n3: hook failed (since 1970-01-01T00:00:09.000Z); see rolecast role ls --v",
    ] {
        assert!(text.contains(part), "{part:?} not in {text}");
    }
    assert!(!text.contains("of 1 holders"), "{text}");
}

#[test]
fn holders_that_are_missing_or_not_as_assigned_are_marked() {
    let mut view = view(&["n1"], &[]);
    acting(&mut view, "leader", &["n9"]);
    view.document.drained = BTreeSet::from([node("n7"), node("n8")]);
    let leader = view.roles.get_mut(&role("leader")).unwrap();
    leader.holders_wanted = 2;
    leader.offered_by = vec![node("n1")];
    leader.judgement = Figures::new([("regret_s", 2.5)]);
    let backup = view.roles.get_mut(&role("backup")).unwrap();
    backup.offered_by.push(node("n5"));
    let text = list(&view, false, Palette::PLAIN);
    for part in [
        "leader  default  n1 (not acting), n9 (acting, not a holder)",
        "backup  default  nobody",
        "  5 nodes  ",
        "\n\nleader: regret 2.5 s\ndrained: n7, n8; rolecast node undrain ends it\n",
        "\n! role leader: 1 of 2 holders; more nodes must offer it: offers = [\"leader\"] in worker.toml\n",
        "\n! role backup: 0 of 1 holders; see rolecast role history --role backup\n",
    ] {
        assert!(text.contains(part), "{part:?} not in {text}");
    }
    assert!(list(&view, false, Palette::new(true)).contains("\x1b["));
}

#[test]
fn where_nothing_is_managed_it_is_shown_how_to_begin() {
    let mut view = view(&[], &[]);
    view.roles.clear();
    let text = list(&view, false, Palette::PLAIN);
    assert!(text.contains("[roles.leader] holders = 1"), "{text}");
    assert!(!text.contains("WANTED"), "{text}");
}

#[test]
fn an_order_reports_everybody_whose_roles_it_changed() {
    let (leader, before) = (role("leader"), view(&["n1"], &["n2"]));
    let line =
        |to: &str, after: &RolesView| moved(&leader, &node(to), &before, after, Palette::PLAIN);
    assert_eq!(
        line("n2", &view(&["n2"], &["n1"])),
        "backup n2 holds leader now, n1 holds backup\n"
    );
    let mut under_way = view(&["n2"], &[]);
    begin(&mut under_way, change("backup", None, promoting("n1")));
    assert_eq!(
        line("n2", &under_way),
        "backup n2 holds leader now, n1 is taking on backup\n"
    );
    assert_eq!(
        line("n3", &view(&["n3"], &["n2"])),
        "n3 holds leader now, n1 holds no managed role\n"
    );
    assert_eq!(line("n1", &before), "n1 holds leader, as before\n");
    assert!(line("n3", &before).contains("has lost it since"));
}

#[test]
fn roles_of_another_group_do_not_take_part_in_an_order() {
    let searcher = |holder: &str, mut view: RolesView| {
        let mut managed = view.roles[&role("leader")].clone();
        managed.group = Group::new("search").unwrap();
        view.roles.insert(role("searcher"), managed);
        let holders = vec![node(holder)];
        view.document.roles.insert(role("searcher"), holders);
        view
    };
    let before = searcher("n3", view(&["n1"], &["n2"]));
    let after = searcher("n2", view(&["n2"], &["n1"]));
    assert_eq!(
        moved(
            &role("leader"),
            &node("n2"),
            &before,
            &after,
            Palette::PLAIN
        ),
        "backup n2 holds leader now, n1 holds backup\n"
    );
}

#[test]
fn a_drained_node_is_reported_with_the_roles_it_has_left() {
    let mut view = view(&["n1"], &["n2"]);
    assert_eq!(
        drained(&node("n1"), &view, &view, Palette::PLAIN),
        "n1 gets no more jobs and no managed roles and is giving up leader: see rolecast role ls\n"
    );
    assert_eq!(
        drained(&node("n3"), &view, &view, Palette::PLAIN),
        "n3 gets no more jobs and no managed roles\n"
    );
    assert_eq!(
        undrained(&node("n3"), &view, Palette::PLAIN),
        "n3 was not drained: nothing changes\n"
    );
    view.document.drained = BTreeSet::from([node("n3")]);
    assert_eq!(
        undrained(&node("n3"), &view, Palette::PLAIN),
        "n3 may have jobs and managed roles again\n"
    );
    assert_eq!(
        drained(&node("n3"), &view, &view, Palette::PLAIN),
        "n3 was drained already\n"
    );
}

/// A leader and a backup, with their holders and the nodes that act in them.
fn view(leaders: &[&str], backups: &[&str]) -> RolesView {
    let managed = |holders: &[&str], offered_by: &[&str]| ManagedRole {
        group: Group::new("default").unwrap(),
        holders_wanted: 1,
        acting: nodes(holders),
        offered_by: nodes(offered_by),
        acting_left_out: 0,
        offered_left_out: 0,
        judgement: Figures::default(),
    };
    RolesView {
        v: VERSION,
        epoch: Epoch::new(3),
        roles: BTreeMap::from([
            (role("leader"), managed(leaders, &["n1", "n2"])),
            (role("backup"), managed(backups, &["n1", "n2", "n3", "n4"])),
        ]),
        document: RoleDocument {
            v: VERSION,
            epoch: Epoch::new(3),
            generation: 12,
            roles: BTreeMap::from([
                (role("leader"), nodes(leaders)),
                (role("backup"), nodes(backups)),
            ]),
            changes: BTreeMap::new(),
            history: Vec::new(),
            drained: BTreeSet::new(),
        },
        drained_left_out: 0,
    }
}

fn change(name: &str, from: Option<&str>, phase: RolePhase) -> RoleChange {
    RoleChange {
        role: role(name),
        phase,
        generation: 12,
        from: from.map(node),
        target: None,
        came_from: None,
        why: Why::Swap,
        began_ms: WallTime::from_millis(8000),
        since_ms: WallTime::from_millis(9000),
        trouble: None,
    }
}

fn demoting(from: &str, to: &str) -> RolePhase {
    RolePhase::Demoting {
        node: node(from),
        to: Some(node(to)),
    }
}

fn promoting(to: &str) -> RolePhase {
    RolePhase::Promoting { node: node(to) }
}

fn begin(view: &mut RolesView, change: RoleChange) {
    let group = Group::new("default").unwrap();
    view.document.changes.insert(group, change);
}

fn acting(view: &mut RolesView, name: &str, names: &[&str]) {
    let managed = view.roles.get_mut(&role(name)).unwrap();
    managed.acting = nodes(names);
}

fn nodes(names: &[&str]) -> Vec<NodeId> {
    names.iter().copied().map(node).collect()
}

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}
