//! The judge's memory of a node: its last minute, its usual load, its past forecasts, and
//! its bad episode.

use std::collections::VecDeque;
use std::time::Duration;

use rolecast_common::time::Time;

use super::Reading;
use super::harm::{LOAD_MAX, Load, missed};
use super::usual::Usual;

/// Three heartbeats: a node that was silent for that long is not judged.
pub(super) const STALE_AFTER: Duration = Duration::from_secs(3);
/// The load with the role from which an episode is bad: a fifth of the role's
/// operations miss (`harm`).
pub(super) const LIMIT: f64 = 0.9;
/// Time of good load that ends an episode: shorter pauses do not. Guessed.
pub(super) const CALM: Duration = Duration::from_secs(3);
/// The longest time that a reading stands for, in seconds.
const STEP_MAX_S: f64 = 2.0;
/// The past by which a target is judged: from simulation.
const WINDOW: Duration = Duration::from_secs(60);
/// The least of it that must be known.
const WINDOW_MIN: Duration = Duration::from_secs(20);
/// Duration after which a bad load becomes usual, in seconds. Guessed.
const LASTING_S: f64 = 1800.0;
/// The largest weight of a past episode in the usual load, in seconds of it: load that
/// occurs often is usual, not load that once lasted long. Guessed.
const EPISODE_S: f64 = 60.0;
/// The share of the last minute in which a node was no worse than reported: from
/// simulation.
const WINDOW_QUANTILE: f64 = 0.8;
/// Time between a forecast and its target: one step of the forecaster, so that it knew
/// nothing of the load that it is compared with.
const PREDICTED_AHEAD: Duration = Duration::from_secs(10);
/// Readings kept of the last minute, and forecasts: heartbeats arrive every second, and
/// up to ten a second when load moves.
const KEPT_MAX: usize = 600;
/// Time after which slow jobs are not those that began under a load that is over.
/// Guessed.
const LAG: Duration = Duration::from_secs(15);
/// The least excess over the upper quantile of an unforeseen load: as much as heartbeats
/// vary by themselves. Guessed.
const UNFORESEEN: f64 = 0.05;

/// A forecast of the next seconds.
#[derive(Clone, Copy, Debug)]
struct Prediction {
    at: Time,
    /// A share of the capacity.
    upper: f64,
    /// Whether the node held the role then.
    is_holder: bool,
}

/// A period in which the role's operations miss, or would.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bad {
    pub(super) since: Time,
    last: Time,
    pub(super) is_unforeseen: bool,
    /// The share that missed beyond the limit's share, times its duration: large soon if
    /// the load is far over the limit, and in time if it is not.
    pub(super) excess_s: f64,
}

/// Loads and forecasts of a node in the past.
#[derive(Clone, Debug, Default)]
struct Past {
    /// Loads without the role in the last minute, with their times.
    window: VecDeque<(Time, f64)>,
    predictions: VecDeque<Prediction>,
    usual: Usual,
    /// The loads of the present episode: while that lasts they are not usual.
    episode: Usual,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Time,
    pub(super) capacity: f64,
    pub(super) load: Load,
    /// Start of the period in which jobs have been slow while the load was well.
    slow_since: Option<Time>,
    pub(super) is_slow: bool,
    /// The load without the role, and the role's own share of the CPU.
    pub(super) alone: f64,
    pub(super) role: f64,
    /// The reported upper quantile of the peak over the horizon, as a share: with the
    /// role if the node holds it.
    pub(super) ahead: f64,
    is_holder: bool,
    past: Past,
    pub(super) bad: Option<Bad>,
    /// The last time at which it was hot or bad.
    pub(super) bad_last: Option<Time>,
}

impl Node {
    pub(super) fn new(now: Time) -> Self {
        Self {
            at: now,
            capacity: 0.0,
            load: Load::default(),
            slow_since: None,
            is_slow: false,
            alone: 0.0,
            role: 0.0,
            ahead: 0.0,
            is_holder: false,
            past: Past::default(),
            bad: None,
            bad_last: None,
        }
    }

    /// Records a reading of a node that has a CPU; returns the duration of a bad episode,
    /// if one is over.
    pub(super) fn observe(
        &mut self,
        now: Time,
        reading: &Reading,
        mut load: Load,
        role_load: f64,
        is_holder: bool,
    ) -> Option<Duration> {
        let step_s = now.since(self.at).as_secs_f64().min(STEP_MAX_S);
        self.capacity = reading.capacity.get();
        self.role = (role_load / self.capacity).min(LOAD_MAX);
        self.is_holder = is_holder;
        self.at = now;
        self.is_slow = self.is_slow_for_long(now, load);
        if self.is_slow {
            load.share = load.share.max(load.by_jobs);
        }
        self.load = load;
        self.alone = if is_holder {
            (load.share - self.role).max(0.0)
        } else {
            load.share
        };
        self.ahead = (reading.ahead_upper.get() / self.capacity).min(LOAD_MAX);
        self.remember(now);
        self.record_usual(step_s);
        let ended = self.follow(now, step_s);
        if ended.is_some() {
            self.past.usual.absorb(&mut self.past.episode, EPISODE_S);
        }
        self.foretell(now, reading.upper.get() / self.capacity);
        ended
    }

    fn record_usual(&mut self, step_s: f64) {
        if self.bad.is_none() {
            return self.past.usual.add(self.alone, step_s);
        }
        self.past.episode.add(self.alone, step_s);
        if self.past.episode.total_s() >= LASTING_S {
            self.past.usual.absorb(&mut self.past.episode, LASTING_S);
        }
    }

    /// Returns the load with the whole role.
    pub(super) fn with_role(&self) -> f64 {
        if self.is_holder {
            self.load.share
        } else {
            self.load.share + self.role
        }
    }

    pub(super) fn is_fresh(&self, now: Time) -> bool {
        now.since(self.at) < STALE_AFTER
    }

    /// Whether it is loaded beyond the limit of a holder, by itself.
    pub(super) fn is_hot(&self) -> bool {
        self.load.share >= LIMIT
    }

    /// Returns the usual height of the load without the role; `None` if too little is
    /// known.
    pub(super) fn usual(&self) -> Option<f64> {
        self.past.usual.high()
    }

    /// Returns the load without the role in most of the last minute, or the present one
    /// if that is higher; `None` if too little of it is known.
    pub(super) fn sustained(&self, now: Time) -> Option<f64> {
        let (first, _) = self.past.window.front()?;
        if now.since(*first) < WINDOW_MIN {
            return None;
        }
        let next = self
            .past
            .window
            .iter()
            .skip(1)
            .map(|(at, _)| *at)
            .chain([now]);
        let mut spans: Vec<(f64, f64)> = self
            .past
            .window
            .iter()
            .zip(next)
            .map(|((at, load), until)| (*load, until.since(*at).as_secs_f64().min(STEP_MAX_S)))
            .collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = spans.iter().map(|(_, length_s)| length_s).sum();
        let mut below = 0.0;
        let quantile = spans.into_iter().find_map(|(load, length_s)| {
            below += length_s;
            (below >= WINDOW_QUANTILE * total).then_some(load)
        });
        quantile.map(|load| load.max(self.alone))
    }

    /// Whether jobs have been slow for so long that no observed load explains it: a cause
    /// that no figure shows.
    fn is_slow_for_long(&mut self, now: Time, load: Load) -> bool {
        if load.by_jobs == 0.0 || load.share >= LIMIT {
            self.slow_since = None;
            return false;
        }
        let since = *self.slow_since.get_or_insert(now);
        now.since(since) >= LAG
    }

    fn remember(&mut self, now: Time) {
        self.past.window.push_back((now, self.alone));
        while self.past.window.len() > KEPT_MAX
            || self
                .past
                .window
                .front()
                .is_some_and(|(at, _)| now.since(*at) > WINDOW)
        {
            self.past.window.pop_front();
        }
    }

    /// Begins, continues or ends a bad episode.
    fn follow(&mut self, now: Time, step_s: f64) -> Option<Duration> {
        let beyond = missed(self.with_role()) - missed(LIMIT);
        let is_unforeseen = self.is_unforeseen(now);
        if beyond >= 0.0 {
            let bad = self.bad.get_or_insert(Bad {
                since: now,
                last: now,
                is_unforeseen: false,
                excess_s: 0.0,
            });
            bad.last = now;
            bad.is_unforeseen |= is_unforeseen;
            bad.excess_s += beyond * step_s;
            self.bad_last = Some(now);
            return None;
        }
        let bad = self.bad.as_mut()?;
        bad.excess_s = (bad.excess_s + beyond * step_s).max(0.0);
        if now.since(bad.last) < CALM {
            return None;
        }
        let length = bad.last.since(bad.since);
        self.bad = None;
        Some(length)
    }

    /// Whether the load exceeds the forecast for this moment.
    fn is_unforeseen(&self, now: Time) -> bool {
        let first = self.past.predictions.front();
        let Some(first) = first.filter(|first| now.since(first.at) >= PREDICTED_AHEAD) else {
            return false;
        };
        let moved = match (first.is_holder, self.is_holder) {
            (false, true) => self.role,
            (true, false) => -self.role,
            (false, false) | (true, true) => 0.0,
        };
        self.load.share > first.upper + moved + UNFORESEEN
    }

    /// Keeps a forecast until its time has come: the first one is the newest that was
    /// made long enough ago.
    fn foretell(&mut self, now: Time, upper: f64) {
        self.past.predictions.push_back(Prediction {
            at: now,
            upper,
            is_holder: self.is_holder,
        });
        let is_over = |first: &Prediction| now.since(first.at) >= PREDICTED_AHEAD;
        while self.past.predictions.len() > KEPT_MAX
            || self.past.predictions.get(1).is_some_and(is_over)
        {
            self.past.predictions.pop_front();
        }
    }
}
