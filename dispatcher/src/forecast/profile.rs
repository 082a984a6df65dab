//! What a day and a week usually look like.
//!
//! The day is cut into ten-minute bins, each an exponentially weighted mean
//! over days; what they leave unexplained is projected on three harmonics of
//! the week. Additive seasons, as in Taylor & Letham, *Forecasting at Scale*
//! (2018), with bins in place of daily Fourier terms: bins follow the edge of a
//! daily job, which few terms cannot.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions within a day or a week are small"
)]

use super::checkpoint::state;
use std::array::from_fn;
use std::f32::consts::TAU;

use super::history::HISTORY_LEN;
use super::window::Path;
use super::{HORIZON_MAX, HORIZONS};

/// Bins of a day: ten minutes each.
const BINS: usize = 144;
const DAY_SECONDS: u64 = 86_400;
const WEEK_DAYS: u64 = 7;
/// Sines and cosines of the week.
const HARMONICS: usize = 3;
/// The weight of the newest day in a bin (measured: two or three days count).
const DAY_WEIGHT: f32 = 0.35;
/// Days before the week is believed: it must have been seen twice.
const WEEK_DAYS_MIN: u64 = 14;
/// The weight of one bin in the projection on the week: a memory of two weeks.
const WEEK_WEIGHT: f32 = 2.0 / (2.0 * 7.0 * BINS as f32);
/// The share of the seasonal change that is believed (measured: days differ).
const GAIN: f32 = 0.7;

/// The seasonal parts around one moment; only differences mean anything.
#[derive(Clone, Debug)]
pub(super) struct Seasons {
    /// Of the last samples, newest first.
    pub(super) past: [f32; HISTORY_LEN],
    /// At each horizon.
    pub(super) ahead: Path,
}

/// The seasons of one series.
#[derive(Clone, Debug)]
pub(super) struct Profile {
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

state!(Profile {
    bins,
    week,
    open,
    sum,
    count,
    first
});

impl Profile {
    pub(super) fn new(step_seconds: u64) -> Self {
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

    /// Takes the sample with this number.
    pub(super) fn observe(&mut self, number: u64, value: f32) {
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

    /// Learns the mean of a bin that is over, and fills those passed over.
    fn close(&mut self, open: u64, next: u64) {
        let mean = self.sum / self.count.max(1.0);
        (self.sum, self.count) = (0.0, 0.0);
        let is_first_day = open < self.first + BINS as u64;
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

    /// Returns whether a whole day is known.
    pub(super) fn is_known(&self) -> bool {
        self.days() >= 1
    }

    fn days(&self) -> u64 {
        let open = self.open.unwrap_or(self.first);
        open.saturating_sub(self.first) / BINS as u64
    }

    /// Returns the seasonal parts around the sample with this number; all zero
    /// before a whole day is known.
    pub(super) fn seasons(&self, number: u64) -> Seasons {
        if !self.is_known() {
            return Seasons {
                past: [0.0; HISTORY_LEN],
                ahead: Path::default(),
            };
        }
        let per_step = BINS as f32 / self.day_steps as f32;
        let position = (number % self.day_steps) as f32 * per_step - 0.5;
        // The week changes so slowly that lines through three points do.
        let week = self.week_of(number);
        let before = self.week_of(number.saturating_sub(HISTORY_LEN as u64));
        let fall = (before - week) / HISTORY_LEN as f32;
        let after = self.week_of(number + u64::from(HORIZON_MAX));
        let rise = (after - week) / HORIZON_MAX as f32;
        let past = from_fn(|lag| {
            let lag = lag as f32;
            GAIN * (self.day_at(position - lag * per_step) + lag * fall)
        });
        let ahead = HORIZONS.map(|step| {
            let step = step as f32;
            GAIN * (self.day_at(position + step * per_step) + step * rise)
        });
        Seasons { past, ahead }
    }

    /// Returns the day's bins around a position, smoothed and joined by lines.
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
        let day = number / self.day_steps;
        day * BINS as u64 + number % self.day_steps * BINS as u64 / self.day_steps
    }

    /// Returns where in the week a bin is, in radians.
    fn phase(&self, bin: u64) -> f32 {
        let week = WEEK_DAYS * BINS as u64;
        TAU * (bin % week) as f32 / week as f32
    }
}

fn slot(bin: u64) -> usize {
    (bin % BINS as u64) as usize
}
