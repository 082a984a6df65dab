//! Foreign consumers on the jobs stream, and our own that somebody changed.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::subjects::{STREAM_JOBS, Source};

use serde::Deserialize;

use crate::scheduler::Trouble;

/// Time for which such a trouble lasts: they are checked more often than this.
pub(super) const LASTS: Duration = Duration::from_secs(60);
/// The most strangers that are reported at once.
const STRANGERS_MAX: usize = 8;
/// Prefixes of the names that the server gives to the consumers of a mirror and of a
/// source.
const COPIES: [&str; 2] = ["JS_MIRROR_", "JS_SRC_"];

/// The server's description of a consumer, as far as it matters here. Consumers of
/// mirrors have policies that the client library does not know.
#[derive(Clone, Debug, Deserialize)]
pub struct Consumer {
    pub name: String,
    config: Config,
}

/// A consumer that no dispatcher made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Whether it copies the queue for a mirror or a source.
    pub is_copy: bool,
    pub why: String,
    pub remedy: &'static str,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    filter_subject: String,
    filter_subjects: Vec<String>,
    ack_policy: String,
    max_deliver: i64,
    metadata: BTreeMap<String, String>,
}

/// Returns a trouble for each consumer that no dispatcher made.
pub(super) fn among(consumers: &[Consumer]) -> Vec<Trouble> {
    let troubles = consumers.iter().filter_map(|consumer| {
        let Stranger { why, remedy, .. } = stranger(consumer)?;
        Some(Trouble {
            what: format!("consumer {} on {STREAM_JOBS}", consumer.name),
            why,
            remedy: remedy.to_owned(),
            lasts: Some(LASTS),
        })
    });
    troubles.take(STRANGERS_MAX).collect()
}

/// Returns the harm that a consumer does, if no dispatcher made it.
pub fn stranger(consumer: &Consumer) -> Option<Stranger> {
    let name = &consumer.name;
    if Source::from_consumer(name).is_some() {
        return None;
    }
    let is_copy = COPIES.iter().any(|prefix| name.starts_with(prefix));
    let (why, remedy) = if is_copy {
        let by = reader(&consumer.config).unwrap_or("a stream");
        (
            format!(
                "{by} mirrors or sources the queue: it takes the jobs of categories that have \
                 no consumer yet, and they are gone without an outcome"
            ),
            "delete that stream (nats stream ls, nats stream info); to back the queue up use \
             nats stream backup",
        )
    } else {
        (
            "no dispatcher created it: jobs that it acknowledges are gone without outcome"
                .to_owned(),
            "delete it (nats consumer rm ROLECAST_JOBS); to read jobs use nats stream view",
        )
    };
    Some(Stranger {
        is_copy,
        why,
        remedy,
    })
}

/// Returns the stream for which the consumer of a mirror reads; servers since 2.15 report
/// it.
fn reader(config: &Config) -> Option<&str> {
    let mut entries = config.metadata.iter();
    let is_reader = |name: &str| name.starts_with("_nats.") && name.ends_with(".stream");
    let (_, stream) = entries.find(|(name, _)| is_reader(name))?;
    Some(stream)
}

/// Returns the source of a consumer of ours that differs from what a dispatcher makes,
/// and the difference.
pub fn drift(consumer: &Consumer) -> Option<(Source, String)> {
    let source = Source::from_consumer(&consumer.name)?;
    let why = difference(&source, &consumer.config)?;
    Some((source, why))
}

fn difference(source: &Source, config: &Config) -> Option<String> {
    if config.filter_subject != source.subject() || !config.filter_subjects.is_empty() {
        let filter = &config.filter_subject;
        return Some(format!("its filter was changed to {filter:?}"));
    }
    if config.ack_policy != "explicit" {
        return Some("its ack policy was changed".to_owned());
    }
    if config.max_deliver > 0 {
        let max = config.max_deliver;
        return Some(format!("max_deliver was set to {max}: jobs are dropped"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Consumer {
        Consumer {
            name: name.to_owned(),
            config: Config::default(),
        }
    }

    #[test]
    fn a_copy_of_the_queue_and_a_foreign_consumer_are_reported() {
        // The form in which nats-server 2.15.1 reports a mirror.
        let mirror = r#"{"name": "JS_MIRROR_9ubHERDx", "config": {"ack_policy": "flow_control",
            "max_deliver": -1, "metadata": {"_nats.mirror.acc": "$G",
            "_nats.mirror.stream": "BACKUP", "_nats.req.level": "4"}}}"#;
        let mirror = serde_json::from_str(mirror).unwrap();
        let consumers = [
            named("normal-ocr"),
            named("high-ocr"),
            mirror,
            named("mine"),
        ];
        let troubles = among(&consumers);
        assert_eq!(troubles.len(), 2);
        assert_eq!(
            troubles[0].what,
            "consumer JS_MIRROR_9ubHERDx on ROLECAST_JOBS"
        );
        assert!(troubles[0].why.starts_with("BACKUP mirrors"));
        assert!(troubles[0].remedy.contains("nats stream backup"));
        assert!(troubles[1].why.contains("no dispatcher created it"));
        let many: Vec<Consumer> = (0..100).map(|n| named(&format!("JS_SRC_{n}"))).collect();
        assert_eq!(among(&many).len(), STRANGERS_MAX);
    }

    #[test]
    fn what_somebody_changed_on_a_consumer_is_named() {
        let source = Source::from_consumer("normal-ocr").unwrap();
        let good = Config {
            filter_subject: "rolecast.jobs.ocr".to_owned(),
            ack_policy: "explicit".to_owned(),
            max_deliver: -1,
            ..Config::default()
        };
        assert_eq!(difference(&source, &good), None);
        let filter = Config {
            filter_subject: "rolecast.jobs.scan".to_owned(),
            ..good.clone()
        };
        assert!(difference(&source, &filter).unwrap().contains("scan"));
        let acks = Config {
            ack_policy: "none".to_owned(),
            ..good.clone()
        };
        assert!(difference(&source, &acks).unwrap().contains("ack policy"));
        let dropped = Config {
            max_deliver: 3,
            ..good
        };
        assert!(difference(&source, &dropped).unwrap().contains("dropped"));
    }
}
