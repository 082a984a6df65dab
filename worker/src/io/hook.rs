//! Role hook: the program that is run when the roles of the node change.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rolecast_common::id::Role;
use rolecast_common::wire::OutcomeStatus;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::child::{self, Stop, Task};
use super::gauge::Gauge;
use super::leash::Leash;
use crate::agent::HookRun;
use crate::command::{Command, KeepStderr};
use crate::config;
use crate::progress::Reporter;

/// Nobody reads the standard output of a hook.
const OUTPUT_MAX: usize = 0;

/// A run that is over; with the reason if it failed.
pub(super) type Ended = (HookRun, Result<(), String>);

/// The runs of the hook of a node.
#[derive(Debug)]
pub(super) struct Hooks {
    hook: Option<Hook>,
    leash: Arc<Leash>,
    ended: UnboundedSender<Ended>,
}

impl Hooks {
    /// Returns no runs yet, and the receiver of their ends.
    pub(super) fn new(hook: Option<Hook>, leash: Arc<Leash>) -> (Self, UnboundedReceiver<Ended>) {
        let (ended, ends) = unbounded_channel();
        (Self { hook, leash, ended }, ends)
    }

    /// Runs the hook; its end is reported exactly once.
    pub(super) fn start(&self, run: HookRun, old: &[Role], new: &[Role]) {
        let hook = self.hook.as_ref();
        let hook = hook.expect("the agent has a limit of the hook only if there is one");
        tracing::info!(event = "role_hook", ?old, ?new, "running the hook");
        hook.start(run, old, new, &self.leash, &self.ended);
    }
}

#[derive(Clone, Debug)]
pub(super) struct Hook {
    command: Command,
    pub(super) limit: Duration,
}

impl Hook {
    pub(super) fn new(hook: config::Hook) -> Self {
        let command = Command {
            program: hook.program,
            arguments: hook.arguments,
            environment: hook.environment,
            directory: None,
            output_max: OUTPUT_MAX,
            keep_stderr: KeepStderr::Never,
            // It acts for the worker, on services of the host.
            confinement: None,
        };
        Self {
            command,
            limit: hook.limit,
        }
    }

    /// Starts it on a thread of its own, and kills it with all its children at its limit.
    /// `ended` receives exactly one message.
    fn start(
        &self,
        run: HookRun,
        old: &[Role],
        new: &[Role],
        leash: &Arc<Leash>,
        ended: &UnboundedSender<Ended>,
    ) {
        let mut command = self.command.clone();
        command.arguments.extend([join(old), join(new)]);
        let stop = Arc::new(Stop::default());
        let task = Task {
            command: Arc::new(command),
            variables: Vec::new(),
            payload: Bytes::new(),
            stop: Arc::clone(&stop),
            // Its use belongs to no job.
            gauge: Arc::new(Gauge::default()),
            leash: Arc::clone(leash),
            // Nobody watches a hook.
            reporter: Reporter::new(|_| {}),
        };
        let limit = self.limit;
        let timer = tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            stop.force();
        });
        let sender = ended.clone();
        let body = move || {
            let finished = child::run(task);
            let is_killed = timer.is_finished();
            timer.abort();
            let is_done = finished.status == OutcomeStatus::Completed;
            let result = match (is_done, is_killed) {
                (true, _) => Ok(()),
                (false, true) => Err(format!("killed after {} ms", limit.as_millis())),
                (false, false) => Err(finished.reason),
            };
            // Nobody receives this only if the worker ends.
            let _ = sender.send((run, result));
        };
        let thread = std::thread::Builder::new().name("hook".to_owned());
        if let Err(error) = thread.spawn(body) {
            let _ = ended.send((run, Err(format!("cannot start a thread: {error}"))));
        }
    }
}

fn join(roles: &[Role]) -> String {
    let names: Vec<&str> = roles.iter().map(Role::as_str).collect();
    names.join(",")
}
