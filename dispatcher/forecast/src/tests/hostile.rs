//! Property tests: with any input, forecasts are finite, possible and in order.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Forecaster, HORIZON_MAX, Model, Quantiles};

/// The next event: the step of the number, and the measured value.
#[derive(Clone, Copy, Debug)]
enum Event {
    Next(Option<f64>),
    /// The same value this many times.
    Repeat(f64, u8),
    Skip(u64, f64),
    Back(u64, f64),
    /// A number from the end of the range.
    End(u64, f64),
}

fn sample() -> impl Strategy<Value = f64> {
    let odd = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        f64::MIN_POSITIVE,
        1e-30,
        1e12,
        -1e12,
        1e15,
        1e300,
        -1e300,
        f64::MAX,
    ];
    prop_oneof![
        4 => 0.0..10.0f64,
        2 => Just(0.0),
        2 => Just(7.5),
        1 => -5.0..5.0f64,
        1 => 0.0..1e12f64,
        2 => proptest::sample::select(odd.to_vec()),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let gap = prop_oneof![2u64..4, 55u64..70, 1000u64..3000, Just(u64::MAX / 3)];
    prop_oneof![
        12 => proptest::option::weighted(0.9, sample()).prop_map(Event::Next),
        3 => (sample(), 1u8..80).prop_map(|(value, count)| Event::Repeat(value, count)),
        2 => (gap, sample()).prop_map(|(gap, value)| Event::Skip(gap, value)),
        1 => (0u64..100, sample()).prop_map(|(back, value)| Event::Back(back, value)),
        1 => (0u64..100, sample()).prop_map(|(before, value)| Event::End(before, value)),
    ]
}

fn step() -> impl Strategy<Value = Duration> {
    let seconds = prop_oneof![Just(60), Just(0), Just(1), Just(3600), Just(u64::MAX)];
    seconds.prop_map(Duration::from_secs)
}

fn capacity() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::INFINITY),
        Just(8.0),
        Just(0.0),
        Just(f64::NAN),
        Just(-1.0)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn forecasts_are_finite_possible_and_in_order(
        model in proptest::sample::select(&Model::ALL[..]),
        step in step(),
        capacity in capacity(),
        start in prop_oneof![Just(0u64), 0u64..3000, Just(28_000_000)],
        events in vec(event(), 1..40),
    ) {
        let mut forecaster = Forecaster::new(model, step, capacity);
        let mut number = start;
        for event in events {
            feed(&mut forecaster, &mut number, event);
            check(&forecaster, capacity.max(0.0))?;
        }
    }
}

fn feed(forecaster: &mut Forecaster, number: &mut u64, event: Event) {
    match event {
        Event::Next(sample) => forecaster.observe(*number, sample),
        Event::Repeat(sample, count) => {
            for _ in 0..count {
                forecaster.observe(*number, Some(sample));
                *number = number.saturating_add(1);
            }
        }
        Event::Skip(gap, sample) => {
            *number = number.saturating_add(gap);
            forecaster.observe_with_peak(*number, Some(1.0), Some(sample));
        }
        Event::Back(back, sample) => {
            forecaster.observe(number.saturating_sub(back), Some(sample));
        }
        Event::End(before, sample) => {
            *number = (*number).max(u64::MAX - before);
            forecaster.observe(*number, Some(sample));
        }
    }
    *number = number.saturating_add(1);
}

fn check(forecaster: &Forecaster, capacity: f64) -> Result<(), TestCaseError> {
    for horizon in [0, 1, 2, 4, 15, 20, 59, HORIZON_MAX, u32::MAX] {
        for forecast in [
            forecaster.predict(horizon),
            forecaster.predict_peak(horizon),
        ] {
            let Quantiles { p50, p90, p99 } = forecast;
            prop_assert!(
                [p50, p90, p99].iter().all(|value| value.is_finite()),
                "{forecast:?}"
            );
            prop_assert!(0.0 <= p50 && p50 <= p90 && p90 <= p99, "{forecast:?}");
            prop_assert!(p99 <= capacity, "{forecast:?}");
        }
        let (value, peak) = (
            forecaster.predict(horizon),
            forecaster.predict_peak(horizon),
        );
        prop_assert!(peak.p50 >= value.p50 && peak.p99 >= value.p99, "{peak:?}");
        prop_assert!(peak.p90 >= value.p90, "{peak:?} {value:?}");
        let weights = forecaster.weights(horizon);
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        prop_assert!((sum - 1.0).abs() < 1e-4, "{weights:?}");
        let accuracy = forecaster.accuracy(horizon);
        prop_assert!(accuracy.error.is_finite() && accuracy.naive_error.is_finite());
    }
    prop_assert!(forecaster.recent(200).iter().all(|value| value.is_finite()));
    Ok(())
}
