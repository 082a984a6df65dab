//! Files that people write: configurations, scenarios, recordings.

use rolecast_common::settings::Mistakes;
use rolecast_dispatcher::config as dispatcher;
use rolecast_simulator::recording::Table;
use rolecast_simulator::scenario::{Scenario, extends};
use rolecast_worker::config as worker;

/// Reads a text as both configurations.
pub(in super::super) fn config(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let dispatcher = dispatcher::parse(text, "host");
    let worker = worker::Config::read(text);
    let is_read = dispatcher.is_ok() || worker.is_ok();
    dispatcher
        .err()
        .iter()
        .for_each(|mistakes| check(text, mistakes));
    worker
        .err()
        .iter()
        .for_each(|mistakes| check(text, mistakes));
    is_read
}

/// Reads a text as a scenario.
pub(in super::super) fn scenario(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let _ = extends(text);
    let read = Scenario::read(text, &Scenario::default());
    let is_read = read.is_ok();
    read.err().iter().for_each(|mistakes| check(text, mistakes));
    is_read
}

/// Checks that a refused text has a mistake, in a line that exists.
fn check(text: &str, mistakes: &Mistakes) {
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    assert!(!mistakes.0.is_empty());
    for mistake in &mistakes.0 {
        assert!(
            (1..=lines).contains(&mistake.line),
            "{mistake:?} of {lines} lines"
        );
    }
}

/// Reads a recording.
pub(in super::super) fn csv(input: &[u8]) -> bool {
    let Ok(table) = Table::read(input) else {
        return false;
    };
    assert!(!table.step.is_zero());
    assert!(table.numbers.is_sorted_by(|one, other| one < other));
    assert!(table.times.is_sorted_by(|one, other| one < other));
    assert_eq!(table.numbers.len(), table.times.len());
    assert!(!table.series.is_empty());
    for series in &table.series {
        assert_eq!(series.samples.len(), table.numbers.len());
        assert!(
            series
                .samples
                .iter()
                .flatten()
                .all(|sample| sample.is_finite())
        );
    }
    true
}
