//! Tests of a node's forecasts before, while and after they learn.

use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::ForecastMode;

use super::*;
use crate::Model;

const START_MS: u64 = 1_700_000_100_000;

fn node() -> NodeId {
    NodeId::new("n1").unwrap()
}

fn forecast(quantile: Quantile) -> NodeForecast {
    let params = Params {
        mode: ForecastMode::On,
        model: Model::Ensemble,
        step_s: 10,
        quantile,
    };
    NodeForecast::new(&node(), params, &Arc::default())
}

fn cores(cpu: f64) -> Resources {
    Resources {
        cpu: Cores::clamped(cpu),
        memory: Bytes::from_mib(512),
        ..Resources::default()
    }
}

fn capacity() -> Resources {
    Resources {
        memory: Bytes::from_mib(1024),
        ..cores(4.0)
    }
}

/// Sends a heartbeat a second.
fn feed(forecast: &mut NodeForecast, seconds: std::ops::Range<u64>, cpu: impl Fn(u64) -> f64) {
    for second in seconds {
        let at = WallTime::from_millis(START_MS + second * 1000);
        forecast.observe(&node(), at, cores(cpu(second)), capacity());
    }
}

fn cpu_ahead(forecast: &NodeForecast, seconds: u64) -> f64 {
    let ahead = Ahead::covering(Duration::from_secs(seconds));
    forecast.safe(ahead).cpu.get()
}

#[test]
fn before_a_span_is_over_the_last_heartbeat_stands() {
    let mut forecast = forecast(Quantile::P90);
    feed(&mut forecast, 0..2, |second| 1.0 + second as f64);
    for ahead in Ahead::all() {
        assert_eq!(forecast.safe(ahead).cpu.get(), 2.0);
        assert_eq!(forecast.safe(ahead).memory, Bytes::from_mib(512));
    }
    let [cpu, memory, ..] = forecast.expected()[0].into_array();
    assert!((cpu - 2.0).abs() < 1e-4, "{cpu} cores");
    assert!(
        (memory / 1024.0 / 1024.0 - 512.0).abs() < 0.1,
        "{memory} bytes"
    );
    assert!(forecast.view()["cpu"].horizons.is_empty());
}

#[test]
fn steady_use_is_expected_to_stay() {
    let mut forecast = forecast(Quantile::P90);
    feed(&mut forecast, 0..1180, |_| 1.5);
    for ahead in Ahead::all() {
        let (likely, safe) = (forecast.likely(ahead), forecast.safe(ahead));
        assert!((likely.cpu.get() - 1.5).abs() < 0.1, "{likely:?}");
        assert!(safe.cpu >= likely.cpu && safe.cpu.get() < 2.0, "{safe:?}");
    }
    let shown = &forecast.view()["cpu"];
    // The beginning of the node's spans depends on its id, so one more or less is over.
    assert!((3..=4).contains(&shown.history_5m.len()));
    assert_eq!(shown.capacity, 4.0);
    assert!(shown.history.iter().all(|mean| (mean - 1.5).abs() < 1e-6));
}

#[test]
fn a_longer_stay_meets_no_lower_peak_and_never_one_above_capacity() {
    let mut forecast = forecast(Quantile::P99);
    feed(&mut forecast, 0..4000, |second| match second / 90 % 3 {
        0 => 3.8,
        _ => 0.2 + (second % 7) as f64 / 10.0,
    });
    let peaks: Vec<f64> = [1, 10, 60, 300, 900, 3600, 86_400]
        .map(|stay| cpu_ahead(&forecast, stay))
        .to_vec();
    assert!(peaks.is_sorted(), "{peaks:?}");
    assert!(peaks.iter().all(|peak| *peak <= 4.0), "{peaks:?}");
    assert!(
        peaks[4] > 3.0,
        "bursts are expected to come again: {peaks:?}"
    );
}

#[test]
fn a_rise_between_two_spans_counts_at_once() {
    let mut forecast = forecast(Quantile::P50);
    feed(&mut forecast, 0..600, |_| 0.5);
    feed(&mut forecast, 600..601, |_| 3.5);
    assert_eq!(cpu_ahead(&forecast, 1), 3.5);
}

#[test]
fn what_was_expected_of_a_minute_is_shown_beside_what_it_was() {
    let mut forecast = forecast(Quantile::P90);
    // The load rises at a moment that nothing announces.
    let load = |second| if second < 5400 { 1.0 } else { 3.0 };
    feed(&mut forecast, 0..5580, load);
    let shown = &forecast.view()["cpu"];
    let past = shown.past.clone().unwrap();
    assert_eq!(past.ahead_s, 300);
    let ago: Vec<u32> = past.values.iter().map(|at| at.ago_s).collect();
    assert_eq!(
        ago,
        (0..60)
            .rev()
            .map(|minutes| minutes * 60)
            .collect::<Vec<u32>>()
    );
    let last = past.values.last().unwrap();
    assert!(
        (last.p50 - 1.0).abs() < 0.1,
        "made before the rise: {last:?}"
    );
    assert!(last.p90 >= last.p50);
    assert_eq!(shown.history.last(), Some(&3.0));
    feed(&mut forecast, 5580..5900, load);
    let views = forecast.view();
    let last = *views["cpu"].past.as_ref().unwrap().values.last().unwrap();
    assert!(last.p50 > 2.0, "made after the rise: {last:?}");
    assert_eq!(views["memory"].past, None);
}

#[test]
fn a_clock_set_back_for_good_does_not_stop_the_forecasts() {
    let mut forecast = forecast(Quantile::P90);
    feed(&mut forecast, 90_000..91_000, |_| 3.0);
    feed(&mut forecast, 0..1000, |_| 0.5);
    assert!(cpu_ahead(&forecast, 60) < 1.0);
    let minutes = forecast.view()["cpu"].history.len();
    assert!((16..=17).contains(&minutes), "{minutes}");
}

#[test]
fn a_lesson_is_taken_once() {
    let mut forecast = forecast(Quantile::P90);
    feed(&mut forecast, 0..700, |second| {
        (second / 10 % 5) as f64 / 2.0
    });
    let mut lessons = Vec::new();
    forecast.take_lessons(&mut lessons);
    assert!(!lessons.is_empty());
    lessons.clear();
    forecast.take_lessons(&mut lessons);
    assert_eq!(lessons.len(), 0);
}

#[test]
fn a_restart_forgets_no_more_than_the_open_spans() {
    let rate = |second: u64| (second / 60 % 4) as f64;
    let mut forecast = forecast(Quantile::P90);
    assert_eq!(forecast.save(), None);
    feed(&mut forecast, 0..4000, rate);
    let bytes = forecast.save().unwrap();
    let params = Params {
        mode: ForecastMode::On,
        model: Model::Ensemble,
        step_s: 10,
        quantile: Quantile::P90,
    };
    let mut loaded = NodeForecast::load(&node(), params, &bytes).unwrap();
    assert_eq!(loaded.save().unwrap(), bytes);
    feed(&mut forecast, 4000..4001, rate);
    feed(&mut loaded, 4000..4001, rate);
    for ahead in Ahead::all() {
        assert_eq!(loaded.safe(ahead), forecast.safe(ahead));
    }
    let damaged: Vec<u8> = bytes[..bytes.len() - 1].to_vec();
    assert!(NodeForecast::load(&node(), params, &damaged).is_none());
    let others = [
        Params {
            model: Model::Ets,
            ..params
        },
        Params {
            step_s: 5,
            ..params
        },
    ];
    for other in others {
        assert!(NodeForecast::load(&node(), other, &bytes).is_none());
    }
}

#[test]
fn the_forecasters_of_a_node_take_less_than_70_kib() {
    let forecasters = 2 * Resource::COUNT * size_of::<Forecaster>();
    let size = size_of::<NodeForecast>() + forecasters;
    assert!(size < 70 * 1024, "{size} bytes");
}
