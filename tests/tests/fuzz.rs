//! Fuzzing: input from outside is refused, or read and then breaks no rule.

use rolecast_tests::fuzz::run::{Broken, Until, run};
use rolecast_tests::fuzz::{TARGETS, Target};

/// Every run tries the same mutations.
const SEED: u64 = 20;

fn fuzz(name: &str) {
    let target = Target::named(name).expect("a target that is listed");
    let tried = run(target, SEED, Until::Runs(target.runs)).unwrap_or_else(|broken| {
        panic!("{broken}");
    });
    // Otherwise only the first check of a reader was tried.
    assert!(tried.accepted * 100 >= tried.runs, "{name}: {tried:?}");
}

macro_rules! targets {
    ($($test:ident: $name:literal;)+) => {
        $(
            #[test]
            fn $test() {
                fuzz($name);
            }
        )+

        #[test]
        fn every_target_is_run() {
            let named = [$($name),+];
            assert_eq!(TARGETS.map(|target| target.name), named);
        }
    };
}

targets! {
    a_checkpoint_of_any_bytes_forecasts_what_can_be: "checkpoint";
    a_configuration_is_read_or_its_mistakes_have_lines: "config";
    a_recording_is_a_table_or_refused: "csv";
    headers_are_options_or_refused: "headers";
    a_heartbeat_is_bounded_and_hides_no_job: "heartbeat";
    outcomes_acknowledge_only_what_was_sent: "outcome";
    messages_about_roles_keep_workers_within_what_they_offer: "roles";
    a_scenario_is_read_or_its_mistakes_have_lines: "scenario";
    a_subject_is_what_it_was_read_as: "subjects";
}

#[test]
fn every_seed_is_accepted() {
    for target in TARGETS {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert!((target.check)(seed), "seed {number} of {}", target.name);
        }
    }
}

#[test]
fn arithmetic_is_checked_where_inputs_are_tried() {
    let largest = std::hint::black_box(u64::MAX);
    let sum = std::panic::catch_unwind(|| largest + 1);
    assert!(sum.is_err(), "overflow checks are off");
}

#[test]
fn an_input_that_breaks_a_rule_is_found_and_shown() {
    let target = Target {
        name: "planted",
        check: |input| {
            assert!(!input.starts_with(b"abc\x00"), "it is the planted one");
            input.starts_with(b"abc")
        },
        seeds: || vec![b"abcd".to_vec()],
        runs: 0,
    };
    let broken: Broken = *run(&target, SEED, Until::Runs(100_000)).unwrap_err();
    let shown = broken.to_string();
    assert!(shown.contains("it is the planted one"), "{shown}");
    assert!(shown.contains("abc\\x00"), "{shown}");
    let again = *run(&target, SEED, Until::Runs(100_000)).unwrap_err();
    assert_eq!(again, broken, "a run can be repeated");
}
