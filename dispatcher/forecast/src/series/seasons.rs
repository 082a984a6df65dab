//! The seasons of a series: its usual day and week.
//!
//! The day is cut into ten-minute bins, each an exponentially weighted mean over days;
//! their residuals are projected on three harmonics of the week. Additive seasons, as in
//! Taylor & Letham, *Forecasting at Scale* (2018), with bins in place of daily Fourier
//! terms: bins follow the edge of a daily job, which few terms cannot.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions within a day or a week are small"
)]

use crate::checkpoint::state;
use std::array::from_fn;
use std::f32::consts::TAU;

use super::history::HISTORY_LEN;
use super::window::Path;
use crate::{HORIZON_MAX, HORIZONS};

/// Bins of a day: ten minutes each.
const BINS: usize = 144;
const DAY_SECONDS: u64 = 86_400;
const WEEK_DAYS: u64 = 7;
/// Number of sines and cosines of the week.
const HARMONICS: usize = 3;
/// The weight of the newest day in a bin (measured: two or three days count).
const DAY_WEIGHT: f32 = 0.35;
/// Days before the week is used: it must have been seen twice.
const WEEK_DAYS_MIN: u64 = 14;
/// The weight of one bin in the projection on the week: a memory of two weeks.
const WEEK_WEIGHT: f32 = 2.0 / (2.0 * 7.0 * BINS as f32);
/// The share of the seasonal change that is used (measured: days differ).
const GAIN: f32 = 0.7;

/// The seasonal parts around one moment; only differences mean anything.
#[derive(Clone, Debug)]
pub(crate) struct SeasonalParts {
    /// Of the last samples, newest first.
    pub(crate) past: [f32; HISTORY_LEN],
    /// At each horizon.
    pub(crate) ahead: Path,
}

/// The seasons of one series.
#[derive(Clone, Debug)]
pub(crate) struct Seasons {
    day_steps: u64,
    bins: [f32; BINS],
    week: [[f32; 2]; HARMONICS],
    /// The bin that is being measured, counted from the epoch.
    open: Option<u64>,
    sum: f32,
    count: f32,
    /// The first bin ever measured.
    first: u64,
}

state!(Seasons {
    bins,
    week,
    open,
    sum,
    count,
    first
});

impl Seasons {
    pub(crate) fn new(step_seconds: u64) -> Self {
        Self {
            day_steps: (DAY_SECONDS / step_seconds.max(1)).max(1),
            bins: [0.0; BINS],
            week: [[0.0; 2]; HARMONICS],
            open: None,
            sum: 0.0,
            count: 0.0,
            first: 0,
        }
    }

    /// Whether the last sample, if there was one, can have been the one with this number.
    pub(crate) fn is_possible(&self, number: Option<u64>) -> bool {
        let open = number.map(|number| self.bin(number));
        self.open == open && self.first <= open.unwrap_or_default()
    }

    /// Learns from the sample with this number.
    pub(crate) fn observe(&mut self, number: u64, value: f32) {
        let bin = self.bin(number);
        match self.open {
            Some(open) if open != bin => self.close(open, bin),
            Some(_) => {}
            None => self.first = bin,
        }
        self.open = Some(bin);
        self.sum += value;
        self.count += 1.0;
    }

    /// Learns the mean of a bin that is over, and fills skipped ones.
    fn close(&mut self, open: u64, next: u64) {
        let mean = self.sum / self.count.max(1.0);
        (self.sum, self.count) = (0.0, 0.0);
        let is_first_day = open.saturating_sub(self.first) < BINS as u64;
        let skipped = next.saturating_sub(open).min(BINS as u64);
        for bin in open..open + skipped.max(1) {
            let slot = slot(bin);
            if is_first_day {
                self.bins[slot] = mean;
            } else if bin == open {
                let surprise = mean - self.bins[slot] - self.week_at(self.phase(bin));
                self.learn_week(bin, surprise);
                self.bins[slot] += DAY_WEIGHT * (mean - self.bins[slot]);
            }
        }
    }

    fn learn_week(&mut self, bin: u64, surprise: f32) {
        let phase = self.phase(bin);
        for (harmonic, [sine, cosine]) in (1u8..).zip(&mut self.week) {
            let (sin, cos) = (f32::from(harmonic) * phase).sin_cos();
            *sine += WEEK_WEIGHT * surprise * sin;
            *cosine += WEEK_WEIGHT * surprise * cos;
        }
    }

    /// Whether a whole day is known.
    pub(crate) fn is_known(&self) -> bool {
        self.days() >= 1
    }

    fn days(&self) -> u64 {
        let open = self.open.unwrap_or(self.first);
        open.saturating_sub(self.first) / BINS as u64
    }

    /// Returns the seasonal parts around the sample with this number; all zero
    /// before a whole day is known.
    pub(crate) fn around(&self, number: u64) -> SeasonalParts {
        if !self.is_known() {
            return SeasonalParts {
                past: [0.0; HISTORY_LEN],
                ahead: Path::default(),
            };
        }
        let per_step = BINS as f32 / self.day_steps as f32;
        let position = (number % self.day_steps) as f32 * per_step - 0.5;
        // The week changes so slowly that lines through three points are enough.
        let week = self.week_of(number);
        let before = self.week_of(number.saturating_sub(HISTORY_LEN as u64));
        let fall = (before - week) / HISTORY_LEN as f32;
        let after = self.week_of(number.saturating_add(u64::from(HORIZON_MAX)));
        let rise = (after - week) / HORIZON_MAX as f32;
        let past = from_fn(|lag| {
            let lag = lag as f32;
            GAIN * (self.day_at(position - lag * per_step) + lag * fall)
        });
        let ahead = HORIZONS.map(|step| {
            let step = step as f32;
            GAIN * (self.day_at(position + step * per_step) + step * rise)
        });
        SeasonalParts { past, ahead }
    }

    /// Returns the day's bins around a position, smoothed and interpolated by lines.
    fn day_at(&self, position: f32) -> f32 {
        let floor = position.floor();
        let share = position - floor;
        let bins = BINS as i32;
        let first = (floor as i32 - 1).rem_euclid(bins) as usize;
        let [a, b, c, d] = from_fn(|offset| self.bins[(first + offset) % BINS]);
        ((1.0 - share) * (a + b + c) + share * (b + c + d)) / 3.0
    }

    fn week_of(&self, number: u64) -> f32 {
        if self.days() < WEEK_DAYS_MIN {
            return 0.0;
        }
        self.week_at(self.phase(self.bin(number)))
    }

    fn week_at(&self, phase: f32) -> f32 {
        let harmonics = (1u8..).zip(&self.week);
        let terms = harmonics.map(|(harmonic, [sine, cosine])| {
            let (sin, cos) = (f32::from(harmonic) * phase).sin_cos();
            sine * sin + cosine * cos
        });
        terms.sum()
    }

    fn bin(&self, number: u64) -> u64 {
        let first_of_day = (number / self.day_steps).saturating_mul(BINS as u64);
        first_of_day.saturating_add(number % self.day_steps * BINS as u64 / self.day_steps)
    }

    /// Returns the position of a bin in the week, in radians.
    fn phase(&self, bin: u64) -> f32 {
        let week = WEEK_DAYS * BINS as u64;
        TAU * (bin % week) as f32 / week as f32
    }
}

fn slot(bin: u64) -> usize {
    (bin % BINS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::series::{self, DAY};

    /// Observes minutes, from this number on.
    fn learned(start: u64, samples: &[f64]) -> Seasons {
        let mut seasons = Seasons::new(60);
        for (number, sample) in (start..).zip(samples) {
            seasons.observe(number, series::round(*sample));
        }
        seasons
    }

    fn days(count: u64) -> Vec<f64> {
        series::season(usize::try_from(count).unwrap() * DAY)
    }

    #[test]
    fn a_day_is_known_when_it_is_over() {
        let mut seasons = learned(0, &days(1));
        assert!(!seasons.is_known());
        let before = seasons.around(1439);
        assert_eq!(before.ahead, Path::default());
        seasons.observe(1440, 0.0);
        assert!(seasons.is_known());
        assert_ne!(seasons.around(1440).ahead, Path::default());
    }

    #[test]
    fn a_bin_is_the_mean_of_its_ten_minutes() {
        let mut seasons = Seasons::new(60);
        (0..30).for_each(|number| seasons.observe(number, if number < 10 { 4.0 } else { 0.0 }));
        assert_eq!(seasons.bins[..3], [4.0, 0.0, 0.0]);
    }

    #[test]
    fn a_position_is_between_bins_and_smoothed_over_three() {
        let mut seasons = Seasons::new(60);
        (seasons.bins[0], seasons.bins[1], seasons.bins[143]) = (3.0, 6.0, 9.0);
        // Bins 142 to 3 are 0, 9, 3, 6, 0, 0: their means of three begin with 4.
        for (position, expected) in [
            (0.0, 6.0),
            (1.0, 3.0),
            (0.25, 5.25),
            (2.0, 2.0),
            (-1.0, 4.0),
            (143.0, 4.0),
            (-0.5, 5.0),
            (144.0, 6.0),
            (-145.0, 4.0),
        ] {
            let found = seasons.day_at(position);
            assert!((found - expected).abs() < 1e-5, "{found} at {position}");
        }
    }

    #[test]
    fn a_season_seen_is_the_season_shown() {
        let samples = days(3);
        let seasons = learned(0, &samples);
        for number in [3 * 1440 - 1, 3 * 1440 + 400, 3 * 1440 + 1000] {
            let parts = seasons.around(number);
            let value = |step: u64| series::round(samples[(step % 1440) as usize]);
            for (found, horizon) in parts.ahead.into_iter().zip(HORIZONS) {
                let actual = value(number + u64::from(horizon)) - value(number);
                let error = found - parts.past[0] - GAIN * actual;
                // The swing is 40; bins and smoothing blur 0.1 of it.
                assert!(error.abs() < 0.1, "{error} at {number} + {horizon}");
            }
            for lag in [1, 30, 127] {
                let actual = value(number - lag) - value(number);
                let error = parts.past[lag as usize] - parts.past[0] - GAIN * actual;
                assert!(error.abs() < 0.1, "{error} at {number} - {lag}");
            }
        }
    }

    #[test]
    fn a_gap_in_the_first_day_repeats_the_value_before() {
        let mut seasons = Seasons::new(60);
        for number in (0..20).chain(60..80) {
            seasons.observe(number, number as f32);
        }
        // Bins 0 and 1 are seen, 2 to 5 are not, 6 is.
        assert_eq!(seasons.bins[..7], [4.5, 14.5, 14.5, 14.5, 14.5, 14.5, 64.5]);
    }

    #[test]
    fn days_without_samples_change_nothing() {
        let samples = days(3);
        let mut seasons = learned(0, &samples);
        seasons.observe(3 * 1440, 50.0);
        let before = seasons.bins;
        seasons.observe(9 * 1440 + 700, 80.0);
        let changed = before.iter().zip(&seasons.bins).filter(|(a, b)| a != b);
        // Only the bin that was open.
        assert!(changed.count() <= 1);
        assert!(seasons.is_known());
    }

    #[test]
    fn a_jump_of_any_size_is_a_gap() {
        for step_seconds in [1, 60, 3600, 86_400, 1_000_000] {
            let mut seasons = Seasons::new(step_seconds);
            for number in [0, 1, 5000, 5001, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
                seasons.observe(number, 3.0);
                let parts = seasons.around(number);
                let all = parts.past.iter().chain(&parts.ahead);
                assert!(all.clone().all(|value| value.is_finite()));
            }
        }
    }

    #[test]
    fn a_newer_day_counts_more() {
        let mut seasons = Seasons::new(60);
        for day in 0..3u64 {
            let level = if day < 2 { 0.0 } else { 10.0 };
            (day * 1440..(day + 1) * 1440).for_each(|number| seasons.observe(number, level));
        }
        assert!((seasons.bins[50] - DAY_WEIGHT * 10.0).abs() < 1e-5);
    }

    #[test]
    fn the_week_is_learned_from_what_the_days_leave() {
        let samples = series::week(28 * DAY);
        let seasons = learned(0, &samples);
        let sine = seasons.week[0][0];
        // The truth is a sine of 20; the bins follow a part of it.
        assert!((6.0..20.0).contains(&sine), "{:?}", seasons.week);
    }

    #[test]
    fn the_week_is_believed_after_two_of_them() {
        let samples = series::week(15 * DAY);
        let early = learned(0, &samples[..13 * DAY]);
        assert_eq!(early.week_of(13 * 1440), 0.0);
        let late = learned(0, &samples);
        assert_ne!(late.week_of(15 * 1440), 0.0);
    }

    /// By two in a hundred, an hour ahead: a week changes little in an hour.
    #[test]
    fn the_week_makes_the_longest_forecast_a_little_better() {
        let samples = series::sum(&series::week(25 * DAY), &series::noise(1, 25 * DAY));
        let mut seasons = Seasons::new(60);
        let (mut with, mut without) = (0.0, 0.0);
        for (number, sample) in (0u64..).zip(&samples) {
            seasons.observe(number, series::round(*sample));
            let is_looked_at = number >= 18 * 1440 && number.is_multiple_of(37);
            let later = samples.get(usize::try_from(number).unwrap() + 60);
            let Some(later) = later.filter(|_| is_looked_at) else {
                continue;
            };
            let actual = series::round(later - sample);
            let error = |seasons: &Seasons| {
                let parts = seasons.around(number);
                (parts.ahead[HORIZONS.len() - 1] - parts.past[0] - actual).abs()
            };
            let mut weekless = seasons.clone();
            weekless.week = [[0.0; 2]; HARMONICS];
            with += error(&seasons);
            without += error(&weekless);
        }
        assert!(with < 0.99 * without, "{with} against {without}");
    }
}
