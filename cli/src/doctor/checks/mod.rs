//! Checks: each derives the findings of some areas from the facts.

mod account;
mod clocks;
mod consumers;
mod fleet;
mod forecasts;
mod lead;
mod letters;
mod roles;
mod server;
mod settings;
mod standbys;
mod streams;
mod work;

use super::catalogue::Entry;
use super::catalogue::lead::DISPATCHER_MISSING;
use super::catalogue::nats::{
    CONSUMER_MISSING, CONSUMER_NOT_PULLED, REPLICA_BEHIND, STREAM_LEADERLESS, STREAM_MISSING,
    STREAM_SILENT,
};
use super::facts::Facts;
use super::finding::Report;

/// Findings that a system makes while it is set up.
const PASSING: [&Entry; 7] = [
    &CONSUMER_MISSING,
    &CONSUMER_NOT_PULLED,
    &DISPATCHER_MISSING,
    &REPLICA_BEHIND,
    &STREAM_LEADERLESS,
    &STREAM_MISSING,
    &STREAM_SILENT,
];

/// Returns whether a part of the findings will be gone once the system is set up, which a
/// dispatcher does at this moment.
pub(crate) fn is_settling(facts: &Facts, report: &Report) -> bool {
    let mut findings = report.findings.iter();
    facts.is_beginning() && findings.any(|finding| PASSING.contains(&finding.entry))
}

/// Derives all findings.
pub(crate) fn check(facts: &Facts) -> Report {
    let mut report = Report::new();
    server::check(facts, &mut report);
    if facts.server().is_some() {
        account::check(facts, &mut report);
        streams::check(facts, &mut report);
        consumers::check(facts, &mut report);
        lead::check(facts, &mut report);
        standbys::check(facts, &mut report);
        clocks::check(facts, &mut report);
        fleet::check(facts, &mut report);
        work::check(facts, &mut report);
        letters::check(facts, &mut report);
        roles::check(facts, &mut report);
        forecasts::check(facts, &mut report);
        settings::check(facts, &mut report);
    }
    report.sorted()
}
