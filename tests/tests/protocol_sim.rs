//! The role protocol holds in a bad world, and the simulator notices when it does not.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the number of seeds comes from the environment, and figures are shown"
)]

use std::time::Duration;

use rolecast_tests::protocol::{Flaw, RECOVERY_MAX, Run, run};

const SEEDS_DEFAULT: u64 = 500;
/// Few, for other tests run beside this one.
const THREADS: usize = 2;
/// Planted flaws must be noticed within so many seeds.
const FLAW_SEEDS: u64 = 100;

fn seeds() -> u64 {
    let seeds = std::env::var("ROLECAST_PROTOCOL_SEEDS").ok();
    let seeds = seeds.map(|text| text.parse().expect("ROLECAST_PROTOCOL_SEEDS is a number"));
    seeds.unwrap_or(SEEDS_DEFAULT)
}

#[test]
fn roles_are_safe_and_come_back_whatever_goes_wrong() {
    let count = seeds();
    let threads: Vec<_> = (0..THREADS)
        .map(|first| std::thread::spawn(move || run_every(first, count)))
        .collect();
    let mut total = Run::default();
    for thread in threads {
        let part = thread.join().expect("all seeds of the part hold");
        total.steps += part.steps;
        total.changes += part.changes;
        total.job_starts += part.job_starts;
        total.recovery = total.recovery.max(part.recovery);
    }
    println!("{count} seeds: {total:?}");
    // A simulation in which nothing happens would hold anything.
    assert!(total.changes > 5 * count, "{total:?}");
    assert!(total.job_starts > 5 * count, "{total:?}");
    assert!(total.recovery > Duration::ZERO && total.recovery <= RECOVERY_MAX);
}

/// Runs this seed and every [`THREADS`]th one after it.
fn run_every(first: usize, count: u64) -> Run {
    let mut total = Run::default();
    for seed in (0..count).skip(first).step_by(THREADS) {
        let run = run(seed, None).unwrap_or_else(|violation| panic!("{violation}"));
        total.steps += run.steps;
        total.changes += run.changes;
        total.job_starts += run.job_starts;
        total.recovery = total.recovery.max(run.recovery);
    }
    total
}

/// Returns the first seed that notices the flaw.
fn notice(flaw: Flaw) -> (u64, String) {
    let found = (0..FLAW_SEEDS).find_map(|seed| Some((seed, run(seed, Some(flaw)).err()?)));
    let (seed, violation) = found.expect("a planted flaw is noticed");
    println!(
        "{flaw:?}: seed {seed}, at {:.1?}: {}",
        violation.at, violation.text
    );
    (seed, violation.text)
}

#[test]
fn a_lease_counted_from_receipt_is_noticed() {
    notice(Flaw::LeaseFromReceipt);
}

#[test]
fn a_command_of_an_old_epoch_is_noticed() {
    notice(Flaw::OldEpoch);
}

#[test]
fn a_promotion_before_the_confirmation_is_noticed() {
    notice(Flaw::EarlyPromotion);
}
