//! Answers about the state.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{Category, Epoch, JobId, NodeId, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::time::Now;
use rolecast_common::unit::Resources;
use rolecast_common::wire::{
    CapacityMap, CategoryStatus, Decision, ForecastView, JobList, JobState, JobView, JobsRequest,
    NodeHealth, NodeStatus, NodeView, RolesView, Status, Totals, VERSION,
};
use rolecast_forecast::{Ahead, NodeForecast};

use super::jobs::{Job, State};
use super::queue::CategoryState;
use super::sending::why;
use super::{Scheduler, capacity_map, figures, job_list};
use crate::capacity;
use crate::fleet::Node;
use crate::metrics::Figures;
use crate::placement::decision::Author;
use crate::placement::{Request, Shortfall};

/// Horizon of the reported arrivals.
const EXPECTED_SECONDS: u32 = 15 * 60;

/// The extent to which the forecasts can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warmth {
    /// Time for which this dispatcher has observed heartbeats.
    pub observed: Duration,
    /// Live nodes that have a forecast, and those whose forecast has learned something.
    pub forecast: u32,
    pub known: u32,
}

/// The most different requirements of waiting jobs that are reported.
const REQUIRED_MAX: usize = 8;

impl Scheduler {
    /// Returns the categories that need consumers from the start.
    pub fn served(&self) -> Vec<Category> {
        let served = self.queue.categories().iter();
        served
            .map(|state| state.policy().category.clone())
            .collect()
    }

    /// Returns the largest epoch that it has led under or that most nodes have reported.
    pub fn known_epoch(&self) -> Epoch {
        self.leadership.known()
    }

    /// Whether jobs of undeclared categories are run rather than dead-lettered.
    pub fn serves_undeclared(&self) -> bool {
        self.params.undeclared.is_some()
    }

    /// Returns all of the status but the backlogs, which only the stream knows.
    pub fn status(&self, now: Now) -> Status {
        Status {
            nodes: self.node_statuses(now, None, usize::MAX),
            ..self.overview(now)
        }
    }

    /// Returns at most `max` nodes, those after this name.
    pub fn node_statuses(&self, now: Now, after: Option<&NodeId>, max: usize) -> Vec<NodeStatus> {
        let nodes = self.fleet.nodes_after(after).take(max);
        nodes
            .map(|node| self.fleet.status(now.time, node))
            .collect()
    }

    /// Returns the status without its nodes.
    pub fn overview(&self, now: Now) -> Status {
        let categories = self.queue.categories();
        let (roles, left_out) = capacity_map::role_capacities(&self.fleet, categories, 0);
        Status {
            v: VERSION,
            dispatcher: self.params.name.clone(),
            epoch: self.leadership.epoch(),
            at_ms: now.wall,
            forecast_mode: self.params.forecast.mode,
            totals: self.totals(roles.len() + left_out),
            roles: roles
                .iter()
                .map(|(role, room)| capacity::status_of(role, room))
                .collect(),
            nodes: Vec::new(),
            categories: categories
                .iter()
                .map(|state| self.category(state))
                .collect(),
            counters: self.reporting.counters(),
            dispatchers: Vec::new(),
            nats: None,
            vacant: self.relocation.vacant(now),
            troubles: self.reporting.troubles(),
            is_lapsed: false,
            unread: None,
            dead_letters: None,
            refused: self.reporting.refused_senders(),
            next: None,
        }
    }

    /// Returns the totals of the fleet, with this number of roles.
    pub(crate) fn totals(&self, role_count: usize) -> Totals {
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let mut totals = Totals {
            roles: count(role_count),
            categories: count(self.queue.categories().len()),
            ..Totals::default()
        };
        for node in self.fleet.nodes() {
            totals.nodes += 1;
            totals.jobs += u64::from(node.jobs());
            match node.health() {
                NodeHealth::Ready => totals.ready += 1,
                NodeHealth::Draining => totals.draining += 1,
                NodeHealth::Gone => totals.gone += 1,
            }
        }
        totals
    }

    fn category(&self, state: &CategoryState) -> CategoryStatus {
        let policy = state.policy();
        let count = |is_counted: fn(&Job) -> bool| {
            let jobs = self.jobs.iter();
            let of_category = jobs.filter(|job| job.source().category == policy.category);
            let count = of_category.filter(|job| is_counted(job)).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let mut shortfall = Shortfall::default();
        for obstacle in self.fleet.placer().obstacles(state.index()) {
            shortfall.count(obstacle.map_or(Ok(()), Err));
        }
        let obstacles = shortfall.parts();
        let counts = state.counts();
        CategoryStatus {
            category: policy.category.clone(),
            declared: policy.declared,
            roles: policy.roles.clone(),
            backlog: 0,
            waiting: count(Job::is_waiting),
            running: count(Job::is_running),
            nodes_eligible: shortfall.eligible(),
            oldest_ms: None,
            late: self.is_late(&policy.category),
            completed: counts.completed,
            retried: counts.retried,
            dead: counts.dead,
            expired: counts.expired,
            cancelled: counts.cancelled,
            profile: self.fleet.learner(state.index()).view(),
            expected_per_minute: state.demand().per_minute(EXPECTED_SECONDS),
            obstacles: obstacles
                .map(|(count, what)| (what.to_owned(), count))
                .collect(),
            required: self.required(&policy.category),
            dead_letters: None,
            is_cut: false,
        }
    }

    /// Counts the requirements of the category's waiting jobs.
    fn required(&self, category: &Category) -> BTreeMap<String, u32> {
        let rooms = self.queue.rooms();
        let choosy =
            rooms.filter(|(source, room)| source.category == *category && room.has_choosy());
        let waiting = choosy.flat_map(|(_, room)| room.waiting());
        let mut required: BTreeMap<&Requirement, u32> = BTreeMap::new();
        for job in waiting.filter_map(|sequence| self.jobs.get(sequence)) {
            let requirement = job.requirement();
            let is_known = required.contains_key(requirement);
            if !requirement.is_empty() && (is_known || required.len() < REQUIRED_MAX) {
                *required.entry(requirement).or_default() += 1;
            }
        }
        let named = required.into_iter();
        named.map(|(what, jobs)| (what.to_string(), jobs)).collect()
    }

    fn is_late(&self, category: &Category) -> bool {
        let mut rooms = self.queue.rooms();
        rooms.any(|(source, room)| source.category == *category && room.is_late())
    }

    /// Returns a page of the jobs that are held here or were given back from here.
    pub(crate) fn jobs(&self, now: Now, request: &JobsRequest) -> JobList {
        let from = job_list::Sources {
            jobs: &self.jobs,
            queue: &self.queue,
            fleet: &self.fleet,
        };
        job_list::page(now, &from, request)
    }

    /// Returns all that is known about a node.
    pub(crate) fn node(&self, now: Now, id: &NodeId) -> Option<NodeView> {
        let is_drained = self.relocation.is_drained(id);
        let offers = self.relocation.offers(id);
        let view = self.fleet.view(now, id)?;
        Some(NodeView {
            is_drained,
            offers,
            ..view
        })
    }

    /// Returns the id of the job with this sequence, if it is held here or was given back
    /// from here.
    pub fn job_at(&self, sequence: Sequence) -> Option<&JobId> {
        let held = self.jobs.get(sequence).map(Job::id);
        held.or_else(|| Some(&self.jobs.given_back(sequence)?.history.job))
    }

    /// Returns the state of a job, if it is held here or was given back from here.
    pub fn job(&self, now: Now, id: &JobId) -> Option<JobView> {
        let view = |state, reason| JobView::new(id.clone(), state, reason);
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        if let Some(job) = self.jobs.iter().find(|job| job.id() == id) {
            let last = job.failures().last().map(|failure| failure.reason.clone());
            let last = last.unwrap_or_default();
            let seen = match job.state() {
                State::Waiting => view(JobState::Waiting, self.why_waiting(job)),
                State::Running { node, .. } => JobView {
                    node: Some(node.clone()),
                    attempt: job.last_attempt(),
                    progress: job.progress().cloned(),
                    ..view(
                        JobState::Running,
                        self.jobs.why_cancelled(job).unwrap_or(last),
                    )
                },
                State::Recording { record, .. } | State::DeadLettering { record, .. } => JobView {
                    node: record.node.clone(),
                    attempt: record.attempt,
                    ..view(
                        JobState::Running,
                        "its outcome is being recorded".to_owned(),
                    )
                },
            };
            return Some(JobView {
                failed: count(job.failures().len()),
                lost: count(job.losses().len()),
                ..seen
            });
        }
        let away = self.jobs.find_given_back(id)?;
        Some(JobView {
            until_ms: Some(now.wall + away.until.since(now.time)),
            failed: count(away.history.failures.len()),
            lost: count(away.history.losses.len()),
            ..view(JobState::Delayed, away.reason.clone())
        })
    }

    /// Decides where a job of the category would go at this moment, and sends nothing;
    /// `None` if the category is not served. `key` is the hash of its shard key.
    pub fn explain(
        &mut self,
        now: Now,
        category: &Category,
        requirement: &Requirement,
        key: Option<u64>,
    ) -> Option<Decision> {
        let index = self.queue.category(category)?.index();
        let request = Request {
            key,
            ..Request::new(index, requirement, Duration::ZERO)
        };
        let choice = self.fleet.choose(&request);
        let author = Author {
            epoch: self.leadership.epoch(),
            ..Author::default()
        };
        Some(self.fleet.record(now, author, &request, &choice))
    }

    fn why_waiting(&self, job: &Job) -> String {
        why::of_job(&self.jobs, &self.queue, &self.fleet, job)
    }

    /// Returns the role capacity map.
    pub fn capacity(&self, now: Now) -> CapacityMap {
        let (epoch, params) = (self.leadership.epoch(), self.params.forecast);
        capacity_map::of(
            now.wall,
            epoch,
            params,
            &self.fleet,
            self.queue.categories(),
        )
    }

    /// Returns the room that at most `max` nodes, those after this name, will have until
    /// then, in the sense of the map: with the probability of its quantile.
    pub fn rooms(
        &self,
        after: Option<&NodeId>,
        max: usize,
        ahead: Ahead,
    ) -> Vec<(NodeId, Resources)> {
        let nodes = self.fleet.nodes_after(after).take(max);
        let room = |node: &Node| {
            let used = node.safe_exogenous(ahead) + self.fleet.reserved(node);
            (node.id().clone(), node.capacity().minus(used))
        };
        nodes.map(room).collect()
    }

    /// Returns the holders of managed roles; `None` before they are known.
    pub fn roles_view(&self) -> Option<RolesView> {
        self.relocation.view(self.leadership.epoch())
    }

    /// Returns the figures for metrics; the loop adds its own.
    pub(crate) fn figures(&self, now: Now) -> Figures {
        figures::of(self, now)
    }

    /// Returns whether the forecasts can be used.
    pub fn warmth(&self, now: Now) -> Warmth {
        let mut warmth = Warmth {
            observed: now.time.since(self.reporting.started()),
            forecast: 0,
            known: 0,
        };
        let live = self.fleet.nodes().filter(|node| !node.is_gone());
        for forecast in live.filter_map(|node| node.forecast()) {
            warmth.forecast += 1;
            warmth.known += u32::from(forecast.is_known());
        }
        warmth
    }

    /// Returns the forecast of a node.
    pub fn forecast(&self, now: Now, id: &NodeId) -> ForecastView {
        let node = self.fleet.get(id);
        let forecast = node.and_then(|node| node.forecast());
        ForecastView {
            v: VERSION,
            node: id.clone(),
            at_ms: now.wall,
            mode: self.params.forecast.mode,
            health: node.map(|node| node.health()),
            resources: forecast.map(NodeForecast::view).unwrap_or_default(),
        }
    }
}
