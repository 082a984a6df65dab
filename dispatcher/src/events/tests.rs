//! Each kind of event with all of its fields.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecast_common::id::{Category, Epoch, Group, JobId, NodeId, Role};
use rolecast_common::time::WallTime;
use rolecast_common::unit::Cores;
use rolecast_common::wire::{
    Figures, PastRoleChange, RoleChange, RoleChangeResult, RolePhase, Why,
};

use super::forms::forms;
use super::kind::{COMMON, Kind};
use super::*;
use crate::roles;
use crate::scheduler::{
    Diversion, DoubtedNode, Event, JobsGone, KeptAway, LongWait, LostJob, Trouble, Verdict,
};

fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

fn category() -> Category {
    "ocr".parse().unwrap()
}

fn job() -> JobId {
    "job-1".parse().unwrap()
}

fn role() -> Role {
    "leader".parse().unwrap()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn doubted() -> DoubtedNode {
    DoubtedNode {
        node: node("n1"),
        category: category(),
        reason: text("exit code 1"),
        pause: Duration::from_secs(2),
    }
}

fn trouble() -> Trouble {
    Trouble {
        what: text("stream X"),
        why: text("it is full"),
        remedy: text("make room"),
        lasts: None,
    }
}

fn step(phase: RolePhase, why: Why) -> Event {
    let change = RoleChange {
        role: role(),
        phase,
        generation: 3,
        from: Some(node("n1")),
        target: None,
        came_from: None,
        why,
        began_ms: WallTime::from_millis(1),
        since_ms: WallTime::from_millis(2),
        trouble: Some(text("slow")),
    };
    let group: Group = "default".parse().unwrap();
    Event::Roles(Box::new(roles::Event::Step { group, change }))
}

fn finished(why: Why) -> Event {
    Event::Roles(Box::new(roles::Event::Finished(PastRoleChange {
        group: "default".parse().unwrap(),
        role: role(),
        from: Some(node("n1")),
        to: Some(node("n2")),
        why,
        result: RoleChangeResult::Done,
        began_ms: WallTime::from_millis(1),
        ended_ms: WallTime::from_millis(5),
        epoch: Epoch::default(),
        generation: 4,
        trouble: Some(text("slow")),
    })))
}

fn role_events() -> Vec<Event> {
    let figures: Figures = serde_json::from_str(r#"{"benefit": 2.0}"#).unwrap();
    let unfit = || Why::HolderUnfit {
        reason: text("it left"),
    };
    let bottleneck = || Why::Bottleneck {
        figures: figures.clone(),
    };
    let (holder, next) = (node("n1"), Some(node("n2")));
    let demoting = RolePhase::Demoting {
        node: holder,
        to: next,
    };
    let promoting = RolePhase::Promoting { node: node("n2") };
    let others = [
        roles::Event::Vacant {
            role: role(),
            missing: 1,
            reason: text("no node offers it"),
        },
        roles::Event::Filled { role: role() },
        roles::Event::Claimed {
            node: node("n1"),
            role: role(),
        },
        roles::Event::EpochAhead {
            node: node("n1"),
            seen: Epoch::default(),
            ours: Epoch::default(),
        },
    ];
    let others = others.map(|event| Event::Roles(Box::new(event)));
    let mut events = vec![
        step(demoting, bottleneck()),
        step(promoting, unfit()),
        finished(bottleneck()),
        finished(unfit()),
        Event::RoleLimited { role: role() },
        Event::GroupHot {
            role: role(),
            hot: 2,
            heard: 3,
        },
    ];
    events.extend(others);
    events
}

fn node_events() -> Vec<Event> {
    let refused = (text("rolecast.heartbeat.n1"), text("too large"), 3);
    let (from, why, count) = refused;
    vec![
        Event::NodeJoined {
            node: node("n1"),
            rebooted: true,
        },
        Event::NodeDraining { node: node("n1") },
        Event::NodeGone {
            node: node("n1"),
            jobs: 2,
            why: "it does not listen",
        },
        Event::ManyMissing {
            missing: 3,
            nodes: 4,
        },
        Event::ClockSkewed {
            node: node("n1"),
            ahead_ms: -3,
        },
        Event::Verdict(Verdict::NodeDistrusted(doubted())),
        Event::Verdict(Verdict::NodeUnable(doubted())),
        Event::Verdict(Verdict::NodeTrusted {
            node: node("n1"),
            category: category(),
        }),
        Event::HeartbeatsRefused { from, why, count },
    ]
}

fn work_events() -> Vec<Event> {
    vec![
        Event::CategoryFound {
            category: category(),
        },
        Event::JobsWait(LongWait {
            category: category(),
            waited: Duration::from_secs(40),
            waiting: 3,
            why: text("busy"),
        }),
        Event::NoEligibleNode {
            category: category(),
            why: text("1 without the role"),
        },
        Event::EligibleAgain {
            category: category(),
        },
        Event::JobCancelled {
            job: job(),
            reason: text("cancelled by alice"),
        },
        Event::JobDeadLettered {
            job: job(),
            status: "dead",
            reason: text("exit code 1"),
        },
        Event::Verdict(Verdict::JobLost(LostJob {
            job: job(),
            node: node("n1"),
            losses: 1,
            companions: Some(2),
            delay: Duration::from_secs(1),
        })),
        Event::JobsGone(JobsGone {
            waiting: 1,
            running: 2,
            given_back: 3,
        }),
        Event::Diverted(KeptAway {
            category: category(),
            from: node("n1"),
            to: node("n2"),
            cpu_now: Cores::new(1.0).unwrap(),
            cpu_expected: Cores::new(3.0).unwrap(),
            count: 4,
        }),
        Event::AdvisoryDiverted(Diversion {
            category: category(),
            node: node("n1"),
            better: node("n2"),
            count: 4,
        }),
        Event::Troubled(trouble(), 1),
        Event::Troubled(trouble(), 2),
        Event::TroubleOver {
            what: text("stream X"),
            lasted: Duration::from_secs(3),
        },
    ]
}

#[test]
fn each_kind_is_made_with_exactly_the_fields_of_the_catalogue() {
    let events = [role_events(), node_events(), work_events()].concat();
    let mut notices: Vec<Notice> = events.iter().filter_map(notice).collect();
    assert_eq!(notices.len(), events.len());
    let epoch = Epoch::default();
    notices.push(Notice::lease_taken("d1", epoch));
    notices.push(Notice::lease_lost("d1", epoch, "it is stopped"));
    for form in forms() {
        let of_kind = notices.iter().filter(|notice| notice.kind == form.kind);
        let made: BTreeSet<&str> = of_kind
            .flat_map(|notice| notice.data.keys().map(String::as_str))
            .collect();
        let fields = form.fields.iter().map(|(name, _)| *name);
        let expected: BTreeSet<&str> = fields.chain(["message"]).collect();
        assert_eq!(made, expected, "{}", form.name);
    }
    for notice in &notices {
        let message = notice.data["message"].as_str().unwrap();
        assert!(
            message.len() > 10 && !notice.subject.is_empty(),
            "{message}"
        );
    }
}

#[test]
fn every_kind_has_a_form() {
    // The last kind, of which there are as many as forms.
    assert_eq!(Kind::MessageRefused as usize + 1, forms().count());
    let kinds: BTreeSet<usize> = forms().map(|form| form.kind as usize).collect();
    assert_eq!(kinds.len(), forms().count());
}

#[test]
fn single_jobs_that_go_on_are_in_the_log_only() {
    let retried = Event::JobRetried {
        job: job(),
        node: node("n1"),
        reason: text("exit code 1"),
        delay: Duration::from_secs(1),
    };
    assert_eq!(notice(&retried), None);
}

#[test]
fn a_long_text_is_cut() {
    let dead = Event::JobDeadLettered {
        job: job(),
        status: "dead",
        reason: "é".repeat(5_000),
    };
    let notice = notice(&dead).unwrap();
    let len = notice.data["reason"].as_str().unwrap().chars().count();
    assert!(len <= 1_000, "{len}");
}

#[test]
fn the_catalogue_has_every_kind_and_every_field() {
    let text = catalogue();
    for form in forms() {
        assert!(text.contains(&format!("### {}\n", form.name)));
        for (field, meaning) in form.fields.iter().chain(&COMMON) {
            assert!(text.contains(&format!("| `{field}` | {meaning} |")));
        }
    }
}
