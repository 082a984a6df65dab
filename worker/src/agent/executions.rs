//! Running executions, with their time limits.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt as _};
use rolecast_common::assignment::Assignment;
use rolecast_common::id::Category;
use rolecast_common::time::{Time, WallTime};
use rolecast_common::trace::TraceContext;
use rolecast_common::wire::{AttemptCancel, JobProgress, Progress};

use super::execution::Execution;
use super::input::Run;
use super::progress::{Reported, take_due};

/// A running execution.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) assignment: Assignment,
    /// The category it was started for; later assignments do not change it.
    category: Category,
    pub(super) started: WallTime,
    pub(super) trace: Option<TraceContext>,
    /// The time when it is stopped, with the reason.
    limit: Option<(Time, String)>,
    progress: Option<Reported>,
    pub(super) verdict: Verdict,
}

/// Meaning of the end of a running execution.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The result of the execution itself.
    Its,
    /// It ran too long and was stopped.
    Overdue(String),
    /// It was stopped because its job was cancelled.
    Cancelled(String),
    /// It was given back while it ran; its end has no effect.
    HandedBack,
}

#[derive(Debug)]
pub(super) struct Executions {
    next: Run,
    by_run: BTreeMap<Run, Running>,
    by_execution: HashMap<Execution, Run>,
    by_category: BTreeMap<Category, u32>,
    /// Times at which running executions are stopped, earliest first.
    limits: BTreeSet<(Time, Run)>,
}

impl Executions {
    pub(super) fn new() -> Self {
        Self {
            next: Run::FIRST,
            by_run: BTreeMap::new(),
            by_execution: HashMap::new(),
            by_category: BTreeMap::new(),
            limits: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_run.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_run.is_empty()
    }

    /// Returns the number of running executions of a category.
    pub(super) fn count(&self, category: &Category) -> u32 {
        self.by_category.get(category).copied().unwrap_or(0)
    }

    /// Returns the assignments of those that were not handed back.
    pub(super) fn in_hand(&self) -> impl Iterator<Item = &Assignment> {
        let running = self.by_run.values();
        let running = running.filter(|running| !matches!(running.verdict, Verdict::HandedBack));
        running.map(|running| &running.assignment)
    }

    /// Adds an execution that starts at `started`.
    pub(super) fn start(
        &mut self,
        execution: Execution,
        assignment: Assignment,
        started: WallTime,
        limit: Option<(Time, String)>,
        trace: Option<TraceContext>,
    ) -> Run {
        let run = self.next;
        self.next = run.next();
        if let Some((at, _)) = &limit {
            self.limits.insert((*at, run));
        }
        self.by_execution.insert(execution, run);
        match self.by_category.get_mut(assignment.category()) {
            Some(count) => *count += 1,
            None => drop(self.by_category.insert(assignment.category().clone(), 1)),
        }
        let running = Running {
            category: assignment.category().clone(),
            assignment,
            started,
            trace,
            limit,
            progress: None,
            verdict: Verdict::Its,
        };
        self.by_run.insert(run, running);
        run
    }

    /// Records the progress of those that still run.
    pub(super) fn report(&mut self, progress: Vec<(Run, Progress)>) {
        for (run, progress) in progress {
            let Some(running) = self.by_run.get_mut(&run) else {
                continue;
            };
            match &mut running.progress {
                Some(reported) => reported.update(progress),
                unreported => *unreported = Some(Reported::new(progress)),
            }
        }
    }

    /// Has all progress sent again: the dispatcher may not have received it.
    pub(super) fn renew_progress(&mut self) {
        let reported = self.by_run.values_mut();
        reported
            .filter_map(|running| running.progress.as_mut())
            .for_each(Reported::renew);
    }

    /// Returns the progress in the heartbeat of this number, in at most `len_max` bytes, of
    /// the first `listed` executions in hand.
    pub(super) fn take_progress(
        &mut self,
        heartbeat: u64,
        listed: usize,
        len_max: usize,
    ) -> Vec<JobProgress> {
        let running = self.by_run.values_mut();
        let in_hand = running.filter(|running| !matches!(running.verdict, Verdict::HandedBack));
        let places = in_hand.take(listed).enumerate();
        let reported =
            places.filter_map(|(place, running)| Some((place, running.progress.as_mut()?)));
        take_due(reported, heartbeat, len_max)
    }

    /// Replaces the assignment of a running execution; `false` if it does not run.
    pub(super) fn reassign(&mut self, execution: &Execution, newest: &Assignment) -> bool {
        let Some(run) = self.by_execution.get(execution) else {
            return false;
        };
        let running = self.by_run.get_mut(run);
        let running = running.expect("the index by execution names running ones only");
        running.assignment = newest.clone();
        true
    }

    /// Removes an execution that is over; `None` if that was reported before.
    pub(super) fn end(&mut self, run: Run) -> Option<Running> {
        let running = self.by_run.remove(&run)?;
        if let Some((at, _)) = &running.limit {
            self.limits.remove(&(*at, run));
        }
        if let Some(count) = self.by_category.get_mut(&running.category) {
            *count -= 1;
        }
        // After a hand-back the index may name another execution.
        if !matches!(running.verdict, Verdict::HandedBack) {
            self.by_execution
                .remove(&Execution::of(&running.assignment));
        }
        Some(running)
    }

    /// Returns the time at which the next one must be stopped.
    pub(super) fn next_limit(&self) -> Option<Time> {
        self.limits.first().map(|(at, _)| *at)
    }

    /// Marks the next execution that has reached its limit; returns it with the reason.
    pub(super) fn take_overdue(&mut self, now: Time) -> Option<(Run, String)> {
        while let Some((at, run)) = self.limits.first().copied() {
            if at > now {
                return None;
            }
            self.limits.remove(&(at, run));
            let running = self.by_run.get_mut(&run);
            let running = running.expect("limits are kept for running executions only");
            let limit = running.limit.take();
            let (_, reason) = limit.expect("a listed limit belongs to its execution");
            if matches!(running.verdict, Verdict::HandedBack | Verdict::Cancelled(_)) {
                continue;
            }
            running.verdict = Verdict::Overdue(reason.clone());
            return Some((run, reason));
        }
        None
    }

    /// Marks the attempt of this order as cancelled; returns it unless it was so before, or
    /// does not run.
    pub(super) fn cancel(&mut self, order: &AttemptCancel) -> Option<(Run, Assignment)> {
        let is_it = |assignment: &Assignment| {
            assignment.ack().sequence() == order.sequence
                && assignment.attempt() == order.attempt
                && *assignment.job() == order.job
        };
        let mut running = self.by_run.iter_mut();
        let (run, running) = running.find(|(_, running)| {
            let is_open = matches!(running.verdict, Verdict::Its | Verdict::Overdue(_));
            is_open && is_it(&running.assignment)
        })?;
        running.verdict = Verdict::Cancelled(order.reason.clone());
        Some((*run, running.assignment.clone()))
    }

    /// Marks all as handed back, and returns them.
    pub(super) fn hand_back(&mut self) -> impl Iterator<Item = (Run, &Running)> {
        self.by_execution.clear();
        self.by_run.iter_mut().map(|(run, running)| {
            running.verdict = Verdict::HandedBack;
            (*run, &*running)
        })
    }
}
