//! Traces of the use by others on a host over time, drawn at random.
//!
//! While it is drawn a sample is in shares of what the host has.

use std::f64::consts::TAU;

use fastrand::Rng;

use super::others::{Amplitude, Component, Signal};
use super::value::{Range, Span};
use crate::count::whole;
use crate::random::{exponential, normal};
use crate::recording::{Series, Table};
use crate::world::{Host, Sample};

/// The steps of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    pub(super) start_s: f64,
    pub(super) step_s: f64,
    pub(super) count: usize,
    pub(super) day_s: f64,
    /// From second 0 on, periods begin later by this share of one.
    pub(super) phase_shift: f64,
}

/// The columns in use of a recorded table, as shares of each one's maximum.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    step_s: f64,
    columns: Vec<Vec<f32>>,
}

impl Recording {
    /// Takes the columns with these names, or all; or returns a missing name.
    pub(super) fn new<'a>(table: &Table, names: &'a [String]) -> Result<Self, &'a str> {
        let mut chosen: Vec<&Series> = Vec::new();
        for name in names {
            let found = table.series.iter().find(|series| series.name == *name);
            chosen.push(found.ok_or(name.as_str())?);
        }
        if names.is_empty() {
            chosen.extend(&table.series);
        }
        Ok(Self {
            step_s: table.step.as_secs_f64(),
            columns: chosen.into_iter().map(normalized).collect(),
        })
    }
}

/// Returns the samples as shares of the maximum; a missing one is as the one before it.
fn normalized(series: &Series) -> Vec<f32> {
    let samples = series.samples.iter().flatten();
    let max = samples.fold(f64::MIN_POSITIVE, |max, sample| max.max(*sample));
    let mut last = 0.0;
    let shares = series.samples.iter().map(|sample| {
        last = sample.map_or(last, |sample| (sample / max).max(0.0));
        narrow(last)
    });
    shares.collect()
}

/// The part of a component that is the same for all hosts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common {
    period_s: f64,
    phase: f64,
}

impl Common {
    pub(super) fn draw(component: &Component, rng: &mut Rng) -> Self {
        let period = match &component.signal {
            Signal::Periodic { period, .. } => period.0,
            Signal::Constant
            | Signal::Noise { .. }
            | Signal::Ramp { .. }
            | Signal::Day { .. }
            | Signal::Bursts { .. }
            | Signal::Shifts { .. }
            | Signal::Series { .. } => Range::default(),
        };
        Self {
            period_s: period.draw(rng),
            phase: rng.f64(),
        }
    }
}

/// One component on one host.
pub(super) struct Drawing<'a> {
    pub(super) timeline: Timeline,
    pub(super) component: &'a Component,
    pub(super) common: Common,
    /// The host's index among those that have the component.
    pub(super) place: usize,
    pub(super) rng: Rng,
    pub(super) samples: &'a mut [Sample],
}

/// Use where the signal is 1.
#[derive(Clone, Copy)]
struct Level {
    cpu: f64,
    memory: f64,
    network: f64,
    disk: f64,
    speed_lost: f64,
}

/// A pulse: its start and its length.
#[derive(Clone, Copy)]
struct Pulse {
    start_s: f64,
    length_s: f64,
}

impl Drawing<'_> {
    /// Adds the component to the samples; a series needs its recording.
    pub(super) fn add(mut self, recording: Option<&Recording>) {
        let level = draw_level(&self.component.amplitude, &mut self.rng);
        match &self.component.signal {
            Signal::Constant => self.fill(level, |_, _| 1.0),
            Signal::Noise { correlation } => self.add_noise(level, *correlation),
            Signal::Ramp { length } => self.add_ramp(level, *length),
            Signal::Day { spread } => self.add_day(level, *spread),
            Signal::Periodic {
                period,
                length,
                random_gaps: true,
                ..
            } => {
                let length_s = length.0.draw(&mut self.rng);
                let gap_s = period.0.draw(&mut self.rng) - length_s;
                self.add_pulses(gap_s, |_| (length_s, level));
            }
            Signal::Periodic {
                period,
                length,
                jitter,
                random_gaps: false,
                is_common,
            } => {
                if !is_common {
                    self.common.period_s = period.0.draw(&mut self.rng);
                    self.common.phase = self.rng.f64();
                }
                let length_s = length.0.draw(&mut self.rng);
                self.add_periods(level, length_s, *jitter);
            }
            Signal::Bursts { every, length } => {
                let (length, amplitude) = (length.0, self.component.amplitude);
                let mean_s = f64::midpoint(length.low, length.high);
                let gap_s = every.0.draw(&mut self.rng) - mean_s;
                self.add_pulses(gap_s, |rng| (length.draw(rng), draw_level(&amplitude, rng)));
            }
            Signal::Shifts { every } => self.add_shifts(level, *every),
            Signal::Series { speed_up, .. } => {
                if let Some(recording) = recording {
                    self.add_series(level, recording, *speed_up);
                }
            }
        }
    }

    /// Adds a signal, given for the middle of each step.
    fn fill(&mut self, level: Level, mut signal: impl FnMut(f64, &mut Rng) -> f64) {
        let Timeline {
            start_s, step_s, ..
        } = self.timeline;
        for (index, sample) in self.samples.iter_mut().enumerate() {
            let at_s = start_s + step_s * (index as f64 + 0.5);
            add(sample, &level, signal(at_s, &mut self.rng));
        }
    }

    fn add_noise(&mut self, level: Level, correlation: Span) {
        let length_s = correlation.0.draw(&mut self.rng);
        let kept = (-self.timeline.step_s / length_s).exp();
        let fresh = (1.0 - kept * kept).sqrt();
        let mut value = normal(&mut self.rng);
        self.fill(level, |_, rng| {
            value = kept * value + fresh * normal(rng);
            value
        });
    }

    fn add_ramp(&mut self, level: Level, length: Span) {
        let symmetric = Range::new(-1.0, 1.0);
        let (mut from, mut to) = (0.0, symmetric.draw(&mut self.rng));
        let mut from_s = self.timeline.start_s;
        let mut to_s = from_s + length.0.draw(&mut self.rng);
        self.fill(level, |at_s, rng| {
            while at_s >= to_s {
                (from, to) = (to, symmetric.draw(rng));
                (from_s, to_s) = (to_s, to_s + length.0.draw(rng));
            }
            from + (to - from) * (at_s - from_s) / (to_s - from_s)
        });
    }

    fn add_day(&mut self, level: Level, spread: f64) {
        let phase = spread * (self.rng.f64() - 0.5);
        let day_s = self.timeline.day_s;
        self.fill(level, |at_s, _| {
            f64::midpoint(1.0, -(TAU * (at_s / day_s + phase)).cos())
        });
    }

    fn add_shifts(&mut self, level: Level, every: Span) {
        let symmetric = Range::new(-1.0, 1.0);
        let mean_s = every.0.draw(&mut self.rng);
        let mut value = symmetric.draw(&mut self.rng);
        let mut until_s = self.timeline.start_s + mean_s * exponential(&mut self.rng);
        self.fill(level, |at_s, rng| {
            while at_s >= until_s {
                value = symmetric.draw(rng);
                until_s += mean_s * exponential(rng);
            }
            value
        });
    }

    fn add_series(&mut self, level: Level, recording: &Recording, speed_up: f64) {
        let count = recording.columns.len();
        let column = &recording.columns[self.place % count];
        let rows = column.len();
        let offset = if self.place < count {
            0
        } else {
            self.rng.usize(0..rows)
        };
        let start_s = self.timeline.start_s;
        let rows_per_s = speed_up / recording.step_s;
        self.fill(level, |at_s, _| {
            let row = whole((at_s - start_s) * rows_per_s);
            f64::from(column[(offset + row) % rows])
        });
    }

    /// Adds pulses after exponential gaps of this mean.
    fn add_pulses(&mut self, gap_s: f64, mut next: impl FnMut(&mut Rng) -> (f64, Level)) {
        let window = (self.timeline.start_s, self.timeline.end_s());
        let mut start_s = window.0 + gap_s * exponential(&mut self.rng);
        while start_s < window.1 {
            let (length_s, level) = next(&mut self.rng);
            self.add_pulse(level, Pulse { start_s, length_s }, window);
            start_s += length_s + gap_s * exponential(&mut self.rng);
        }
    }

    /// Adds a pulse each period: unshifted before second 0, and shifted after it.
    fn add_periods(&mut self, level: Level, length_s: f64, jitter: f64) {
        let Common { period_s, phase } = self.common;
        let Timeline {
            start_s,
            phase_shift,
            ..
        } = self.timeline;
        let end_s = self.timeline.end_s();
        // A pulse that begins two periods early may still reach into the window.
        let mut nominal_s = start_s + (phase - 3.0) * period_s;
        while nominal_s < end_s + 3.0 * period_s {
            let late = jitter * normal(&mut self.rng).clamp(-2.0, 2.0);
            for (late, window) in [
                (late, (start_s, end_s.min(0.0))),
                (late + phase_shift, (start_s.max(0.0), end_s)),
            ] {
                let start_s = nominal_s + late * period_s;
                self.add_pulse(level, Pulse { start_s, length_s }, window);
            }
            nominal_s += period_s;
        }
    }

    /// Adds the part of a pulse that lies in the window; a step gets its share.
    fn add_pulse(&mut self, level: Level, pulse: Pulse, window: (f64, f64)) {
        let from_s = pulse.start_s.max(window.0);
        let to_s = (pulse.start_s + pulse.length_s).min(window.1);
        if from_s >= to_s {
            return;
        }
        let origin_s = self.timeline.start_s;
        let step_s = self.timeline.step_s;
        let first = whole((from_s - origin_s) / step_s);
        for (index, sample) in self.samples.iter_mut().enumerate().skip(first) {
            let step_start_s = origin_s + step_s * index as f64;
            if step_start_s >= to_s {
                break;
            }
            let inside_s = to_s.min(step_start_s + step_s) - from_s.max(step_start_s);
            add(sample, &level, inside_s / step_s);
        }
    }
}

impl Timeline {
    fn end_s(&self) -> f64 {
        self.start_s + self.step_s * self.count as f64
    }
}

/// Converts shares into amounts of the host's resources; nothing is below zero.
pub(super) fn scale(samples: &mut [Sample], host: &Host) {
    let cores = narrow(host.cores);
    let memory = narrow(host.memory);
    let (network, disk) = (narrow(host.network), narrow(host.disk));
    for sample in samples {
        sample.cpu = sample.cpu.max(0.0) * cores;
        sample.memory = sample.memory.clamp(0.0, 1.0) * memory;
        sample.network = sample.network.max(0.0) * network;
        sample.disk = sample.disk.max(0.0) * disk;
        sample.speed_left = sample.speed_left.clamp(0.01, 1.0);
    }
}

fn draw_level(amplitude: &Amplitude, rng: &mut Rng) -> Level {
    Level {
        cpu: amplitude.cpu.draw(rng),
        memory: amplitude.memory.draw(rng),
        network: amplitude.network.draw(rng),
        disk: amplitude.disk.draw(rng),
        speed_lost: 1.0 - amplitude.speed_left.draw(rng),
    }
}

fn add(sample: &mut Sample, level: &Level, signal: f64) {
    sample.cpu += narrow(level.cpu * signal);
    sample.memory += narrow(level.memory * signal);
    sample.network += narrow(level.network * signal);
    sample.disk += narrow(level.disk * signal);
    sample.speed_left *= narrow(1.0 - level.speed_lost * signal);
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a sample needs no more than the 7 digits that are left"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}
