//! Tests of how a status is cut into pages.

use std::num::NonZeroU32;

use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::time::{Now, WallTime};
use rolecast_common::unit::Resources;
use rolecast_common::wire::{
    Counters, Distrust, DistrustKind, ForecastMode, RefusedSender, Totals, Trouble, VERSION, encode,
};

use super::*;
use crate::fleet::tests::{beat, fleet};

const LEN_MAX: usize = 1024 * 1024;
const BOTH: [Encoding; 2] = [Encoding::MessagePack, Encoding::Json];

fn status(nodes: &[&str]) -> Status {
    let mut fleet = fleet();
    for name in nodes {
        let beat = beat(name, "a", 1);
        fleet.take(Now::default(), &beat.node, &beat).unwrap();
    }
    let now = Now::default();
    Status {
        v: VERSION,
        dispatcher: "main".to_owned(),
        epoch: Default::default(),
        at_ms: now.wall,
        forecast_mode: ForecastMode::On,
        totals: Totals::default(),
        nodes: fleet.nodes().map(|n| fleet.status(now.time, n)).collect(),
        roles: Vec::new(),
        categories: Vec::new(),
        counters: Counters::default(),
        dispatchers: Vec::new(),
        nats: None,
        vacant: Vec::new(),
        troubles: Vec::new(),
        is_lapsed: false,
        unread: None,
        dead_letters: None,
        refused: Vec::new(),
        next: None,
    }
}

/// A fleet of nodes n0000, n0001 and so on.
fn fleet_of(count: usize) -> Status {
    let names: Vec<String> = (0..count).map(|n| format!("n{n:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    status(&names)
}

fn role(name: &str) -> RoleStatus {
    RoleStatus {
        role: Role::new(name).unwrap(),
        nodes: 1,
        shortage: Resources::default(),
        at_horizon_s: None,
    }
}

fn category(name: &str) -> CategoryStatus {
    CategoryStatus {
        category: Category::new(name).unwrap(),
        declared: true,
        roles: Vec::new(),
        backlog: 0,
        waiting: 0,
        running: 0,
        nodes_eligible: 0,
        oldest_ms: None,
        late: false,
        completed: 0,
        retried: 0,
        dead: 0,
        expired: 0,
        cancelled: 0,
        profile: Default::default(),
        expected_per_minute: None,
        obstacles: Default::default(),
        required: Default::default(),
        dead_letters: None,
        is_cut: false,
    }
}

fn node(name: &str) -> StatusCursor {
    StatusCursor::Node(NodeId::new(name).unwrap())
}

fn asked(after: Option<StatusCursor>, limit: Option<u32>) -> StatusRequest {
    StatusRequest {
        after,
        limit: limit.and_then(NonZeroU32::new),
        ..StatusRequest::first()
    }
}

/// Cuts a page, and checks that it fits.
fn cut(whole: &Status, asked: &StatusRequest, encoding: Encoding, len_max: usize) -> Status {
    let page = page(whole, asked, encoding, len_max);
    let len = encode(encoding, &page).len();
    assert!(len <= len_max, "{len} > {len_max}");
    page
}

fn names(status: &Status) -> Vec<&str> {
    status.nodes.iter().map(|node| node.node.as_str()).collect()
}

/// Reads page after page; returns all their entries and the number of pages.
fn read_all(
    whole: &Status,
    limit: Option<u32>,
    encoding: Encoding,
    len_max: usize,
) -> (Status, usize) {
    let mut all = cut(whole, &asked(None, limit), encoding, len_max);
    for count in 1.. {
        let Some(next) = all.next.take() else {
            return (all, count);
        };
        let page = cut(whole, &asked(Some(next.clone()), limit), encoding, len_max);
        assert!(page.next.as_ref().is_none_or(|after| *after > next));
        all.categories.extend(page.categories);
        all.roles.extend(page.roles);
        all.nodes.extend(page.nodes);
        all.next = page.next;
    }
    unreachable!("each page goes on after the one before")
}

#[test]
fn an_empty_fleet_is_one_page_without_a_next() {
    let whole = status(&[]);
    for encoding in BOTH {
        assert_eq!(cut(&whole, &asked(None, None), encoding, LEN_MAX), whole);
        let beyond = asked(Some(node("n1")), Some(1));
        assert_eq!(cut(&whole, &beyond, encoding, LEN_MAX), whole);
    }
}

#[test]
fn as_many_nodes_as_are_asked_for_are_given_and_a_last_page_has_no_next() {
    let whole = status(&["a", "b", "c", "d"]);
    let page = |after, limit| cut(&whole, &asked(after, Some(limit)), Encoding::Json, LEN_MAX);
    let first = page(None, 3);
    assert_eq!(
        (names(&first), &first.next),
        (vec!["a", "b", "c"], &Some(node("c")))
    );
    let last = page(Some(node("c")), 3);
    assert_eq!((names(&last), &last.next), (vec!["d"], &None));
    // Exactly as many as exist.
    let last = page(Some(node("b")), 2);
    assert_eq!((names(&last), &last.next), (vec!["c", "d"], &None));
    assert_eq!(page(None, 4), whole);
}

#[test]
fn without_a_limit_a_page_is_far_from_the_limit_of_a_message() {
    let whole = fleet_of(2 * NODES_DEFAULT);
    for encoding in BOTH {
        let page = cut(&whole, &asked(None, None), encoding, LEN_MAX / 2);
        assert_eq!(page.nodes.len(), NODES_DEFAULT);
        assert_eq!(
            read_all(&whole, None, encoding, LEN_MAX),
            (whole.clone(), 2)
        );
    }
}

#[test]
fn a_limit_that_is_too_large_is_lowered_to_what_fits_the_message() {
    let whole = fleet_of(300);
    for encoding in BOTH {
        for len_max in [3_000, 5_000, 20_000] {
            let (all, count) = read_all(&whole, Some(u32::MAX), encoding, len_max);
            assert_eq!(all, whole);
            // No page had room for another node of this size.
            let node_len = encoded_len(encoding, &whole.nodes[0]);
            let least = 300 * node_len / len_max;
            assert!(count >= least && count <= 2 * least + 2, "{count} {least}");
        }
    }
}

#[test]
fn a_page_is_filled_to_its_last_byte() {
    let whole = fleet_of(20);
    for encoding in BOTH {
        let entries: usize = whole
            .nodes
            .iter()
            .map(|n| encoded_len(encoding, n) + SEPARATOR_LEN)
            .sum();
        let frame = encoded_len(encoding, &overview(&whole, encoding, LEN_MAX)) + FRAME_LEN;
        let limit = Some(u32::MAX);
        let page = cut(&whole, &asked(None, limit), encoding, frame + entries);
        assert_eq!((page.nodes.len(), page.next), (20, None));
        let page = cut(&whole, &asked(None, limit), encoding, frame + entries - 1);
        assert_eq!((page.nodes.len(), page.next), (19, Some(node("n0018"))));
    }
}

#[test]
fn a_node_that_goes_or_comes_between_two_pages_costs_no_other_its_place() {
    let before = status(&["a", "b", "c", "d", "e"]);
    let first = cut(&before, &asked(None, Some(2)), Encoding::Json, LEN_MAX);
    assert_eq!(names(&first), ["a", "b"]);
    // The node of the cursor has gone; one joined before it, and one after it.
    let after = status(&["a", "aa", "c", "ca", "d", "e"]);
    let second = cut(
        &after,
        &asked(first.next, Some(10)),
        Encoding::Json,
        LEN_MAX,
    );
    assert_eq!(names(&second), ["c", "ca", "d", "e"]);
}

#[test]
fn categories_and_roles_come_before_nodes_and_are_paged_too() {
    let mut whole = fleet_of(3);
    let numbered = |n: usize| format!("x{n:03}");
    whole.categories = (0..40).map(|n| category(&numbered(n))).collect();
    whole.roles = (0..40).map(|n| role(&numbered(n))).collect();
    for encoding in BOTH {
        assert_eq!(cut(&whole, &asked(None, None), encoding, LEN_MAX), whole);
        let (all, count) = read_all(&whole, None, encoding, 3_000);
        assert_eq!(all, whole);
        assert!(count > 5, "{count}");
        let first = cut(&whole, &asked(None, Some(1)), encoding, 3_000);
        assert!(matches!(first.next, Some(StatusCursor::Category(_))));
        assert!(first.roles.is_empty() && first.nodes.is_empty());
        let nodes = cut(&whole, &asked(Some(node("n0000")), None), encoding, LEN_MAX);
        assert!(nodes.categories.is_empty() && nodes.roles.is_empty());
        assert_eq!(names(&nodes), ["n0001", "n0002"]);
    }
}

#[test]
fn a_node_that_is_larger_than_a_page_loses_its_lists_and_nothing_else() {
    let mut whole = status(&["a", "huge", "z"]);
    let doubt = Distrust {
        category: Category::new("ocr").unwrap(),
        kind: DistrustKind::Failing,
        since_ms: WallTime::default(),
        reason: "\"".repeat(1000),
        failed_in_row: 3,
        pause_ms: 1000,
    };
    whole.nodes[1].distrusted = vec![doubt; 100];
    for encoding in BOTH {
        let (all, count) = read_all(&whole, None, encoding, 50_000);
        let mut expected = whole.clone();
        expected.nodes[1].drop_lists();
        assert!(expected.nodes[1].is_cut);
        assert_eq!((all, count), (expected, 1));
        // If it fits, it has a page of its own with all its lists.
        let (all, _) = read_all(&whole, None, encoding, LEN_MAX);
        assert_eq!(all, whole);
    }
}

#[test]
fn what_is_shown_on_each_page_takes_half_of_it_at_most() {
    let mut whole = status(&["a", "b"]);
    let trouble = Trouble {
        what: "stream ROLECAST_JOBS".to_owned(),
        why: "x".repeat(1000),
        remedy: String::new(),
        since_ms: WallTime::default(),
        count: 1,
    };
    let sender = RefusedSender {
        from: "n1".to_owned(),
        count: 1,
        why: "y".repeat(300),
        at_ms: WallTime::default(),
    };
    whole.troubles = vec![trouble; 64];
    whole.refused = vec![sender; 16];
    for encoding in BOTH {
        assert_eq!(cut(&whole, &asked(None, None), encoding, LEN_MAX), whole);
        let page = cut(&whole, &asked(None, None), encoding, 20_000);
        assert!(page.refused.is_empty() && (3..10).contains(&page.troubles.len()));
        assert_eq!(page.nodes, whole.nodes);
    }
}
