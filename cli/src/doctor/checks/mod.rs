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
mod streams;
mod work;

use super::facts::Facts;
use super::finding::Report;

/// Derives all findings.
pub(crate) fn check(facts: &Facts) -> Report {
    let mut report = Report::new();
    server::check(facts, &mut report);
    if facts.server().is_some() {
        account::check(facts, &mut report);
        streams::check(facts, &mut report);
        consumers::check(facts, &mut report);
        lead::check(facts, &mut report);
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
