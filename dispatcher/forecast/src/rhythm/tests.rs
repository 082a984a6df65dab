//! Tests of pulses that are forecast to begin and to end, and of load without any.

use rolecast_common::time::WallTime;

use super::search::search;
use super::{BIN_S, BUCKETS, RESOURCES, Rhythm};

const START_MS: u64 = 1_700_000_000_000;
const CORES: f64 = 8.0;

/// Observes a second's use of CPU, and as much of the disk.
fn observe(rhythm: &mut Rhythm, second: u64, cpu: f64) {
    let at = WallTime::from_millis(START_MS + 1000 * second);
    rhythm.observe(at, &[cpu, 2.0, 0.0, cpu], &[CORES, 4.0, 1.0, CORES]);
}

/// Returns the start times of pulses: every `period` seconds, with some jitter.
fn starts(period: f64, jitter: f64, until: f64) -> Vec<f64> {
    let mut rng = fastrand::Rng::with_seed(5);
    let count = (until / period) as u32;
    let grid = (0..=count).map(|cycle| 37.0 + f64::from(cycle) * period);
    grid.map(|start| start + jitter * (2.0 * rng.f64() - 1.0))
        .collect()
}

/// Returns a use of 1 to 1.2 cores, and 6 more in pulses of 40 s.
fn pulses(starts: &[f64], second: u64, rng: &mut fastrand::Rng) -> f64 {
    let is_high = |start: &f64| (*start..*start + 40.0).contains(&(second as f64));
    let pulse = if starts.iter().any(is_high) { 6.0 } else { 0.0 };
    1.0 + 0.2 * rng.f64() + pulse
}

/// Learns from observations 3 s apart for this long, which is enough for a few cycles.
fn learned(starts: &[f64], seconds: u64) -> Rhythm {
    let (mut rhythm, mut rng) = (Rhythm::new(), fastrand::Rng::with_seed(9));
    for second in (0..seconds).step_by(3) {
        observe(&mut rhythm, second, pulses(starts, second, &mut rng));
    }
    rhythm
}

#[test]
fn a_pulse_is_seen_coming_and_ending() {
    let starts = starts(300.0, 0.0, 4000.0);
    // 3037 is a start: 12 s before it, and 25 s into it.
    let mut rhythm = learned(&starts, 3025);
    let period = periods(&rhythm)[0];
    let share = search(&rhythm.ring.past().values[0]).unwrap().share;
    assert!(
        (period - 300.0).abs() < 1.0 && share > 0.8,
        "{period}, {share}"
    );
    let ahead = *rhythm.expected();
    assert!(ahead[1][0] < 2.0, "{ahead:?}");
    // Of the bucket from 8 to 32 s, 20 s are in the pulse.
    assert!(ahead[3][0] > 4.0 && ahead[3][3] > 4.0, "{ahead:?}");
    assert!(
        (ahead[3][1] - 2.0).abs() < 0.1,
        "memory is steady: {ahead:?}"
    );
    let mut rng = fastrand::Rng::with_seed(1);
    (3025..3064).for_each(|second| observe(&mut rhythm, second, pulses(&starts, second, &mut rng)));
    let ahead = rhythm.expected();
    assert!(ahead[1][0] > 5.0 && ahead[4][0] < 2.2, "{ahead:?}");
}

#[test]
fn a_period_is_found_within_five_cycles() {
    let rhythm = learned(&starts(300.0, 3.0, 2000.0), 1500);
    let period = periods(&rhythm)[0];
    assert!((period - 300.0).abs() < 3.0, "{period}");
}

#[test]
fn a_pulse_that_began_late_is_expected_to_end_late() {
    let mut starts = starts(300.0, 20.0, 6000.0);
    let late = starts.iter().position(|start| *start > 5100.0).unwrap();
    starts[late] = 37.0 + 300.0 * late as f64 + 18.0;
    let begin = starts[late] as u64;
    let mut rhythm = learned(&starts, begin - 60);
    let mut rng = fastrand::Rng::with_seed(1);
    let feed = |rhythm: &mut Rhythm, range: std::ops::Range<u64>, rng: &mut fastrand::Rng| {
        range.for_each(|second| observe(rhythm, second, pulses(&starts, second, rng)));
    };
    feed(&mut rhythm, begin - 60..begin + 28, &mut rng);
    // A punctual one would be over; of this one 12 s are left.
    let ahead = rhythm.expected();
    assert!(ahead[2][0] > 4.5, "{ahead:?}");
    assert!(ahead[4][0] < 2.5, "{ahead:?}");
}

#[test]
fn random_load_has_no_rhythm_and_fades_to_what_is_usual() {
    let mut rng = fastrand::Rng::with_seed(3);
    let (mut starts, mut next) = (Vec::new(), 0.0);
    while next < 7000.0 {
        next += 60.0 + 500.0 * rng.f64();
        starts.push(next);
    }
    let rhythm = learned(&starts, 6000);
    assert!(periods(&rhythm).is_empty());
    let mut rhythm = rhythm;
    (6000..6004).for_each(|second| observe(&mut rhythm, second, 7.0));
    let ahead = rhythm.expected();
    assert!(ahead[0][0] > 6.5 && ahead[1][0] > 6.0, "{ahead:?}");
    assert!(ahead[5][0] < 3.0, "{ahead:?}");
    assert!(
        ahead.windows(2).all(|pair| pair[0][0] >= pair[1][0] - 0.2),
        "{ahead:?}"
    );
}

#[test]
fn before_anything_is_known_nothing_changes() {
    let mut rhythm = Rhythm::new();
    assert_eq!(*rhythm.expected(), [[0.0; RESOURCES]; BUCKETS]);
    observe(&mut rhythm, 0, 3.0);
    assert_eq!(*rhythm.expected(), [[3.0, 2.0, 0.0, 3.0]; BUCKETS]);
}

#[test]
fn hostile_values_and_clocks_leave_forecasts_within_the_capacity() {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut rhythm = Rhythm::new();
    let mut second = 0u64;
    for round in 0..3000u64 {
        second = match rng.u8(..100) {
            0 => rng.u64(..200_000),
            1 => second.saturating_sub(rng.u64(..3000)),
            2 => second,
            _ => second + rng.u64(..4),
        };
        let cpu = match rng.u8(..20) {
            0 => f64::NAN,
            1 => -1.0,
            2 => f64::INFINITY,
            3 => 1e300,
            _ => 8.0 * rng.f64(),
        };
        let capacity = [0.0, 4.0, f64::NAN, CORES * ((round / 1000) as f64 + 1.0)];
        let at = WallTime::from_millis(1000 * second);
        rhythm.observe(at, &[cpu, 9.0, cpu, 1e-300], &capacity);
        for bucket in rhythm.expected() {
            assert!(bucket.iter().all(|value| *value >= 0.0), "{bucket:?}");
            assert!(
                bucket[1] <= 4.0 && f64::from(bucket[3]) <= capacity[3],
                "{bucket:?}"
            );
        }
    }
}

#[test]
fn a_clock_that_jumps_begins_anew() {
    let starts = starts(300.0, 0.0, 4000.0);
    for jump in [10_000, 100_000] {
        let mut rhythm = learned(&starts, 3000);
        assert!(!periods(&rhythm).is_empty());
        let at = WallTime::from_millis(
            START_MS + 3_000_000 + 1000 * jump - 20_000_000 * (jump / 100_000),
        );
        rhythm.observe(at, &[5.0, 2.0, 0.0, 5.0], &[CORES; RESOURCES]);
        assert!(periods(&rhythm).is_empty());
        assert_eq!(rhythm.expected()[5][0], 5.0);
    }
}

/// Returns the periods found, in seconds.
fn periods(rhythm: &Rhythm) -> Vec<f64> {
    let parts = rhythm.parts.iter();
    parts.map(|(part, _)| part.period * BIN_S).collect()
}
