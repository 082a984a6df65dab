//! Test bench: drives an agent as its shell would.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use rolecast_common::assignment::{Ack, Seal};
use rolecast_common::id::{Attempt, BootId, Category, Epoch, JobId, NodeId};

use rolecast_common::label::Labels;
use rolecast_common::time::WallTime;
use rolecast_common::unit::{Cores, Resources, Speed};
use rolecast_common::wire::{Admission, AdmissionVerdict, Heartbeat, JobUsage, VERSION};

use super::super::*;

pub(super) const SECOND: Duration = Duration::from_secs(1);
/// The limit of servers unless they are configured.
pub(super) const MAX_PAYLOAD: usize = 1024 * 1024;
pub(super) const BATCH_LEN_MAX: usize = 256 * 1024;

/// An agent, its clock, and its outputs so far.
pub(super) struct Bench {
    pub(super) agent: Agent,
    pub(super) now: Now,
    pub(super) out: Vec<Output>,
    pub(super) has_left: bool,
    /// Started and not ended.
    pub(super) alive: Vec<(Run, Assignment)>,
    pub(super) stopped: BTreeSet<Run>,
    /// Sent and not confirmed, newest content.
    pub(super) unconfirmed: BTreeMap<u64, Vec<Outcome>>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with_jobs_max(3)
    }

    pub(super) fn with_jobs_max(jobs_max: u32) -> Self {
        Self::with(jobs_max, true, RoleParams::default())
    }

    /// An agent that may be given two roles.
    pub(super) fn with_offers(hook_limit: Option<Duration>) -> Self {
        let role = |name: &str| Role::new(name).unwrap();
        let roles = RoleParams {
            offers: vec![role("leader"), role("backup")],
            hook_limit,
            epoch: Epoch::new(5),
            ..RoleParams::default()
        };
        Self::with(3, false, roles)
    }

    pub(super) fn without_heartbeat_on_change() -> Self {
        Self::with(3, false, RoleParams::default())
    }

    /// An agent that has just started.
    pub(super) fn joining() -> Self {
        Self::started(3, false, RoleParams::default())
    }

    fn with(jobs_max: u32, heartbeat_on_change: bool, roles: RoleParams) -> Self {
        let mut bench = Self::started(jobs_max, heartbeat_on_change, roles);
        bench.admission(AdmissionVerdict::Admitted);
        bench.take();
        bench
    }

    fn started(jobs_max: u32, heartbeat_on_change: bool, roles: RoleParams) -> Self {
        let limits = |jobs_max, time_limit| Limits {
            jobs_max,
            time_limit,
        };
        let categories = [
            ("plain", limits(jobs_max, None)),
            ("pair", limits(2, Some(10 * SECOND))),
        ];
        let params = Params {
            node: NodeId::new("n1").unwrap(),
            boot: BootId::new("boot").unwrap(),
            roles: RoleParams {
                fixed: vec![Role::new("follower").unwrap()],
                ..roles
            },
            labels: Labels::default(),
            speed: Speed::default(),
            capacity: Resources {
                cpu: Cores::clamped(4.0),
                ..Resources::default()
            },
            jobs_max,
            categories: categories
                .map(|(name, limits)| (Category::new(name).unwrap(), limits))
                .into(),
            grace: 5 * SECOND,
            heartbeat_on_change,
            max_payload: MAX_PAYLOAD,
        };
        let now = Now {
            time: Time::from_start(SECOND),
            wall: WallTime::from_millis(1_700_000_000_000),
        };
        let mut bench = Self {
            agent: Agent::new(now, params),
            now,
            out: Vec::new(),
            has_left: false,
            alive: Vec::new(),
            stopped: BTreeSet::new(),
            unconfirmed: BTreeMap::new(),
        };
        bench.input(Input::Tick);
        bench.take();
        bench
    }

    pub(super) fn admission(&mut self, verdict: AdmissionVerdict) {
        let admission = self.admission_of(verdict);
        self.input(Input::Admission(admission));
    }

    /// Returns a dispatcher's answer to this start of the node.
    pub(super) fn admission_of(&self, verdict: AdmissionVerdict) -> Admission {
        Admission {
            v: VERSION,
            boot: self.agent.params.boot.clone(),
            epoch: Epoch::new(7),
            verdict,
            refuted: None,
            reason: "boot b1 of it sent a heartbeat 0.4 s ago".to_owned(),
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        let first = self.out.len();
        self.agent.handle(self.now, input, &mut self.out);
        for output in &self.out[first..] {
            match output {
                Output::Start {
                    run, assignment, ..
                } => {
                    self.alive.push((*run, assignment.clone()));
                }
                Output::Stop(run) | Output::Cancel(run) => drop(self.stopped.insert(*run)),
                Output::SendOutcomes { batch, outcomes } => {
                    self.unconfirmed.insert(*batch, outcomes.outcomes.clone());
                }
                Output::Exit | Output::Fail(_) => self.has_left = true,
                Output::KeepEpoch(_)
                | Output::Hook { .. }
                | Output::Listen
                | Output::Heartbeat(_)
                | Output::Event(_) => {}
            }
        }
    }

    pub(super) fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn offer(&mut self, assignment: Assignment) {
        self.input(Input::Job(Offer {
            assignment,
            deadline: None,
            time_limit: None,
            roles: Vec::new(),
            trace: None,
        }));
    }

    pub(super) fn start(&mut self, job: &str, attempt: u32) -> Run {
        self.take();
        self.offer(assignment(job, attempt));
        self.starts()[0]
    }

    /// Takes the outputs and returns what they start.
    pub(super) fn starts(&mut self) -> Vec<Run> {
        let start = |output| match output {
            Output::Start { run, .. } => Some(run),
            _ => None,
        };
        self.take().into_iter().filter_map(start).collect()
    }

    /// Takes the outputs and returns the batches they send.
    pub(super) fn sent(&mut self) -> Vec<(u64, Vec<Outcome>)> {
        let sent = |output| match output {
            Output::SendOutcomes { batch, outcomes } => Some((batch, outcomes.outcomes.clone())),
            _ => None,
        };
        self.take().into_iter().filter_map(sent).collect()
    }

    pub(super) fn refusal(&mut self) -> Option<(OutcomeStatus, String)> {
        let (_, outcomes) = self.sent().pop()?;
        Some((outcomes[0].status, outcomes[0].reason.clone()))
    }

    pub(super) fn end(&mut self, run: Run, status: OutcomeStatus) {
        self.alive.retain(|(alive, _)| *alive != run);
        self.input(Input::Ended(vec![ended(run, status)]));
    }

    pub(super) fn confirm_newest(&mut self) {
        let (batch, _) = self.unconfirmed.pop_last().unwrap();
        self.input(Input::Confirmed { batch });
    }

    pub(super) fn confirm_all(&mut self) {
        while let Some((batch, _)) = self.unconfirmed.pop_first() {
            self.input(Input::Confirmed { batch });
        }
    }

    pub(super) fn heartbeat(&self) -> Heartbeat {
        self.agent.heartbeat(self.now.wall)
    }

    /// Lets time pass as a shell does: from deadline to deadline.
    pub(super) fn pass(&mut self, length: Duration) {
        let end = self.now.time + length;
        while self.now.time < end {
            let next = self.agent.next_deadline().min(end);
            let step = next.since(self.now.time);
            assert!(
                next > self.now.time,
                "a deadline that has passed was not met"
            );
            self.now.time = next;
            self.now.wall = self.now.wall + step;
            self.input(Input::Tick);
        }
    }
}

pub(super) fn key(assignment: &Assignment) -> (String, u32) {
    (assignment.job().to_string(), assignment.attempt().get())
}

pub(super) fn ended(run: Run, status: OutcomeStatus) -> Ended {
    Ended {
        run,
        status,
        reason: String::new(),
        failure: None,
        output: Bytes::from_static(b"out"),
        output_truncated: false,
        log: Bytes::new(),
        log_truncated: false,
        length: Duration::from_millis(3),
        usage: JobUsage::default(),
    }
}

/// Returns the acknowledgement of this delivery of job "a".
pub(super) fn ack(delivery: u64) -> Ack {
    ack_of("a", delivery)
}

/// Returns the acknowledgement of this delivery of a job; its name's first letter is its
/// position in the stream.
fn ack_of(job: &str, delivery: u64) -> Ack {
    let sequence = job.as_bytes()[0];
    Ack::parse(&format!("$JS.ACK.S.c.{delivery}.{sequence}.1.1.1")).unwrap()
}

/// The seal; a worker does not read it.
const SEAL: Seal = Seal::new(7);

pub(super) fn assignment(job: &str, attempt: u32) -> Assignment {
    assignment_of("plain", job, attempt)
}

pub(super) fn assignment_of(category: &str, job: &str, attempt: u32) -> Assignment {
    let category = Category::new(category).unwrap();
    let ack = ack_of(job, 1);
    let job = JobId::new(job).unwrap();
    let attempt = Attempt::new(attempt);
    Assignment::sealed(Epoch::new(7), category, job, attempt, ack, |_| SEAL)
}

pub(super) fn with_epoch(assignment: &Assignment, epoch: u64) -> Assignment {
    Assignment::sealed(
        Epoch::new(epoch),
        assignment.category().clone(),
        assignment.job().clone(),
        assignment.attempt(),
        assignment.ack().clone(),
        |_| SEAL,
    )
}

pub(super) fn with_ack(assignment: &Assignment, ack: Ack) -> Assignment {
    Assignment::sealed(
        assignment.epoch(),
        assignment.category().clone(),
        assignment.job().clone(),
        assignment.attempt(),
        ack,
        |_| SEAL,
    )
}
