//! A fault for each finding about dispatchers, clocks, nodes and jobs.

use rolecast_common::unit::{Bytes, Cores};
use rolecast_common::wire::{
    Distrust, DistrustKind, NodeHealth, RefusedSender, RoleChange, Trouble,
};
use serde_json::json;

use super::healthy::{
    change_consumer, change_dispatchers, change_roles, change_server, change_status, change_stream,
    consumer,
};
use super::{CONTROL, EARLIER, JOBS, Spoil};
use crate::doctor::facts::{Answer, Lead, Letters, Part};

pub(super) const CASES: &[(&str, Spoil)] = &[
    ("dispatcher-missing", |facts| {
        facts.fleet = Part::Known(Answer::Nobody);
        change_dispatchers(facts, Vec::clear);
    }),
    ("dispatcher-silent", |facts| {
        facts.fleet = Part::Known(Answer::Silent("no answer within 2s".to_owned()));
    }),
    ("lease-lapsed", |facts| {
        change_stream(facts, CONTROL, |stream| {
            stream.times.last_write = EARLIER;
        });
    }),
    ("takeovers-many", |facts| {
        change_status(facts, |status| {
            status.epoch = serde_json::from_value(json!(17)).unwrap();
        });
    }),
    ("dispatcher-trouble", |facts| {
        change_status(facts, |status| {
            status.troubles = vec![Trouble {
                what: "storing in ROLECAST_RESULTS".to_owned(),
                why: "maximum bytes exceeded (code 10077)".to_owned(),
                remedy: "raise its max_bytes".to_owned(),
                since_ms: EARLIER,
                count: 1,
            }];
        });
    }),
    ("clock-skew-dispatcher", |facts| {
        if let Part::Known(Answer::Status { lead, .. }) = &mut facts.fleet {
            lead.millis = 5000;
        }
    }),
    ("clock-skew-server", |facts| {
        let others = ["ROLECAST_RESULTS", "ROLECAST_DEAD"];
        for (name, leader) in others.into_iter().zip(["s2", "s3"]) {
            change_stream(facts, name, |stream| {
                stream.leader = Some(leader.to_owned());
            });
        }
        change_stream(facts, "ROLECAST_DEAD", |stream| {
            stream.lead.millis = -60_000;
        });
    }),
    ("clock-skew-here", |facts| {
        let lead = Lead {
            millis: 90_000,
            unsure_millis: 5,
        };
        let names: Vec<String> = facts.streams.keys().cloned().collect();
        for name in names {
            change_stream(facts, &name, |stream| stream.lead = lead);
        }
        change_server(facts, |server| server.lead = Some(lead));
        if let Part::Known(Answer::Status { lead: own, .. }) = &mut facts.fleet {
            *own = lead;
        }
        change_dispatchers(facts, |found| {
            found[1].lead = Some(lead);
        });
    }),
    ("clock-skew-node", |facts| {
        change_status(facts, |status| {
            status.nodes[0].clock_skew_ms = Some(-1500);
        });
    }),
    ("nodes-none", |facts| {
        change_status(facts, |status| {
            for node in &mut status.nodes {
                node.health = NodeHealth::Gone;
            }
        });
    }),
    ("node-gone", |facts| {
        change_status(facts, |status| {
            status.nodes[1].health = NodeHealth::Gone;
        });
    }),
    ("node-distrusted", |facts| {
        change_status(facts, |status| {
            status.nodes[0].distrusted = vec![Distrust {
                category: "ocr".parse().unwrap(),
                kind: DistrustKind::Failing,
                since_ms: EARLIER,
                reason: "exit code 1".to_owned(),
                failed_in_row: 5,
                pause_ms: 30_000,
            }];
        });
    }),
    ("node-name-shared", |facts| {
        change_status(facts, |status| {
            let why = "another worker has its name; do two workers share this node id?";
            status.refused = vec![refused(why)];
        });
    }),
    ("messages-refused", |facts| {
        change_status(facts, |status| {
            status.refused = vec![refused("message ends too early")];
        });
    }),
    ("node-capacity", |facts| {
        change_status(facts, |status| {
            status.nodes[0].capacity.cpu = Cores::clamped(4000.0);
        });
    }),
    ("node-memory", |facts| {
        change_status(facts, |status| {
            status.nodes[0].usage.total.memory = status.nodes[0].capacity.memory;
        });
    }),
    ("node-slots", |facts| {
        change_status(facts, |status| {
            status.nodes[0].capacity.cpu = Cores::clamped(1.0);
            status.nodes[0].jobs_max = 1000;
        });
    }),
    ("node-draining", |facts| {
        change_status(facts, |status| {
            status.nodes[0].health = NodeHealth::Draining;
        });
    }),
    ("node-name-passing", |facts| {
        change_status(facts, |status| {
            status.nodes[1].node = "3f2a9c1b77de".parse().unwrap();
        });
    }),
    ("category-not-run", |facts| {
        change_status(facts, |status| {
            status.categories[0].nodes_eligible = 0;
            status.categories[0]
                .obstacles
                .insert("not running it".to_owned(), 2);
        });
    }),
    ("jobs-unplaceable", |facts| {
        change_status(facts, |status| {
            status.categories[0].nodes_eligible = 0;
            status.categories[0]
                .obstacles
                .insert("too small for its memory".to_owned(), 2);
        });
    }),
    ("label-missing", |facts| {
        change_status(facts, |status| {
            status.categories[0]
                .required
                .insert("gpu=a100".to_owned(), 3);
        });
    }),
    ("category-not-served", |facts| {
        change_stream(facts, JOBS, |stream| {
            stream.held.insert("rolecast.jobs.scan.low".to_owned(), 3);
        });
    }),
    ("backlog-unread", |facts| {
        change_status(facts, |status| {
            status.unread = Some("no answer within 2s".to_owned());
        });
    }),
    ("category-late", |facts| {
        change_status(facts, |status| status.categories[0].late = true);
    }),
    ("memory-too-large", |facts| {
        change_status(facts, |status| {
            status.categories[0].profile.peak.memory = Bytes::from_mib(1 << 20);
        });
    }),
    ("dead-letters", |facts| {
        let letters = Letters {
            reasons: [("exit code 64".to_owned(), 3), ("timeout".to_owned(), 1)].into(),
            oldest: Some(EARLIER),
        };
        facts.letters = Part::Known([("ocr".to_owned(), letters)].into());
    }),
    ("role-vacant", |facts| {
        change_roles(facts, |view| {
            for role in view.roles.values_mut() {
                role.acting = Vec::new();
            }
        });
    }),
    ("role-change-stuck", |facts| {
        change_roles(facts, |view| {
            let change: RoleChange = serde_json::from_value(json!({
                "role": "leader", "phase": {"promoting": {"node": "orm"}}, "generation": 4,
                "from": "oak", "why": "election", "began_ms": EARLIER, "since_ms": EARLIER
            }))
            .unwrap();
            view.document
                .changes
                .insert("leader".parse().unwrap(), change);
        });
    }),
    ("capacity-short", |facts| {
        change_status(facts, |status| {
            status.roles[0].at_horizon_s = Some(300);
            status.roles[0].shortage.cpu = Cores::clamped(2.0);
        });
    }),
    ("role-without-successor", |facts| {
        change_roles(facts, |view| {
            for role in view.roles.values_mut() {
                role.offered_by.truncate(1);
            }
        });
    }),
    ("forecast-worse", |facts| {
        if let Part::Known(views) = &mut facts.forecasts {
            let cpu = views[0].resources.get_mut("cpu").unwrap();
            cpu.accuracy[0].error = 0.6;
        }
    }),
    ("config-not-loaded", |facts| {
        facts.config.as_mut().unwrap().policies.clear();
    }),
    ("category-unused", |facts| {
        change_status(facts, |status| {
            let mut unused = status.categories[0].clone();
            unused.category = "orc".parse().unwrap();
            (unused.backlog, unused.completed, unused.nodes_eligible) = (0, 0, 0);
            (unused.waiting, unused.running, unused.oldest_ms) = (0, 0, None);
            unused.required.clear();
            unused.obstacles.insert("not running it".to_owned(), 2);
            status.categories.push(unused);
        });
        change_consumer(facts, |consumers| {
            consumers.extend(["high-orc", "normal-orc", "low-orc"].map(consumer));
        });
        facts.config = None;
    }),
    ("role-unused", |facts| {
        change_roles(facts, |view| {
            let mut unused = view.roles.values().next().unwrap().clone();
            unused.acting = Vec::new();
            unused.offered_by = Vec::new();
            view.roles.insert("helper".parse().unwrap(), unused);
        });
    }),
    ("nodes-entry-unused", |facts| {
        let text = "[categories.ocr]\n[nodes.\"o*\"]\n[nodes.\"web-*\"]\n";
        facts.config = Some(rolecast_dispatcher::config::parse(text, "h").unwrap());
    }),
];

fn refused(why: &str) -> RefusedSender {
    RefusedSender {
        from: "oak".to_owned(),
        count: 3,
        why: why.to_owned(),
        at_ms: EARLIER,
    }
}
