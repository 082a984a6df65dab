//! Comparison of the streams on a server with those that a dispatcher makes: one source
//! for upkeep, which restores settings, and for programs that only report them.

use async_nats::jetstream::stream::{Config, PersistenceMode};
use rolecast_common::subjects::STREAM_JOBS;

use super::assets;
use super::difference::{Difference, differences};
use super::sizing::upgrade;
use crate::config;

/// A setting that no dispatcher changes, with the harm that it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hazard {
    /// Its name in the server's JSON.
    pub setting: &'static str,
    pub harm: &'static str,
}

/// Returns the streams that a dispatcher makes, those that hold buckets behind the others.
pub fn intended(settings: &config::Streams) -> Vec<Config> {
    assets::streams(settings)
        .into_iter()
        .chain(assets::buckets(settings))
        .collect()
}

/// Returns the settings that somebody changed, of a stream or of the stream of a bucket.
pub fn changed(found: &Config, intended: &Config) -> Vec<Difference> {
    let upgraded = upgrade(found, intended);
    // What upkeep leaves alone, such as the storage, differs from what was intended.
    let all = Config {
        storage: intended.storage,
        deny_delete: intended.deny_delete,
        duplicate_window: match is_bucket(intended) {
            // The server chooses it.
            true => found.duplicate_window,
            false => upgraded.duplicate_window,
        },
        ..upgraded
    };
    differences(found, &all)
}

/// Returns the settings that do harm and that a dispatcher leaves as they are.
pub fn hazards(found: &Config) -> Vec<Hazard> {
    let is_jobs = found.name == STREAM_JOBS;
    let hazards = [
        (
            found.sealed,
            "sealed",
            "a sealed stream takes no message and cannot be opened again",
        ),
        (
            found.persist_mode == Some(PersistenceMode::Async),
            "persist_mode",
            "messages are confirmed before they are written: a crash of the server loses them",
        ),
        (
            found.deny_purge && !is_bucket(found),
            "deny_purge",
            "dead letters and decisions cannot be removed",
        ),
        (
            is_jobs && found.allow_message_ttl,
            "allow_msg_ttl",
            "a header Nats-TTL of a producer removes its job without an outcome",
        ),
        (
            is_jobs && found.allow_message_schedules,
            "allow_msg_schedules",
            "schedules are delivered as jobs, and newer servers refuse to load such a queue",
        ),
        (
            is_jobs && found.max_messages > 0,
            "max_msgs",
            "producers are refused at this number of jobs, however small they are",
        ),
        (
            is_jobs && found.max_message_size > 0,
            "max_msg_size",
            "producers of larger jobs are refused",
        ),
    ];
    let found = hazards.into_iter().filter(|(is_set, ..)| *is_set);
    found
        .map(|(_, setting, harm)| Hazard { setting, harm })
        .collect()
}

fn is_bucket(config: &Config) -> bool {
    config.name.starts_with("KV_")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_nats::jetstream::stream::{DiscardPolicy, StorageType};

    use super::*;

    fn settings() -> config::Streams {
        config::parse("", "host").unwrap().streams
    }

    fn stream(name: &str) -> Config {
        let mut all = intended(&settings()).into_iter();
        all.find(|config| config.name == name).unwrap()
    }

    #[test]
    fn every_stream_is_as_intended_until_somebody_changes_it() {
        let all = intended(&settings());
        assert_eq!(all.len(), 13);
        for config in &all {
            assert_eq!(changed(config, config), [], "{}", config.name);
            assert_eq!(hazards(config), [], "{}", config.name);
        }
    }

    #[test]
    fn what_operators_may_set_is_no_change_and_what_they_may_not_is_one() {
        let jobs = stream(STREAM_JOBS);
        let own = Config {
            max_bytes: 1 << 30,
            description: Some("ours".to_owned()),
            max_messages_per_subject: -1,
            ..jobs.clone()
        };
        assert_eq!(changed(&own, &jobs), []);
        let other = Config {
            discard: DiscardPolicy::Old,
            storage: StorageType::Memory,
            max_age: Duration::from_secs(60),
            ..jobs.clone()
        };
        let found = changed(&other, &jobs);
        let named: Vec<&str> = found.iter().map(|found| found.setting).collect();
        assert_eq!(named, ["discard", "max_age", "storage"]);
        assert_eq!(
            (found[0].found.as_str(), found[0].intended.as_str()),
            ("old", "new")
        );
        let fixed: Vec<bool> = found.iter().map(Difference::is_fixed).collect();
        assert_eq!(fixed, [false, false, true]);
    }

    #[test]
    fn a_setting_that_loses_jobs_and_that_nobody_restores_is_a_hazard() {
        let jobs = Config {
            allow_message_ttl: true,
            max_messages: 5,
            ..stream(STREAM_JOBS)
        };
        let named: Vec<&str> = hazards(&jobs).iter().map(|found| found.setting).collect();
        assert_eq!(named, ["allow_msg_ttl", "max_msgs"]);
        let decisions = stream("ROLECAST_DECISIONS");
        assert!(decisions.max_messages > 0);
        assert_eq!(hazards(&decisions), []);
    }
}
