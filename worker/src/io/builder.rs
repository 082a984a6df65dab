//! Builds a worker whose jobs are run by functions of the program itself.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::label::Labels;
use rolecast_common::unit::Speed;
use rolecast_common::wire::{CATEGORIES_MAX, JOBS_IN_HAND_MAX, ROLES_MAX};
use rolecast_http::Settings as HttpSettings;
use rolecast_nats::{ServiceManager, Settings};

use super::handler::launcher;
use super::runner::{Program, Runner};
use super::worker::{CONNECT_TIMEOUT_DEFAULT, NodeSettings, Worker};
use crate::agent::Limits;
use crate::config::{Capacity, GRACE_DEFAULT, default_jobs_max, host_node};
use crate::host::surroundings;
use crate::job::{Job, JobError};
use crate::usage::Scope;

/// All mistakes in the construction of a worker; as a text they are on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(Vec<String>);

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the worker cannot be built: {}", self.0.join("; "))
    }
}

/// Collects the settings of a worker; [`Builder::build`] checks all of them.
///
/// Names of nodes, roles and categories have 1 to 32 of the characters a-z, 0-9, `-` and
/// `_`. A value that is not allowed is a mistake that [`Builder::build`] reports.
#[derive(Debug)]
pub struct Builder {
    node: Option<NodeId>,
    jobs_max: Option<u32>,
    settings: NodeSettings,
    runners: BTreeMap<Category, Runner>,
    nats: Settings,
    connect_timeout: Duration,
    mistakes: Vec<String>,
}

impl Worker {
    /// Returns a builder of a worker whose jobs are run by functions.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl Builder {
    fn new() -> Self {
        Self {
            node: None,
            jobs_max: None,
            settings: NodeSettings {
                roles: Vec::new(),
                offers: Vec::new(),
                state_directory: None,
                labels: Labels::default(),
                speed: Speed::default(),
                scope: Scope::Host,
                jobs_max: 0,
                grace: GRACE_DEFAULT,
                heartbeat_on_change: true,
                capacity: Capacity::default(),
            },
            runners: BTreeMap::new(),
            nats: Settings::default(),
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
            mistakes: Vec::new(),
        }
    }

    /// Names this worker; the default is made of the host name. No other worker that runs
    /// may have the name.
    pub fn node(mut self, name: &str) -> Self {
        self.node = self.valid(NodeId::new(name));
        self
    }

    /// Adds a role that the node always holds; with the offers there are at most 64.
    pub fn role(mut self, name: &str) -> Self {
        if let Some(role) = self.new_role(name) {
            self.settings.roles.push(role);
        }
        self
    }

    /// Adds a managed role, which the dispatcher may assign to the node for a lease. The node
    /// acts in it as soon as it is assigned: a builder has no hook.
    pub fn offer(mut self, name: &str) -> Self {
        if let Some(role) = self.new_role(name) {
            self.settings.offers.push(role);
        }
        self
    }

    /// Sets the directory that keeps the largest epoch seen over restarts, if roles are
    /// offered; it is made if it is missing. By default it is `STATE_DIRECTORY`, or
    /// `rolecast` below `XDG_STATE_HOME`, or below `~/.local/state`.
    pub fn state_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.settings.state_directory = Some(directory.into());
        self
    }

    fn new_role(&mut self, name: &str) -> Option<Role> {
        let role = self.valid(Role::new(name))?;
        if self.settings.roles.contains(&role) || self.settings.offers.contains(&role) {
            self.mistakes.push(format!("role {role} is given twice"));
        }
        Some(role)
    }

    /// Adds a label of the node, for jobs that require it; one name has one value, the last.
    ///
    /// There are at most 32. A name has 1 to 32 of the characters a-z, 0-9, `_`, `.` and `-`;
    /// a value has up to 64 printable characters, none of them `,` or `=`.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        let inserted = self.settings.labels.insert(name, value);
        self.valid(inserted);
        self
    }

    /// Sets the speed of one core, relative to a usual one of the fleet: 0.05 to 20, by
    /// default 1.
    pub fn speed(mut self, speed: f64) -> Self {
        if let Some(speed) = self.valid(Speed::new(speed)) {
            self.settings.speed = speed;
        }
        self
    }

    /// Runs the jobs of a category with a function, at most [`Builder::max_jobs`] of them at
    /// once and without a time limit of this worker. Each job is a task of the runtime; one
    /// that computes for long or blocks belongs into `tokio::task::spawn_blocking`.
    ///
    /// The function returns the job's output, at most 960 KiB, or a [`JobError`]. A job with
    /// more output has failed for good; where the server takes shorter messages only, the
    /// output is cut to them. A panic fails the attempt, as [`JobError::retry`] does.
    ///
    /// A job that ran into its deadline or a time limit, or whose worker leaves, is dropped
    /// at its next `await`.
    pub fn handle<H, F, T>(self, category: &str, handler: H) -> Self
    where
        H: Fn(Job) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, JobError>> + Send + 'static,
        T: Into<Bytes>,
    {
        self.handle_within(category, None, None, handler)
    }

    /// Like [`Builder::handle`], with at most `max_jobs` jobs of the category at once (`None`
    /// is no limit of its own) and, if given, a time limit at which a job is stopped and its
    /// attempt has failed. Both are above zero. The category's time limit at the dispatcher
    /// applies too.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rolecast_worker::{Job, JobError, Worker};
    ///
    /// async fn wait(_: Job) -> Result<&'static [u8], JobError> {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    ///     Ok(b"done")
    /// }
    ///
    /// let builder = Worker::builder().node("n1");
    /// let builder = builder.handle_within("wait", 2, Duration::from_secs(60), wait);
    /// assert!(builder.build().is_ok());
    /// ```
    pub fn handle_within<H, F, T>(
        mut self,
        category: &str,
        max_jobs: impl Into<Option<u32>>,
        time_limit: impl Into<Option<Duration>>,
        handler: H,
    ) -> Self
    where
        H: Fn(Job) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, JobError>> + Send + 'static,
        T: Into<Bytes>,
    {
        let Some(category) = self.valid(Category::new(category)) else {
            return self;
        };
        let limits = Limits {
            jobs_max: max_jobs.into().unwrap_or(u32::MAX),
            time_limit: time_limit.into(),
        };
        if limits.jobs_max == 0 || limits.time_limit == Some(Duration::ZERO) {
            let text = format!("the limits of category {category} must be above 0");
            self.mistakes.push(text);
        }
        let program = Program::Handler(launcher(handler));
        let runner = Runner { limits, program };
        if self.runners.insert(category.clone(), runner).is_some() {
            self.mistakes
                .push(format!("category {category} has two handlers"));
        }
        self
    }

    /// Sets the most jobs at once, 1 to 1024; by default two for each core.
    pub fn max_jobs(mut self, max_jobs: u32) -> Self {
        if !(1..=JOBS_IN_HAND_MAX).contains(&max_jobs) {
            let text = format!("max_jobs is {max_jobs}; expected 1 to {JOBS_IN_HAND_MAX}");
            self.mistakes.push(text);
        }
        self.jobs_max = Some(max_jobs);
        self
    }

    /// Sets the time for running jobs to finish when the worker has to end; by default 30 s.
    /// Jobs that run longer are stopped and given back; that is no failed attempt.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Sets whether a heartbeat is sent at once when the CPU that others use changes by more
    /// than a tenth of the node's, or only every second; by default it is.
    pub fn heartbeat_on_change(mut self, is_on: bool) -> Self {
        self.settings.heartbeat_on_change = is_on;
        self
    }

    /// Sets the capacity of the node, where it replaces the system's figures.
    pub fn capacity(mut self, capacity: Capacity) -> Self {
        self.settings.capacity = capacity;
        self
    }

    /// Sets the scope of the reported use; by default the host.
    pub fn usage_scope(mut self, scope: Scope) -> Self {
        self.settings.scope = scope;
        self
    }

    /// Sets the address of NATS and the login; without it the worker connects to localhost.
    /// [`rolecast_nats::nats_settings`] reads them where the `nats` command does.
    pub fn nats(mut self, settings: Settings) -> Self {
        self.nats = settings;
        self
    }

    /// Sets the time limit of the first connection; by default a minute. Later ones are
    /// tried without end.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Checks everything and returns the worker. It neither connects nor reads the host's
    /// use; that is [`Worker::run`].
    ///
    /// # Errors
    /// All mistakes at once: values that are not allowed, a role or category given twice, no
    /// handler or more than 256, more than 64 roles and offers, or no name where the
    /// host's makes none.
    pub fn build(mut self) -> Result<Worker, Mistakes> {
        if self.node.is_none() && self.mistakes.is_empty() {
            self.node = host_node();
        }
        if self.runners.is_empty() {
            self.mistakes.push("there is no handler".to_owned());
        }
        if self.runners.len() > CATEGORIES_MAX {
            let text = format!("there are more than {CATEGORIES_MAX} handlers");
            self.mistakes.push(text);
        }
        if self.settings.roles.len() + self.settings.offers.len() > ROLES_MAX {
            let text = format!("there are more than {ROLES_MAX} roles and offers");
            self.mistakes.push(text);
        }
        let Some(node) = self.node.filter(|_| self.mistakes.is_empty()) else {
            if self.mistakes.is_empty() {
                self.mistakes.push("the node has no name".to_owned());
            }
            return Err(Mistakes(self.mistakes));
        };
        let settings = &mut self.settings;
        let default = || default_jobs_max(settings.capacity.cpu);
        let jobs_max = self.jobs_max.unwrap_or_else(default);
        settings.jobs_max = jobs_max;
        if settings.state_directory.is_none() {
            settings.state_directory = surroundings::state_directory();
        }
        for runner in self.runners.values_mut() {
            runner.limits.jobs_max = runner.limits.jobs_max.min(jobs_max);
        }
        Ok(Worker {
            node,
            settings: self.settings,
            hook: None,
            runners: self.runners,
            nats: self.nats,
            http: HttpSettings::off(),
            connect_timeout: self.connect_timeout,
            is_leashed: false,
            manager: ServiceManager::none(),
            secrets: Vec::new(),
        })
    }

    /// Returns a valid value, or records the mistake.
    fn valid<T>(&mut self, parsed: Result<T, impl fmt::Display>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.mistakes.push(error.to_string());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn nothing(_: Job) -> Result<Bytes, JobError> {
        Ok(Bytes::new())
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let builder = Worker::builder()
            .node("A B")
            .role("follower")
            .role("follower")
            .label("zone", "eu,us")
            .speed(0.0)
            .max_jobs(0)
            .handle("ocr", nothing)
            .handle("ocr", nothing)
            .handle_within("slow", 0, None, nothing);
        let error = builder.build().unwrap_err().to_string();
        for mistake in [
            "node id \"A B\" is not",
            "role follower is given twice",
            "label value \"eu,us\" is not",
            "0 is not a speed",
            "max_jobs is 0",
            "category ocr has two handlers",
            "the limits of category slow must be above 0",
        ] {
            assert!(error.contains(mistake), "{mistake:?} not in {error}");
        }
        let error = Worker::builder().node("n1").build().unwrap_err();
        assert!(error.to_string().contains("there is no handler"));
    }

    #[test]
    fn a_category_never_has_more_jobs_than_the_worker() {
        let worker = Worker::builder()
            .node("n1")
            .max_jobs(3)
            .handle("ocr", nothing);
        let worker = worker.build().unwrap();
        let limits: Vec<u32> = worker.runners.values().map(|s| s.limits.jobs_max).collect();
        assert_eq!(limits, [3]);
    }
}
