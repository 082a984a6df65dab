//! Settings of a stream that differ between two configurations.

use std::fmt::Debug;

use async_nats::jetstream::stream::Config;
use rolecast_common::time::format_duration;

/// A setting of a stream that differs from what a dispatcher makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name in the server's JSON.
    pub setting: &'static str,
    pub found: String,
    pub intended: String,
}

type Read = fn(&Config) -> String;

/// Settings that a dispatcher sets, those of buckets among them.
const SETTINGS: [(&str, Read); 15] = [
    ("retention", |c| text(&c.retention)),
    ("subjects", |c| c.subjects.join(", ")),
    ("discard", |c| text(&c.discard)),
    // The server writes -1 for none, we write 0.
    ("max_msgs_per_subject", |c| {
        c.max_messages_per_subject.max(0).to_string()
    }),
    ("discard_new_per_subject", |c| {
        c.discard_new_per_subject.to_string()
    }),
    ("no_ack", |c| c.no_ack.to_string()),
    ("allow_rollup_hdrs", |c| c.allow_rollup.to_string()),
    ("sources", |c| sources(c)),
    ("subject_transform", |c| text(&c.subject_transform)),
    ("max_age", |c| format_duration(c.max_age)),
    ("duplicate_window", |c| format_duration(c.duplicate_window)),
    ("num_replicas", |c| c.num_replicas.to_string()),
    ("allow_direct", |c| c.allow_direct.to_string()),
    ("deny_delete", |c| c.deny_delete.to_string()),
    ("storage", |c| text(&c.storage)),
];
/// Settings among them that no request can change.
const FIXED: [&str; 2] = ["retention", "storage"];

impl Difference {
    /// Returns whether only a new stream can have the intended setting.
    pub fn is_fixed(&self) -> bool {
        FIXED.contains(&self.setting)
    }
}

/// Returns the settings that differ between two configurations.
pub(super) fn differences(found: &Config, intended: &Config) -> Vec<Difference> {
    let differ = SETTINGS.iter().filter_map(|(setting, read)| {
        let (found, intended) = (read(found), read(intended));
        (found != intended).then_some(Difference {
            setting,
            found,
            intended,
        })
    });
    differ.collect()
}

/// Names settings as the server does: in small letters, `file` and not `File`.
fn text(value: &impl Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn sources(config: &Config) -> String {
    let Some(sources) = &config.sources else {
        return "none".to_owned();
    };
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    names.join(", ")
}
