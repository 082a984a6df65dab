//! Tests that each party has the rights that it needs, no more, and that lacks are found.

use super::*;

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn producer(reads_outcomes: bool) -> Party {
    Party::Producer {
        categories: vec!["ocr".parse().unwrap()],
        reads_outcomes,
    }
}

fn all() -> Vec<Party> {
    vec![
        Party::dispatcher(),
        Party::Worker(node("n1")),
        producer(true),
        Party::Operator,
        Party::Viewer,
    ]
}

fn subjects(party: &Party, action: Action) -> Vec<String> {
    let rights = rights(party, &Place::of(party.user()));
    let wanted = rights.into_iter().filter(|right| right.action == action);
    wanted.map(|right| right.subject).collect()
}

/// Returns what a server with these rights would answer.
fn answer(rights: &[Right]) -> Allowed {
    let of = |action| {
        let wanted = rights.iter().filter(move |right| right.action == action);
        wanted
            .map(|right| right.subject.clone())
            .collect::<Vec<_>>()
    };
    let text = serde_json::json!({"data": {"user": "x", "permissions": {
        "publish": {"allow": of(Action::Publish)},
        "subscribe": {"allow": of(Action::Subscribe)}}}});
    Allowed::read(text.to_string().as_bytes()).unwrap()
}

#[test]
fn streams_are_named_and_none_can_be_deleted() {
    for party in all() {
        for subject in subjects(&party, Action::Publish) {
            assert!(!subject.contains("STREAM.DELETE"), "{party}: {subject}");
            let Some(request) = subject.strip_prefix("$JS.API.") else {
                continue;
            };
            let stream = request.split('.').find(|token| token.contains("ROLECAST_"));
            let lists = [requests::STREAM_NAMES, requests::STREAM_LIST];
            let needs_none = request == requests::INFO || lists.contains(&request);
            assert!(stream.is_some() || needs_none, "{party}: {subject}");
            let before: Vec<&str> = request
                .split('.')
                .take_while(|t| Some(*t) != stream)
                .collect();
            let has_wildcard = before.iter().any(|token| [&"*", &">"].contains(&token));
            assert!(!has_wildcard, "{party}: {subject}");
        }
    }
}

#[test]
fn a_right_is_given_once_and_shows_what_for() {
    for party in all() {
        let rights = rights(&party, &Place::of(party.user()));
        for (i, right) in rights.iter().enumerate() {
            assert!(
                !right.purpose.is_empty() && right.purpose.len() < 80,
                "{right}"
            );
            let is_same =
                |other: &Right| (other.action, &other.subject) == (right.action, &right.subject);
            assert!(!rights[..i].iter().any(is_same), "{party}: {right}");
        }
    }
}

#[test]
fn a_worker_has_three_rights_and_none_of_another_node() {
    let worker = Party::Worker(node("n1"));
    assert_eq!(
        subjects(&worker, Action::Publish),
        ["rolecast.heartbeat.n1", "rolecast.done.n1.>"]
    );
    assert_eq!(subjects(&worker, Action::Subscribe), ["rolecast.node.n1.>"]);
}

#[test]
fn a_viewer_asks_the_dispatcher_and_nobody_else() {
    for subject in subjects(&Party::Viewer, Action::Publish) {
        let is_ours = ["rolecast.api.", "$SRV.*.rolecast"];
        let is_ours = is_ours.iter().any(|start| subject.starts_with(start));
        assert!(is_ours, "{subject}");
        assert_ne!(subject, crate::subjects::API_ROLE_ORDER);
    }
    assert_eq!(
        subjects(&Party::Viewer, Action::Subscribe),
        ["_INBOX.viewer.>", "rolecast.events.>"]
    );
}

#[test]
fn a_producer_submits_its_categories_and_asks_for_records_by_job() {
    assert_eq!(
        subjects(&producer(true), Action::Publish),
        [
            "rolecast.jobs.ocr.high",
            "rolecast.jobs.ocr",
            "rolecast.jobs.ocr.low",
            "$JS.API.DIRECT.GET.ROLECAST_RESULTS.rolecast.results.*",
        ]
    );
    assert_eq!(subjects(&producer(false), Action::Publish).len(), 3);
    assert_eq!(
        subjects(&producer(false), Action::Subscribe),
        ["_INBOX.producer.>"]
    );
}

#[test]
fn nobody_shares_an_inbox() {
    for user in ["n1", "web_2", "A-b"] {
        assert_eq!(inbox(user), Some(format!("_INBOX.{user}")));
    }
    for user in ["", "a.b", "*", "a b", ">", "CN=x", &"x".repeat(65)] {
        assert_eq!(inbox(user), None, "{user}");
    }
    let shared = all().iter().any(|party| {
        let subscribed = subjects(party, Action::Subscribe);
        subscribed.iter().any(|subject| subject == "_INBOX.>")
    });
    assert!(!shared);
}

#[test]
fn each_missing_right_is_found_and_wider_ones_do() {
    let place = Place::of("dispatcher");
    let needed = rights(&Party::dispatcher(), &place);
    assert!(missing(&needed, &answer(&needed)).is_empty());
    for i in 0..needed.len() {
        let mut fewer = needed.clone();
        let removed = fewer.remove(i);
        assert_eq!(missing(&needed, &answer(&fewer)), [removed]);
    }
    let wide = Allowed::read(
        br#"{"data": {"permissions": {"publish": {"allow": ["rolecast.>", "$JS.>", "_INBOX.>",
            "$KV.*.>", "$SYS.REQ.USER.INFO"]}, "subscribe": {"deny": ["other.>"]}}}}"#,
    );
    assert!(missing(&needed, &wide.unwrap()).is_empty());
    let free = Allowed::read(br#"{"data": {"user": "x"}}"#).unwrap();
    assert!(missing(&needed, &free).is_empty());
    assert_eq!(Allowed::read(b"{}"), None);
}

#[test]
fn what_is_denied_or_matched_in_part_is_missing() {
    let right = |subject: &str| Right {
        action: Action::Publish,
        subject: subject.to_owned(),
        purpose: "test",
    };
    let lacks = |allow: &str, deny: &str, subject: &str| {
        let text = serde_json::json!({"data": {"permissions": {
            "publish": {"allow": [allow], "deny": [deny]}}}});
        let allowed = Allowed::read(text.to_string().as_bytes()).unwrap();
        !missing(&[right(subject)], &allowed).is_empty()
    };
    for (allow, deny, subject) in [
        ("a.*", "x", "a.>"),
        ("a.b", "x", "a.*"),
        ("a.>", "x", "a"),
        ("a.*", "x", "a.b.c"),
        ("a.b.c", "x", "a.b"),
        (">", "a.>", "a.b"),
    ] {
        assert!(lacks(allow, deny, subject), "{allow} {deny} {subject}");
    }
    for (allow, deny, subject) in [
        ("a.>", "x", "a.>"),
        ("a.*.c", "a.b.d", "a.*.c"),
        (">", "a.b", "a.*"),
    ] {
        assert!(!lacks(allow, deny, subject), "{allow} {deny} {subject}");
    }
}

#[test]
fn a_list_that_is_empty_denies_all() {
    let listener = Login {
        user: "ear".to_owned(),
        password: "ear".to_owned(),
        about: "receives heartbeats".to_owned(),
        rights: vec![Right {
            action: Action::Subscribe,
            subject: "rolecast.heartbeat.*".to_owned(),
            purpose: "heartbeats",
        }],
    };
    let text = authorization(std::slice::from_ref(&listener));
    assert!(text.contains("publish: { deny: \">\" }"), "{text}");
    assert!(nsc(&[listener]).contains("--deny-pub '>'"));
}

#[test]
fn another_domain_has_its_own_requests() {
    let place = Place {
        api: "$JS.hub.API".to_owned(),
        inbox: "_INBOX.dispatcher".to_owned(),
    };
    let rights = rights(&Party::dispatcher(), &place);
    let has = |subject: &str| rights.iter().any(|right| right.subject == subject);
    assert!(has("$JS.hub.API.STREAM.INFO.ROLECAST_JOBS"));
    assert!(has("$JS.hub.API.$KV.ROLECAST_CONTROL.dispatcher"));
    assert!(
        !rights
            .iter()
            .any(|right| right.subject.starts_with("$JS.API"))
    );
}
