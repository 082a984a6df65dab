//! The categories that are served: declared ones from the start, others when they are
//! found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::histogram::Histogram;
use rolecast_common::id::Category;
use rolecast_common::time::WallTime;
use rolecast_common::trace::TraceId;
use rolecast_common::wire::{ForecastMode, Outcome, OutcomeStatus};
use rolecast_forecast::{Demand, Model, Stack};

use crate::category::Policy;
use crate::placement::CategoryIndex;

/// The longest run time that is believed.
const RUN_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

#[derive(Debug)]
pub(in crate::scheduler) struct Categories {
    /// The model by which demand is forecast.
    model: Model,
    by_name: BTreeMap<Category, CategoryState>,
}

/// A category that is served.
#[derive(Debug)]
pub(in crate::scheduler) struct CategoryState {
    policy: Policy,
    /// Whether its jobs are only for nodes that act in a role that can be lost.
    is_for_managed: bool,
    /// Its index among the fleet's categories.
    index: CategoryIndex,
    demand: Demand,
    counts: Counts,
    timings: Timings,
    /// Its jobs in the stream, when they were last counted.
    stored: Option<u64>,
}

/// Jobs of a category since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::scheduler) struct Counts {
    /// Jobs that left the stream.
    pub(in crate::scheduler) settled: u64,
    pub(in crate::scheduler) completed: u64,
    pub(in crate::scheduler) retried: u64,
    pub(in crate::scheduler) dead: u64,
    pub(in crate::scheduler) expired: u64,
    pub(in crate::scheduler) cancelled: u64,
    /// Attempts that failed, that gave their job up, and that the worker did not make or
    /// finish.
    pub(in crate::scheduler) failed: u64,
    pub(in crate::scheduler) gave_up: u64,
    pub(in crate::scheduler) refused: u64,
    pub(in crate::scheduler) handed_back: u64,
    /// Attempts without an outcome, and those lost with their node.
    pub(in crate::scheduler) unreported: u64,
    pub(in crate::scheduler) lost: u64,
}

/// Durations of its jobs since the start.
#[derive(Clone, Debug, Default)]
pub(in crate::scheduler) struct Timings {
    /// From when a job could be sent until it was.
    pub(in crate::scheduler) waits: Histogram,
    /// From its delivery here until it was sent.
    pub(in crate::scheduler) delays: Histogram,
    /// The reported run times of completed jobs.
    pub(in crate::scheduler) runs: Histogram,
}

impl Categories {
    pub(super) fn new(model: Model) -> Self {
        Self {
            model,
            by_name: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, policy: Policy, index: CategoryIndex, is_for_managed: bool) {
        let name = policy.category.clone();
        let model = self.model;
        self.by_name.entry(name).or_insert_with(|| CategoryState {
            policy,
            is_for_managed,
            index,
            demand: Demand::new(model),
            counts: Counts::default(),
            timings: Timings::default(),
            stored: None,
        });
    }

    /// Removes a category unless it is declared; returns whether it was removed.
    pub(super) fn remove_found(&mut self, category: &Category) -> bool {
        let is_found = self
            .get(category)
            .is_some_and(|state| !state.policy.declared);
        is_found && self.by_name.remove(category).is_some()
    }

    pub(in crate::scheduler) fn get(&self, category: &Category) -> Option<&CategoryState> {
        self.by_name.get(category)
    }

    pub(in crate::scheduler) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(in crate::scheduler) fn iter(&self) -> impl Iterator<Item = &CategoryState> {
        self.by_name.values()
    }

    /// Adds one to a count of the category, if it is served.
    pub(in crate::scheduler) fn count(
        &mut self,
        category: &Category,
        count: fn(&mut Counts) -> &mut u64,
    ) {
        if let Some(state) = self.by_name.get_mut(category) {
            *count(&mut state.counts) += 1;
        }
    }

    /// Records the end of an attempt, as its worker reports it, of a job that may be in a
    /// trace.
    pub(in crate::scheduler) fn record_end(
        &mut self,
        now: WallTime,
        category: &Category,
        outcome: &Outcome,
        trace: Option<TraceId>,
    ) {
        let Some(state) = self.by_name.get_mut(category) else {
            return;
        };
        let counts = &mut state.counts;
        match outcome.status {
            OutcomeStatus::Completed => {
                counts.completed += 1;
                let run = Duration::from_micros(outcome.run_us);
                let runs = &mut state.timings.runs;
                runs.observe_traced(now, run.min(RUN_MAX), trace);
            }
            OutcomeStatus::Retry => counts.failed += 1,
            OutcomeStatus::GiveUp => counts.gave_up += 1,
            OutcomeStatus::Refused => counts.refused += 1,
            OutcomeStatus::HandedBack => counts.handed_back += 1,
            // Its job is counted.
            OutcomeStatus::Cancelled => {}
        }
    }

    /// Records durations of a job of the category, if it is served.
    pub(in crate::scheduler) fn observe(
        &mut self,
        category: &Category,
        record: impl FnOnce(&mut Timings),
    ) {
        if let Some(state) = self.by_name.get_mut(category) {
            record(&mut state.timings);
        }
    }

    /// Records the number of jobs of each category that the stream holds. Their
    /// arrivals are forecast unless `mode` is off.
    pub(in crate::scheduler) fn record_backlogs(
        &mut self,
        now: WallTime,
        held: &BTreeMap<Category, u64>,
        mode: ForecastMode,
    ) {
        for (category, state) in &mut self.by_name {
            let held = held.get(category).copied().unwrap_or(0);
            state.stored = Some(held);
            if mode != ForecastMode::Off {
                state.demand.observe(now, held, state.counts.settled);
            }
        }
    }

    pub(in crate::scheduler) fn set_stack(&mut self, stack: &Arc<Stack>) {
        for state in self.by_name.values_mut() {
            state.demand.set_stack(stack);
        }
    }

    #[cfg(test)]
    pub(in crate::scheduler) fn policy_mut(&mut self, category: &Category) -> &mut Policy {
        &mut self.by_name.get_mut(category).unwrap().policy
    }
}

impl CategoryState {
    pub(in crate::scheduler) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(in crate::scheduler) fn is_for_managed(&self) -> bool {
        self.is_for_managed
    }

    pub(in crate::scheduler) fn index(&self) -> CategoryIndex {
        self.index
    }

    pub(in crate::scheduler) fn demand(&self) -> &Demand {
        &self.demand
    }

    pub(in crate::scheduler) fn counts(&self) -> Counts {
        self.counts
    }

    pub(in crate::scheduler) fn timings(&self) -> &Timings {
        &self.timings
    }

    /// Returns the number of its jobs in the stream, if they were counted.
    pub(in crate::scheduler) fn stored(&self) -> Option<u64> {
        self.stored
    }
}
