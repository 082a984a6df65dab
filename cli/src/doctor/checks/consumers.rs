//! Consumers of the queue against what they should be.

use std::collections::BTreeSet;

use rolecast_common::id::{Category, Priority};
use rolecast_common::subjects::Source;
use rolecast_common::time::format_duration;
use rolecast_common::wire::CategoryStatus;

use crate::doctor::area::Area;
use crate::doctor::catalogue::nats::{
    CONSUMER_CHANGED, CONSUMER_FOREIGN, CONSUMER_FULL, CONSUMER_MISSING, CONSUMER_NOT_PULLED,
    CONSUMER_ORPHANED, CONSUMER_PAUSED, STREAM_COPIED,
};
use crate::doctor::facts::{Answer, Consumer, Facts, Found, Part};
use crate::doctor::finding::{Finding, Report};
use crate::quantity::counted;
use crate::style::one_line;
use rolecast_common::subjects::STREAM_JOBS;

/// Fullness at which a consumer soon delivers nothing more.
const FULL_PERCENT: u64 = 90;
/// Foreign names are of any length.
const NAME_CHARS_MAX: usize = 64;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let consumers = match &facts.consumers {
        Part::Known(consumers) => consumers,
        // The missing stream is reported already.
        Part::Unknown(_) if is_without_jobs(facts) => return,
        Part::Unknown(why) => return report.not_checked(Area::Consumers, why),
    };
    let count = u64::try_from(consumers.len()).unwrap_or(u64::MAX);
    report.checked(Area::Consumers, counted(count, "consumer"));
    report.find_all(consumers.iter().filter_map(foreign));
    report.find_all(consumers.iter().filter_map(|consumer| {
        let why = consumer.change.as_ref()?;
        let name = &consumer.name;
        let what = format!("consumer {name}: {why}");
        Some(Finding::new(&CONSUMER_CHANGED, what).by(command("info", name)))
    }));
    report.find_all(consumers.iter().filter_map(paused));
    report.find_all(consumers.iter().filter_map(full));
    report.find_all(missing(facts, consumers));
    report.find_all(
        consumers
            .iter()
            .filter_map(|consumer| idle(facts, consumer)),
    );
}

fn is_without_jobs(facts: &Facts) -> bool {
    let jobs = facts.streams.get(STREAM_JOBS).and_then(Part::known);
    matches!(jobs, Some(Found::Missing | Found::Silent(_)))
}

fn command(verb: &str, name: &str) -> String {
    let force = if verb == "info" { "" } else { " --force" };
    format!("nats consumer {verb} {STREAM_JOBS} {name}{force}")
}

fn foreign(consumer: &Consumer) -> Option<Finding> {
    let stranger = consumer.stranger.as_ref()?;
    let name = one_line(&consumer.name, NAME_CHARS_MAX);
    let what = format!("consumer {name}: {}", one_line(&stranger.why, 300));
    let finding = match stranger.is_copy {
        true => Finding::new(&STREAM_COPIED, what),
        false => Finding::new(&CONSUMER_FOREIGN, what).by(command("rm", &name)),
    };
    Some(finding.since(consumer.created))
}

fn paused(consumer: &Consumer) -> Option<Finding> {
    let left = consumer.paused?;
    let name = one_line(&consumer.name, NAME_CHARS_MAX);
    let what = format!(
        "consumer {name} is paused for another {}, with {}",
        format_duration(left),
        counted(consumer.pending, "job")
    );
    Some(Finding::new(&CONSUMER_PAUSED, what).by(command("resume", &name)))
}

fn full(consumer: &Consumer) -> Option<Finding> {
    let Consumer {
        name,
        ack_pending,
        ack_pending_max,
        ..
    } = consumer;
    let is_full = ack_pending.saturating_mul(100) >= ack_pending_max * FULL_PERCENT;
    if *ack_pending_max == 0 || !is_full {
        return None;
    }
    let name = one_line(name, NAME_CHARS_MAX);
    let what = format!("consumer {name} has {ack_pending} of {ack_pending_max} jobs in hand");
    Some(Finding::new(&CONSUMER_FULL, what).by(command("info", &name)))
}

fn categories(facts: &Facts) -> Option<&[CategoryStatus]> {
    Some(&facts.status()?.categories)
}

/// Returns the consumers that a served category lacks. Without a dispatcher these are the
/// categories that have one of their consumers.
fn missing(facts: &Facts, consumers: &[Consumer]) -> Vec<Finding> {
    let sources: BTreeSet<&Source> = consumers.iter().filter_map(|c| c.source.as_ref()).collect();
    let served: BTreeSet<&Category> = match categories(facts) {
        Some(categories) => categories.iter().map(|status| &status.category).collect(),
        None => sources.iter().map(|source| &source.category).collect(),
    };
    let wanted = served.into_iter().flat_map(|category| {
        Priority::ALL.map(|priority| Source {
            category: category.clone(),
            priority,
        })
    });
    let missing = wanted.filter(|source| !sources.contains(source));
    let finding = |source: Source| {
        let what = format!(
            "consumer {}: jobs on {} are delivered to nobody",
            source.consumer(),
            source.subject()
        );
        Finding::new(&CONSUMER_MISSING, what)
    };
    missing.map(finding).collect()
}

/// Returns the finding about a consumer that nobody uses.
fn idle(facts: &Facts, consumer: &Consumer) -> Option<Finding> {
    let source = consumer.source.as_ref()?;
    let name = &consumer.name;
    let is_waiting = consumer.pending > 0 && consumer.pulls == 0 && consumer.paused.is_none();
    let not_pulled = |why: &str| {
        let jobs = counted(consumer.pending, "job");
        Finding::new(
            &CONSUMER_NOT_PULLED,
            format!("consumer {name}: {jobs} wait, {why}"),
        )
    };
    match facts.fleet.known()? {
        Answer::Nobody => is_waiting.then(|| not_pulled("and no dispatcher leads")),
        Answer::Silent(_) => None,
        Answer::Status { status, .. } => {
            let mut served = status.categories.iter();
            match served.find(|served| served.category == source.category) {
                None if consumer.pending == 0 => {
                    let what = format!("consumer {name} is of no category that is served");
                    let finding = Finding::new(&CONSUMER_ORPHANED, what);
                    Some(finding.by(command("rm", name)).since(consumer.created))
                }
                None => is_waiting.then(|| not_pulled("and the dispatcher does not serve it")),
                // While all nodes are busy nothing is fetched.
                Some(served) => {
                    let is_idle = served.running == 0 && served.waiting == 0;
                    (is_waiting && is_idle && served.nodes_eligible > 0)
                        .then(|| not_pulled("and nodes have room for them"))
                }
            }
        }
    }
}
