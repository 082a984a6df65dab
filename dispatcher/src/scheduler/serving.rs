//! Served categories: declared ones from the start, others when they are found.

use rolecast_common::id::{Category, Priority};
use rolecast_common::subjects::Source;
use rolecast_forecast::Demand;

use super::{Context, Event, Scheduler, Service};
use crate::category::Policy;

impl Scheduler {
    /// Starts to serve a category: a room for each priority.
    pub(super) fn serve(&mut self, policy: Policy) {
        for priority in Priority::ALL {
            let category = policy.category.clone();
            self.rooms.entry(Source { category, priority }).or_default();
        }
        let service = Service {
            demand: Demand::new(self.params.forecast.model),
            settled: 0,
            completed: 0,
            retried: 0,
            dead: 0,
            expired: 0,
            index: self.fleet.serve(policy.clone()),
            is_for_managed: policy
                .roles
                .iter()
                .any(|role| self.params.roles.managed.contains_key(role)),
            policy,
        };
        self.services
            .entry(service.policy.category.clone())
            .or_insert(service);
    }

    /// Serves a category that was found in the stream, if that is permitted.
    pub(super) fn find(&mut self, cx: &mut Context<'_>, category: Category) {
        let Some(default) = self.params.undeclared.clone() else {
            return;
        };
        if self.services.contains_key(&category) {
            return;
        }
        self.serve(Policy {
            category: category.clone(),
            declared: false,
            ..default
        });
        cx.event(Event::CategoryFound { category });
    }

    /// Stops serving a category that was found and has no jobs.
    pub(super) fn desert(&mut self, category: &Category) {
        let is_declared = |service: &Service| service.policy.declared;
        let is_of_it = |source: &Source| source.category == *category;
        let has_jobs = self.jobs.values().any(|job| is_of_it(&job.source));
        if has_jobs || self.services.get(category).is_none_or(is_declared) {
            return;
        }
        self.services.remove(category);
        self.rooms.retain(|source, _| !is_of_it(source));
    }
}
