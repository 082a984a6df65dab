//! Role protocol under faults: it holds, and the simulator detects when it does not.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the number of seeds comes from the environment, and figures are shown"
)]

use std::time::Duration;

use rolecast_tests::protocol::{
    BACKLOG_MAX, FLOW_MAX, Faults, Flaw, LEADER_MAX, RECOVERY_MAX, Run, run,
};

const SEEDS_DEFAULT: u64 = 500;
/// Few, because other tests run beside this one.
const THREADS: usize = 2;
/// Planted flaws must be detected within this many seeds: the rarest shows in one of 60 or
/// so.
const FLAW_SEEDS: u64 = 500;
/// Seeds that are run twice: before the order of a hash map was kept from the outside,
/// one of three differed.
const SEEDS_REPEATED: u64 = 30;

fn seeds() -> u64 {
    let seeds = std::env::var("ROLECAST_PROTOCOL_SEEDS").ok();
    let seeds = seeds.map(|text| text.parse().expect("ROLECAST_PROTOCOL_SEEDS is a number"));
    seeds.unwrap_or(SEEDS_DEFAULT)
}

#[test]
fn roles_are_safe_and_come_back_whatever_goes_wrong() {
    let count = seeds();
    let total = run_all(Faults::All, count);
    // A simulation without events would pass any check.
    assert!(total.changes > 5 * count, "{total:?}");
    assert!(total.job_starts > 5 * count, "{total:?}");
    assert!(total.recovery > Duration::ZERO && total.recovery <= RECOVERY_MAX);
    assert!(total.unled > Duration::ZERO && total.unled <= LEADER_MAX);
    assert!(total.flow > Duration::ZERO && total.flow <= FLOW_MAX);
    assert!(total.backlog > Duration::ZERO && total.backlog <= BACKLOG_MAX);
    assert!(total.recorded > 100 * count, "{total:?}");
}

#[test]
fn elections_of_the_bucket_never_change_who_leads() {
    let total = run_all(Faults::Elections, seeds() / 5);
    assert!(total.unled <= LEADER_MAX, "{total:?}");
}

/// Runs as many seeds, in a few threads.
fn run_all(faults: Faults, count: u64) -> Run {
    let threads: Vec<_> = (0..THREADS)
        .map(|first| std::thread::spawn(move || run_every(faults, first, count)))
        .collect();
    let mut total = Run::default();
    for thread in threads {
        total.add(thread.join().expect("all seeds of the part hold"));
    }
    println!("{faults:?}, {count} seeds: {total:?}");
    total
}

/// Runs this seed and every [`THREADS`]th one after it.
fn run_every(faults: Faults, first: usize, count: u64) -> Run {
    let mut total = Run::default();
    for seed in (0..count).skip(first).step_by(THREADS) {
        let run = run(seed, faults, None).unwrap_or_else(|violation| panic!("{violation}"));
        total.add(run);
    }
    total
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    for seed in 0..SEEDS_REPEATED {
        let [first, second] = [(); 2].map(|()| format!("{:?}", run(seed, Faults::All, None)));
        assert_eq!(first, second, "seed {seed}");
    }
}

/// Returns the first seed that detects the flaw.
fn notice(faults: Faults, flaw: Flaw) -> (u64, String) {
    let found = (0..FLAW_SEEDS).find_map(|seed| Some((seed, run(seed, faults, Some(flaw)).err()?)));
    let (seed, violation) = found.expect("a planted flaw is noticed");
    println!(
        "{flaw:?}: seed {seed}, at {:.1?}: {}",
        violation.at, violation.text
    );
    (seed, violation.text)
}

#[test]
fn a_lease_counted_from_receipt_is_noticed() {
    notice(Faults::All, Flaw::LeaseFromReceipt);
}

#[test]
fn a_command_of_an_old_epoch_is_noticed() {
    notice(Faults::All, Flaw::OldEpoch);
}

#[test]
fn a_promotion_before_the_confirmation_is_noticed() {
    notice(Faults::All, Flaw::EarlyPromotion);
}

#[test]
fn a_challenger_that_counts_the_absence_of_the_bucket_is_noticed() {
    notice(Faults::Elections, Flaw::AbsenceCounted);
}

#[test]
fn a_holder_that_asks_no_more_after_a_lapse_is_noticed() {
    notice(Faults::Elections, Flaw::NoReturn);
}
