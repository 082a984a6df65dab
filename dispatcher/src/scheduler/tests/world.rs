//! Property test of the scheduler in a small world: nodes that join and leave, and a stream
//! that redelivers what is not acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rolecast_common::assignment::Assignment;
use rolecast_common::id::{NodeId, Sequence};
use rolecast_common::wire::OutcomeStatus;

use super::super::{CancelInput, CancelOutput, Input, Output, Recorded, Scheduler};
use super::cancelling::cancel;
use super::{delivery, heartbeat, machine, now, pass, report};
use crate::scheduler::jobs::Job;

/// The next event of the world in the property test.
#[derive(Clone, Copy, Debug)]
enum Step {
    Submit,
    Redeliver(usize),
    Beat(usize),
    Reboot(usize),
    Report(usize, OutcomeStatus),
    Bounce(usize),
    Cancel(usize),
    Wait(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let statuses = prop_oneof![
        Just(OutcomeStatus::Completed),
        Just(OutcomeStatus::Retry),
        Just(OutcomeStatus::GiveUp),
        Just(OutcomeStatus::Refused),
        Just(OutcomeStatus::HandedBack),
        Just(OutcomeStatus::Cancelled),
    ];
    prop_oneof![
        2 => Just(Step::Submit),
        2 => (0usize..4).prop_map(Step::Redeliver),
        3 => (0usize..2).prop_map(Step::Beat),
        1 => (0usize..2).prop_map(Step::Reboot),
        4 => (0usize..6, statuses).prop_map(|(at, status)| Step::Report(at, status)),
        1 => (0usize..6).prop_map(Step::Bounce),
        1 => (0usize..4).prop_map(Step::Cancel),
        2 => (1u8..20).prop_map(Step::Wait),
    ]
}

/// The stream, the nodes and the results around a scheduler.
struct World {
    machine: Scheduler,
    seconds: f64,
    submitted: u64,
    /// Jobs in the stream and how often each was delivered.
    queue: BTreeMap<u64, u64>,
    /// Jobs given back and not yet delivered again.
    returned: BTreeSet<u64>,
    sent: Vec<(NodeId, Assignment)>,
    results: BTreeMap<u64, u32>,
    /// Jobs whose cancel is in force: none is sent to a node.
    cancelled: BTreeSet<u64>,
    boots: [u64; 2],
    beats: u64,
}

impl World {
    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        pass(&mut self.machine, self.seconds, &mut out);
        self.machine.handle(now(self.seconds), input, &mut out);
        self.machine
            .handle(now(self.seconds), Input::Turn, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Forward {
                    node, assignment, ..
                } => {
                    let job = assignment.ack().sequence().get();
                    assert!(!self.cancelled.contains(&job), "job {job} was cancelled");
                    self.sent.push((node, assignment));
                }
                Output::Record(record) => {
                    let sequence = record.sequence;
                    *self.results.entry(sequence.get()).or_default() += 1;
                    let result = Recorded::Stored;
                    self.tell(Input::Recorded { sequence, result });
                }
                Output::DeadLetter { record, .. } => {
                    let sequence = record.sequence;
                    *self.results.entry(sequence.get()).or_default() += 1;
                    self.queue.remove(&sequence.get());
                    self.tell(Input::DeadLettered {
                        sequence,
                        is_done: true,
                    });
                }
                Output::Ack { sequence, .. } => {
                    let recorded = self.results.contains_key(&sequence.get());
                    assert!(recorded, "job {sequence} acknowledged without a record");
                    self.queue.remove(&sequence.get());
                }
                Output::GiveBack { sequence, .. } => {
                    self.returned.insert(sequence.get());
                }
                Output::Cancel(output) => self.carry_out_cancel(output),
                Output::Fetch { .. }
                | Output::Ping { .. }
                | Output::AskReport { .. }
                | Output::Recover
                | Output::Drop(_)
                | Output::KeepAlive(_)
                | Output::SaveHistory { .. }
                | Output::ForgetHistory(_)
                | Output::Confirm(_)
                | Output::StepDown { .. }
                | Output::DoubtLease
                | Output::Roles(_)
                | Output::Admit { .. }
                | Output::PublishCapacity(_)
                | Output::RecordDecision(_)
                | Output::StoreLog(_)
                | Output::SaveForecast { .. }
                | Output::Learn(_)
                | Output::Trace(_)
                | Output::Event(_) => {}
            }
        }
    }

    fn carry_out_cancel(&mut self, output: CancelOutput) {
        match output {
            CancelOutput::Store { id, .. } => {
                let result = Ok(());
                self.tell(Input::Cancel(CancelInput::Stored { id, result }));
            }
            CancelOutput::Remove(record) => {
                let sequence = record.sequence;
                *self.results.entry(sequence.get()).or_default() += 1;
                self.queue.remove(&sequence.get());
                self.returned.remove(&sequence.get());
                let is_done = true;
                self.tell(Input::Cancel(CancelInput::Removed { sequence, is_done }));
            }
            CancelOutput::Forget(_) | CancelOutput::Answer { .. } | CancelOutput::Stop { .. } => {}
        }
    }

    fn deliver(&mut self, job: u64) {
        let Some(delivered) = self.queue.get_mut(&job) else {
            return;
        };
        *delivered += 1;
        let delivered = *delivered;
        self.returned.remove(&job);
        self.tell(delivery(job, delivered));
    }

    fn beat(&mut self, at: usize) {
        let name = ["n0", "n1"][at];
        self.beats += 1;
        let jobs = self.machine.jobs.iter();
        let running = jobs.filter(|job| job.node().is_some_and(|node| node.as_str() == name));
        let listed: BTreeSet<Sequence> = running.map(Job::sequence).collect();
        let jobs = self
            .sent
            .iter()
            .filter(|(_, a)| listed.contains(&a.ack().sequence()));
        let jobs = jobs.map(|(_, assignment)| assignment.clone()).collect();
        let boot = format!("b{}", self.boots[at]);
        self.tell(heartbeat(name, &boot, self.beats, jobs));
    }

    fn step(&mut self, step: Step) {
        self.seconds += 0.05;
        match step {
            Step::Submit => {
                self.submitted += 1;
                self.queue.insert(self.submitted, 0);
                self.deliver(self.submitted);
            }
            Step::Redeliver(at) => {
                if let Some(job) = self.queue.keys().nth(at).copied() {
                    self.deliver(job);
                }
            }
            Step::Beat(at) => self.beat(at),
            Step::Reboot(at) => {
                self.boots[at] += 1;
                self.beat(at);
            }
            Step::Report(at, status) => {
                if let Some((node, assignment)) = self.sent.iter().rev().nth(at).cloned() {
                    self.tell(report(node.as_str(), &assignment, status));
                }
            }
            Step::Bounce(at) => {
                if let Some((node, assignment)) = self.sent.iter().rev().nth(at).cloned() {
                    self.tell(Input::Bounced { node, assignment });
                }
            }
            Step::Cancel(at) => {
                if let Some(job) = self.queue.keys().nth(at).copied() {
                    self.tell(cancel(job, job));
                    self.cancelled.insert(job);
                }
            }
            Step::Wait(tenths) => {
                self.seconds += f64::from(tenths) / 10.0;
                self.tell(Input::Turn);
            }
        }
    }

    /// Every job of the queue is held by the scheduler or given back to the
    /// stream, every ledger holds exactly what runs, and no job has two outcomes.
    fn check(&self) {
        for job in self.queue.keys() {
            let is_held = self.machine.jobs.get(Sequence::new(*job)).is_some();
            assert!(
                is_held || self.returned.contains(job),
                "job {job} is nowhere"
            );
        }
        for (job, count) in &self.results {
            assert_eq!(*count, 1, "job {job} has {count} outcomes");
        }
        for node in self.machine.fleet.nodes() {
            let reserved: BTreeSet<Sequence> = node.ledger().jobs().collect();
            let jobs = self.machine.jobs.iter();
            let running = jobs.filter(|job| job.is_running_on(node.id()));
            let running: BTreeSet<Sequence> = running.map(Job::sequence).collect();
            assert_eq!(reserved, running, "ledger of {}", node.id());
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_or_settled_twice_whatever_happens(
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let mut world = World {
            machine: machine(),
            seconds: 0.0,
            submitted: 0,
            queue: BTreeMap::new(),
            returned: BTreeSet::new(),
            sent: Vec::new(),
            results: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            boots: [0, 0],
            beats: 0,
        };
        for step in steps {
            world.step(step);
            world.check();
        }
        // Once faults stop, every job ends.
        for _ in 0..200 {
            world.seconds += 0.3;
            world.beat(0);
            for job in world.returned.clone() {
                world.deliver(job);
            }
            let running: Vec<_> = world.sent.drain(..).collect();
            for (node, assignment) in running {
                world.tell(report(node.as_str(), &assignment, OutcomeStatus::Completed));
            }
        }
        world.check();
        prop_assert!(world.queue.is_empty(), "left: {:?}", world.queue);
    }
}
