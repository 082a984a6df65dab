//! Tests of the views.

use std::collections::BTreeMap;
use std::sync::Arc;

use rolecast_common::id::{Category, Role};
use rolecast_common::time::WallTime;
use rolecast_common::unit::Cores;
use rolecast_common::wire::{Distrust, DistrustKind, NodeHealth, Trouble};

use crate::ask::NAVIGATION;
use crate::samples::{full, picture, roles, status};
use crate::{Ask, Picture, Standing, render, render_main};

/// A page's weight that a reader does not feel.
const WEIGHT_MAX: usize = 200_000;

#[test]
fn a_fleet_in_order_is_calm() {
    let page = page("/", &picture(3));
    for part in [
        "all is well",
        "No alarms",
        "leads, epoch 3",
        "Backlog",
        "of 3",
        ">flows<",
    ] {
        assert!(page.contains(part), "{part:?} not in {page}");
    }
    assert!(!page.contains("class=\"alarms\""), "{page}");
    let summary = "content=\"main leads in epoch 3; all is well; backlog 4, 12 jobs ended; 3 of 3 nodes ready\"";
    assert!(page.contains(summary), "{page}");
}

#[test]
fn trouble_names_its_cause_and_the_next_command() {
    let mut picture = picture(3);
    let mut status = status(3);
    status.nodes[1].health = NodeHealth::Gone;
    status.nodes[2].distrusted = vec![Distrust {
        category: Category::new("ocr").unwrap(),
        kind: DistrustKind::Failing,
        since_ms: WallTime::from_millis(5),
        reason: "exit code 1".to_owned(),
        failed_in_row: 3,
        pause_ms: 60_000,
    }];
    status.troubles = vec![Trouble {
        what: "stream ROLECAST_JOBS".to_owned(),
        why: "it is full".to_owned(),
        remedy: "give it more room: max_bytes".to_owned(),
        since_ms: WallTime::from_millis(5),
        count: 2,
    }];
    status.categories[0].nodes_eligible = 0;
    status.categories[0].obstacles = BTreeMap::from([("not running it".to_owned(), 3)]);
    status.categories[0].dead_letters = Some(2);
    picture.status = Some(Arc::new(status));
    let page = page("/", &picture);
    for part in [
        "4 alarms, 1 warning",
        "<strong>node-0001</strong>: gone, last heartbeat 0.2 s ago",
        "fails jobs of ocr that others complete; one is tried every 1m; the last: exit code 1",
        "<code>rolecast node show node-0002</code>",
        "it is full",
        "give it more room: max_bytes",
        "4 jobs and no node runs ocr",
        "add [categories.ocr] to a worker.toml",
        "<code>rolecast dead ls --category ocr</code>",
    ] {
        assert!(page.contains(part), "{part:?} not in {page}");
    }
}

#[test]
fn text_of_others_is_shown_and_never_becomes_markup() {
    let attack = "\"><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}";
    let mut picture = full(3);
    let mut status = status(3);
    for node in &mut status.nodes {
        node.labels.insert("zone", "<b>").unwrap();
    }
    status.nodes[0].distrusted = vec![Distrust {
        category: Category::new("ocr").unwrap(),
        kind: DistrustKind::Unable,
        since_ms: WallTime::from_millis(5),
        reason: attack.to_owned(),
        failed_in_row: 1,
        pause_ms: 1,
    }];
    status.unread = Some(attack.to_owned());
    status.categories[0].obstacles = BTreeMap::from([(attack.to_owned(), 1)]);
    status.categories[0].required = BTreeMap::from([(attack.to_owned(), 1)]);
    picture.status = Some(Arc::new(status));
    picture.standing = Standing::StandingBy {
        leader: Some(attack.to_owned()),
    };
    picture.name = attack.to_owned();
    let mut roles = roles();
    let role = Role::new("leader").unwrap();
    roles.document.history[0].trouble = Some(attack.to_owned());
    roles.document.history[0].role = role;
    picture.roles = Some(Arc::new(roles));
    for address in addresses() {
        let page = page(&address, &picture);
        assert!(!page.contains("<script>"), "{address}");
        assert!(!page.contains("<img"), "{address}");
        assert!(!page.contains("<b>\""), "{address}");
    }
    let ask = Ask::parse("/nodes", "q=%22%3E%3Cscript%3E&by=%3Cscript%3E").unwrap();
    let page = render(&picture, &ask);
    assert!(
        page.contains("&quot;&gt;&lt;script&gt;") && !page.contains("<script>"),
        "{page}"
    );
    let page = render(&picture, &Ask::parse("/map", "by=zone").unwrap());
    assert!(page.contains("zone=&lt;b&gt;"), "{page}");
}

#[test]
fn nothing_is_inline_and_nothing_is_from_elsewhere() {
    for address in addresses() {
        let page = page(&address, &full(30));
        for part in [
            " style=",
            " onclick=",
            " onload=",
            "http://",
            "https://",
            "//cdn",
            "javascript:",
        ] {
            assert!(!page.contains(part), "{part:?} on {address}");
        }
        assert_eq!(page.matches("<script").count(), 1, "{address}");
    }
    for asset in crate::ASSETS {
        let content = asset.content.replace("http://www.w3.org/2000/svg", "");
        assert!(!content.contains("http"), "{}", asset.path);
        assert!(!content.contains("innerHTML"), "{}", asset.path);
    }
}

#[test]
fn nothing_is_without_a_name_for_a_screen_reader() {
    for address in addresses() {
        let page = page(&address, &full(30));
        for svg in page.split("<svg").skip(1) {
            let tag = svg.split('>').next().unwrap();
            let is_hidden = tag.contains("aria-hidden");
            let is_named = tag.contains("aria-label=") || svg.contains("<title>");
            assert!(
                is_hidden || (tag.contains("role=") && is_named),
                "{address}: <svg{tag}"
            );
        }
        for header in page
            .split("<th")
            .skip(1)
            .filter(|rest| rest.starts_with(' '))
        {
            assert!(header.starts_with(" scope="), "{address}");
        }
        assert_eq!(page.matches("<h1>").count(), 1, "{address}");
        assert!(
            page.contains("lang=\"en\"") && page.contains("href=\"#main\""),
            "{address}"
        );
        let tables = page.matches("<table>").count();
        assert_eq!(page.matches("<caption").count(), tables, "{address}");
        let inputs = page.matches("<select").count() + page.matches("type=\"search\"").count();
        assert_eq!(page.matches("<label>").count(), inputs, "{address}");
        let current = page.matches("aria-current").count();
        assert_eq!(current, 1, "{address}");
    }
}

#[test]
fn tags_are_closed_in_order() {
    for address in addresses() {
        check_tags(&address, &page(&address, &full(3)));
        check_tags(&address, &page(&address, &picture(0)));
    }
}

#[test]
fn each_view_of_ten_thousand_nodes_is_light() {
    for count in [1000, 10_000] {
        let picture = full(count);
        for address in addresses() {
            let len = page(&address, &picture).len();
            assert!(len < WEIGHT_MAX, "{address} with {count} nodes: {len}");
        }
    }
}

#[test]
fn the_worst_map_is_light_too() {
    let mut picture = full(10_000);
    let mut status = status(10_000);
    for (index, node) in status.nodes.iter_mut().enumerate() {
        let used = [0.0, 0.4, 0.6, 0.8, 0.99][index % 5];
        node.usage.total.cpu = Cores::clamped(node.capacity.cpu.get() * used);
        node.health = match index % 7 {
            5 => NodeHealth::Draining,
            6 => NodeHealth::Gone,
            _ => NodeHealth::Ready,
        };
    }
    picture.status = Some(Arc::new(status));
    picture.rooms.clear();
    for query in ["", "by=zone"] {
        let page = render(&picture, &Ask::parse("/map", query).unwrap());
        assert!(page.len() < WEIGHT_MAX, "{}", page.len());
        assert!(page.contains("class=\"gone\""), "{query}");
    }
    assert!(page("/", &picture).len() < WEIGHT_MAX);
}

#[test]
fn nodes_are_found_sorted_and_paged() {
    let mut picture = full(120);
    let mut status = status(120);
    status.nodes[77].health = NodeHealth::Gone;
    status.nodes[5].labels.insert("gpu", "A100").unwrap();
    picture.status = Some(Arc::new(status));
    let first = |query: &str| {
        let page = render(&picture, &Ask::parse("/nodes", query).unwrap());
        let start = page
            .split("<th scope=\"row\">")
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        let name = start
            .split("</a>")
            .next()
            .unwrap()
            .rsplit('>')
            .next()
            .unwrap();
        (name.to_owned(), page.matches("<th scope=\"row\">").count())
    };
    assert_eq!(first(""), ("node-0077".to_owned(), 50));
    assert_eq!(first("sort=name"), ("node-0000".to_owned(), 50));
    assert_eq!(first("sort=name&page=3"), ("node-0100".to_owned(), 20));
    assert_eq!(first("sort=name&page=99"), ("node-0100".to_owned(), 20));
    assert_eq!(
        first("sort=name&order=reverse"),
        ("node-0119".to_owned(), 50)
    );
    assert_eq!(first("q=gpu%3da1"), ("node-0005".to_owned(), 1));
    assert_eq!(first("health=gone"), ("node-0077".to_owned(), 1));
    assert_eq!(first("q=nothing").1, 0);
}

#[test]
fn the_course_of_roles_is_drawn_and_explained() {
    let page = page("/roles", &full(3));
    for part in [
        "node-0000 held leader",
        "leader: node-0000 -&gt; node-0001, bottleneck",
        "benefit 41 core-s",
        ">vacant<",
        "0 of 1 holders",
    ] {
        assert!(page.contains(part), "{part:?} not in {page}");
    }
}

#[test]
fn decisions_give_their_reasons_and_keys_their_nodes() {
    let picture = full(3);
    let text = page("/decisions", &picture);
    let part = "job j1 of ocr was sent to node-0001, which its key prefers of 3 that could take it";
    assert!(text.contains(part), "{text}");
    assert!(text.contains("<code>rolecast explain j1</code>"), "{text}");
    let text = page("/keys", &picture);
    assert!(
        text.contains("000000000000002a (1)") && text.contains("1 of 1 jobs with a key"),
        "{text}"
    );
}

#[test]
fn a_dispatcher_that_knows_nothing_reports_why() {
    let why = "no server answers".to_owned();
    let standing = Standing::Connecting { why };
    let picture = Picture::new("main", WallTime::from_millis(0), standing);
    for address in addresses() {
        let page = page(&address, &picture);
        assert!(
            page.contains("no server answers") && page.contains("connecting"),
            "{page}"
        );
    }
}

#[test]
fn the_part_that_is_renewed_is_main_alone() {
    let text = render_main(&picture(3), &Ask::parse("/", "").unwrap());
    assert!(
        text.starts_with("<main") && text.ends_with("</main>"),
        "{text}"
    );
}

/// Checks that each tag is closed by its own name.
fn check_tags(address: &str, page: &str) {
    let void = ["meta", "link", "input", "!DOCTYPE"];
    let mut open = Vec::new();
    for part in page.split('<').skip(1) {
        let name = part
            .split([' ', '>', '/'])
            .find(|name| !name.is_empty())
            .unwrap();
        match part.starts_with('/') {
            true => assert_eq!(open.pop(), Some(name), "{address}: {part}"),
            false if void.contains(&name) => {}
            false => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "{address}");
}

fn addresses() -> Vec<String> {
    let views = NAVIGATION.iter().map(|(view, _)| view.path());
    views
        .chain(["/node/node-0001".to_owned(), "/node/unknown".to_owned()])
        .collect()
}

fn page(address: &str, picture: &Picture) -> String {
    render(picture, &Ask::parse(address, "").unwrap())
}
