//! A fault for each finding about NATS.

use std::time::Duration;

use rolecast_common::rights::{Action, Right};
use rolecast_dispatcher::io::difference::Difference;
use rolecast_dispatcher::io::inspection::Hazard;
use rolecast_dispatcher::io::strangers::Stranger;

use super::healthy::{
    change_consumer, change_server, change_status, change_stream, change_tier, consumer,
};
use super::{CONTROL, JOBS, Spoil};
use crate::doctor::facts::{Facts, Found, JetStream, Part, Peer, Reach};

pub(super) const CASES: &[(&str, Spoil)] = &[
    ("nats-unreachable", |facts| {
        *facts = Facts::without_connection(Reach::Unreachable("nothing answers".to_owned()));
    }),
    ("login-refused", |facts| {
        *facts = Facts::without_connection(Reach::LoginRefused("refused".to_owned()));
    }),
    ("server-too-old", |facts| {
        *facts = Facts::without_connection(Reach::TooOld("2.9.10 is too old".to_owned()));
    }),
    ("server-faults", |facts| {
        change_server(facts, |server| server.version = "2.14.5".to_owned());
    }),
    ("server-leaving", |facts| {
        change_server(facts, |server| server.is_leaving = true);
    }),
    ("max-payload-small", |facts| {
        change_server(facts, |server| server.max_payload = 65_536);
    }),
    ("rights-missing", |facts| {
        if let Part::Known(login) = &mut facts.login {
            login.lacks_of_operator = vec![Right {
                action: Action::Publish,
                subject: "rolecast.api.roles.order".to_owned(),
                purpose: "moves roles",
            }];
        }
    }),
    ("jetstream-off", |facts| {
        facts.account = Part::Known(JetStream::Off("JetStream is off".to_owned()));
    }),
    ("account-storage", |facts| {
        change_tier(facts, |tier| tier.storage = 900 << 20);
    }),
    ("account-streams", |facts| {
        change_tier(facts, |tier| tier.streams_max = Some(10));
    }),
    ("account-consumers", |facts| {
        change_tier(facts, |tier| tier.consumers_max = Some(5));
    }),
    ("stream-missing", |facts| {
        facts
            .streams
            .insert("ROLECAST_RESULTS".to_owned(), Part::Known(Found::Missing));
    }),
    ("stream-silent", |facts| {
        let silent = Found::Silent("no answer within 2s".to_owned());
        facts
            .streams
            .insert("ROLECAST_RESULTS".to_owned(), Part::Known(silent));
    }),
    ("stream-leaderless", |facts| {
        change_stream(facts, JOBS, |stream| {
            stream.replicas = 3;
            let away = Duration::from_secs(60);
            stream.peers = vec![Peer {
                silent: away,
                ..peer()
            }];
        });
    }),
    ("stream-unfit", |facts| {
        change_stream(facts, JOBS, |stream| {
            stream.changed = vec![difference("retention", "limits", "workqueue")];
        });
    }),
    ("stream-changed", |facts| {
        change_stream(facts, JOBS, |stream| {
            stream.changed = vec![difference("discard", "old", "new")];
        });
    }),
    ("bucket-changed", |facts| {
        change_stream(facts, CONTROL, |stream| {
            stream.changed = vec![difference("num_replicas", "1", "3")];
        });
    }),
    ("stream-hazard", |facts| {
        change_stream(facts, JOBS, |stream| {
            stream.hazards = vec![Hazard {
                setting: "allow_msg_ttl",
                harm: "jobs vanish",
            }];
        });
    }),
    ("stream-unbounded", |facts| {
        change_stream(facts, JOBS, |stream| stream.max_bytes = None);
    }),
    ("stream-nearly-full", |facts| {
        change_stream(facts, JOBS, |stream| {
            stream.max_bytes = Some(stream.bytes + 1);
        });
    }),
    ("stream-copied", |facts| {
        change_consumer(facts, |consumers| {
            consumers[0].stranger = Some(stranger(true));
        });
    }),
    ("consumer-foreign", |facts| {
        change_consumer(facts, |consumers| {
            consumers[0].stranger = Some(stranger(false));
        });
    }),
    ("replica-offline", |facts| {
        change_stream(facts, JOBS, |stream| {
            stream.peers = vec![Peer {
                is_offline: true,
                ..peer()
            }];
        });
    }),
    ("replica-behind", |facts| {
        change_stream(facts, JOBS, |stream| {
            stream.peers = vec![Peer {
                lag: 5000,
                ..peer()
            }];
        });
    }),
    ("replicas-one", |facts| {
        change_server(facts, |server| {
            server.cluster = Some("east".to_owned());
        });
    }),
    ("consumer-missing", |facts| {
        change_consumer(facts, |consumers| {
            consumers.remove(0);
        });
    }),
    ("consumer-paused", |facts| {
        change_consumer(facts, |consumers| {
            consumers[0].paused = Some(Duration::from_secs(600));
        });
    }),
    ("consumer-changed", |facts| {
        change_consumer(facts, |consumers| {
            consumers[0].change = Some("its ack policy was changed".to_owned());
        });
    }),
    ("consumer-full", |facts| {
        change_consumer(facts, |consumers| {
            consumers[0].ack_pending = 99_000;
        });
    }),
    ("consumer-not-pulled", |facts| {
        change_status(facts, |status| {
            status.categories[0].waiting = 0;
            status.categories[0].running = 0;
        });
        change_consumer(facts, |consumers| {
            consumers[0].pending = 3;
            consumers[0].pulls = 0;
        });
    }),
    ("consumer-orphaned", |facts| {
        change_consumer(facts, |consumers| {
            consumers.push(consumer("low-scan"));
        });
    }),
];

fn difference(setting: &'static str, found: &str, intended: &str) -> Difference {
    Difference {
        setting,
        found: found.to_owned(),
        intended: intended.to_owned(),
    }
}

fn stranger(is_copy: bool) -> Stranger {
    Stranger {
        is_copy,
        why: "no dispatcher created it".to_owned(),
        remedy: "delete it",
    }
}

fn peer() -> Peer {
    Peer {
        name: "s2".to_owned(),
        is_offline: false,
        is_current: true,
        lag: 0,
        silent: Duration::from_millis(300),
    }
}
