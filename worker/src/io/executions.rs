//! Executions: starts the jobs that the agent accepts, and stops them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use foldhash::{HashMap, HashMapExt as _};
use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::wire::Progress;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::child::{self, KILL_DELAY, Stop, Task};
use super::gauge::Gauge;
use super::leash::Leash;
use super::progress::Board;
use super::report::Report;
use super::runner::{Program, Runner};
use crate::agent::{Ended, Run};
use crate::cancellation::Cancellation;
use crate::command::{job_environment, trace_environment};
use crate::job::Job;
use crate::progress::Reporter;

/// Handle to stop a running execution.
#[derive(Debug)]
enum Stopper {
    Handler(AbortHandle, Option<oneshot::Sender<()>>),
    Command(Arc<Stop>),
}

/// The running executions of a node.
#[derive(Debug)]
pub(super) struct Executions {
    node: NodeId,
    runners: BTreeMap<Category, Runner>,
    gauge: Arc<Gauge>,
    leash: Arc<Leash>,
    board: Board,
    running: HashMap<Run, Stopper>,
    ended: mpsc::UnboundedSender<Ended>,
}

impl Executions {
    /// Returns no executions yet, and the receiver of their ends.
    pub(super) fn new(
        node: NodeId,
        runners: BTreeMap<Category, Runner>,
        gauge: Arc<Gauge>,
        leash: Arc<Leash>,
    ) -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (ended, ends) = mpsc::unbounded_channel();
        let executions = Self {
            node,
            runners,
            gauge,
            leash,
            board: Board::default(),
            running: HashMap::new(),
            ended,
        };
        (executions, ends)
    }

    /// Starts a job; its end is reported exactly once.
    pub(super) fn start(&mut self, run: Run, mut job: Job, roles: &[Role]) {
        tracing::debug!(event = "job_started", ?run, assignment = %job.assignment);
        let report = Report::new(run, self.ended.clone());
        let runner = self.runners.get(job.category());
        let runner = runner.expect("the agent takes jobs of known categories only");
        let stopper = match &runner.program {
            Program::Handler(launch) => {
                let (cancel, cancelled) = oneshot::channel();
                job.cancellation = Cancellation::new(async move {
                    if cancelled.await.is_err() {
                        // Its execution is over, and was not cancelled.
                        std::future::pending::<()>().await;
                    }
                });
                Stopper::Handler(launch(job, report), Some(cancel))
            }
            Program::Command(command) => {
                let stop = Arc::new(Stop::default());
                let mut variables =
                    job_environment(&self.node, roles, &job.assignment, job.deadline);
                let headers = job.headers.iter().flat_map(HeaderMap::iter);
                variables.extend(trace_environment(headers.flat_map(|(name, values)| {
                    let name: &str = name.as_ref();
                    values.iter().map(move |value| (name, value.as_str()))
                })));
                let task = Task {
                    command: Arc::clone(command),
                    variables,
                    payload: job.payload,
                    stop: Arc::clone(&stop),
                    gauge: Arc::clone(&self.gauge),
                    leash: Arc::clone(&self.leash),
                    reporter: job.reporter,
                };
                child::start(task, report);
                Stopper::Command(stop)
            }
        };
        self.running.insert(run, stopper);
        self.gauge.set_handlers(self.running.len());
    }

    /// Returns the way for an execution to report its progress.
    pub(super) fn reporter(&self, run: Run) -> Reporter {
        self.board.reporter(run)
    }

    /// Returns the progress that was reported since the last call.
    pub(super) fn take_progress(&self) -> Vec<(Run, Progress)> {
        self.board.take()
    }

    /// Asks an execution to end.
    pub(super) fn stop(&self, run: Run) {
        match self.running.get(&run) {
            Some(Stopper::Handler(task, _)) => task.abort(),
            Some(Stopper::Command(stop)) => stop.ask(),
            None => {}
        }
    }

    /// Asks an execution whose job is cancelled to end; a handler that goes on is aborted
    /// after the time that a command has.
    pub(super) fn cancel(&mut self, run: Run) {
        match self.running.get_mut(&run) {
            Some(Stopper::Handler(task, cancel)) => {
                let Some(cancel) = cancel.take() else {
                    return;
                };
                // A handler that has dropped its job learns it by the abort.
                let _ = cancel.send(());
                let task = task.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(KILL_DELAY).await;
                    task.abort();
                });
            }
            Some(Stopper::Command(stop)) => stop.ask(),
            None => {}
        }
    }

    /// Records executions that are over.
    pub(super) fn remove(&mut self, ended: &[Ended]) {
        for ended in ended {
            self.running.remove(&ended.run);
            if !ended.reason.is_empty() {
                tracing::debug!(event = "job_failed", run = ?ended.run, reason = ended.reason);
            }
        }
    }

    /// Reports their number to the sampler.
    pub(super) fn count(&self) {
        self.gauge.set_handlers(self.running.len());
    }

    /// Kills all, and waits for their ends, for a limited time.
    pub(super) async fn kill(
        &mut self,
        ends: &mut mpsc::UnboundedReceiver<Ended>,
        limit: Duration,
    ) {
        for stopper in self.running.values() {
            match stopper {
                Stopper::Handler(task, _) => task.abort(),
                Stopper::Command(stop) => stop.force(),
            }
        }
        let all_ended = async {
            while !self.running.is_empty() {
                let Some(ended) = ends.recv().await else {
                    return;
                };
                self.running.remove(&ended.run);
            }
        };
        let _ = tokio::time::timeout(limit, all_ended).await;
    }
}
