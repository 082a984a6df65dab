//! A scheduler and a few workers whose jobs complete, fail, or take their node down.

use rolecast_common::unit::Bytes;
use rolecast_common::wire::{Heartbeat, Record};

use super::*;

const STEP: f64 = 0.05;
/// Time that a node that died needs to be back.
const RESTART: f64 = 2.5;

/// The behaviour of a job on a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Run {
    /// After this time, having used this much memory, in MiB.
    Completes(f64, u64),
    Ends(f64, OutcomeStatus),
    CannotStart,
    /// The node takes it and forgets it.
    IsDropped,
    /// The node dies after this time, with all its jobs.
    Kills(f64),
}

pub(super) struct Worker {
    name: String,
    pub(super) boot: u64,
    beats: u64,
    /// The time when it is up again, and when its next heartbeat is due.
    pub(super) up: f64,
    pub(super) next: f64,
    pub(super) running: Vec<(f64, Assignment, Run)>,
}

pub(super) struct World<'a> {
    pub(super) machine: Scheduler,
    pub(super) seconds: f64,
    slots: u32,
    pub(super) memory: Bytes,
    pub(super) workers: Vec<Worker>,
    /// Jobs in the stream, with the times and numbers of their deliveries.
    pub(super) queue: BTreeMap<u64, (f64, u64)>,
    pub(super) records: BTreeMap<u64, Record>,
    pub(super) events: Vec<Event>,
    run: &'a dyn Fn(&str, u64) -> Run,
}

impl<'a> World<'a> {
    pub(super) fn new(
        policy: Policy,
        workers: usize,
        slots: u32,
        run: &'a dyn Fn(&str, u64) -> Run,
    ) -> Self {
        let worker = |number: usize| Worker {
            name: format!("n{number}"),
            boot: 0,
            beats: 0,
            up: 0.0,
            next: 0.0,
            running: Vec::new(),
        };
        Self {
            machine: machine_of(vec![policy]),
            seconds: 0.0,
            slots,
            memory: Bytes::from_mib(1 << 20),
            workers: (1..=workers).map(worker).collect(),
            queue: BTreeMap::new(),
            records: BTreeMap::new(),
            events: Vec::new(),
            run,
        }
    }

    pub(super) fn submit(&mut self, jobs: std::ops::RangeInclusive<u64>) {
        let seconds = self.seconds;
        self.queue.extend(jobs.map(|job| (job, (seconds, 0))));
    }

    /// Runs until all jobs have ended, or so long.
    pub(super) fn run(&mut self, limit: f64) {
        while !self.queue.is_empty() && self.seconds < limit {
            self.step();
        }
    }

    pub(super) fn step(&mut self) {
        self.seconds += STEP;
        for at in 0..self.workers.len() {
            self.end_runs(at);
            if self.workers[at].next <= self.seconds {
                self.workers[at].next = self.seconds + 1.0;
                let beat = self.beat(at);
                self.tell(beat);
            }
        }
        let due = self.queue.iter().filter(|(_, (at, _))| *at <= self.seconds);
        for job in due.map(|(job, _)| *job).collect::<Vec<u64>>() {
            let entry = self.queue.get_mut(&job).expect("it was just listed");
            entry.0 = f64::INFINITY;
            entry.1 += 1;
            let delivery = delivery(job, entry.1);
            self.tell(delivery);
        }
        self.tell(Input::Turn);
    }

    fn end_runs(&mut self, at: usize) {
        let seconds = self.seconds;
        let worker = &mut self.workers[at];
        let (ended, left) = std::mem::take(&mut worker.running)
            .into_iter()
            .partition(|(end, _, _)| *end <= seconds);
        worker.running = left;
        let ended: Vec<(f64, Assignment, Run)> = ended;
        if ended.iter().any(|(_, _, run)| matches!(run, Run::Kills(_))) {
            worker.running.clear();
            worker.boot += 1;
            worker.up = seconds + RESTART;
            worker.next = worker.up;
            return;
        }
        let name = worker.name.clone();
        for (_, assignment, run) in ended {
            let mut ended = outcome(match run {
                Run::Completes(..) | Run::Kills(_) => OutcomeStatus::Completed,
                Run::Ends(_, status) => status,
                Run::CannotStart | Run::IsDropped => OutcomeStatus::Refused,
            });
            if let Run::Completes(length, memory) = run {
                ended.run_us = Duration::from_secs_f64(length)
                    .as_micros()
                    .try_into()
                    .unwrap();
                ended.usage.memory_max = memory << 20;
            }
            if run == Run::CannotStart {
                ended.reason = "unable: no such file".to_owned();
            }
            self.tell(Input::Outcomes {
                from: node(&name),
                reply: None,
                outcomes: vec![(Claimed::new(assignment), ended)],
            });
        }
    }

    fn beat(&mut self, at: usize) -> Input {
        let worker = &mut self.workers[at];
        worker.beats += 1;
        let jobs = worker.running.iter();
        let mut beat: Heartbeat = beat(&worker.name, &format!("b{}", worker.boot), worker.beats);
        beat.jobs = jobs.map(|(_, assignment, _)| assignment.clone()).collect();
        beat.jobs_max = self.slots;
        beat.capacity.cpu = rolecast_common::unit::Cores::clamped(1000.0);
        beat.capacity.memory = self.memory;
        beat.categories = BTreeMap::from([(Category::new("ocr").unwrap(), self.slots)]);
        Input::Heartbeat {
            from: node(&worker.name),
            heartbeat: Box::new(beat),
        }
    }

    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.machine.handle(now(self.seconds), input, &mut out);
        for output in out {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Forward {
                node,
                assignment,
                sequence,
                ..
            } => {
                let run = (self.run)(node.as_str(), sequence.get());
                let length = match run {
                    Run::Completes(length, _) | Run::Ends(length, _) | Run::Kills(length) => length,
                    Run::CannotStart => 0.0,
                    Run::IsDropped => return,
                };
                let end = self.seconds + length;
                let worker = self
                    .workers
                    .iter_mut()
                    .find(|worker| worker.name == node.as_str());
                let worker = worker.expect("it is one of ours");
                if worker.up > self.seconds {
                    self.tell(Input::Bounced { node, assignment });
                } else {
                    worker.running.push((end, assignment, run));
                }
            }
            Output::GiveBack {
                sequence, delay, ..
            } => {
                let entry = self.queue.get_mut(&sequence.get()).expect("it is stored");
                entry.0 = self.seconds + delay.as_secs_f64();
            }
            Output::Record(record) => {
                let sequence = record.sequence;
                self.end(*record);
                let result = Recorded::Stored;
                self.tell(Input::Recorded { sequence, result });
            }
            Output::DeadLetter { record, .. } => {
                let sequence = record.sequence;
                self.end(*record);
                let is_done = true;
                self.tell(Input::DeadLettered { sequence, is_done });
            }
            Output::Event(event) => self.events.push(event),
            Output::StepDown { reason } => panic!("{reason}"),
            Output::Fetch { .. }
            | Output::Ping { .. }
            | Output::AskReport { .. }
            | Output::Recover
            | Output::DoubtLease
            | Output::Cancel(_)
            | Output::Admit { .. }
            | Output::Drop(_)
            | Output::Ack { .. }
            | Output::KeepAlive(_)
            | Output::SaveHistory { .. }
            | Output::ForgetHistory(_)
            | Output::RecordDecision(_)
            | Output::StoreLog(_)
            | Output::PublishCapacity(_)
            | Output::SaveForecast { .. }
            | Output::Learn(_)
            | Output::Trace(_)
            | Output::Confirm(_)
            | Output::Roles(_) => {}
        }
    }

    fn end(&mut self, record: Record) {
        let job = record.sequence.get();
        self.queue.remove(&job);
        let before = self.records.insert(job, record);
        assert!(before.is_none(), "job {job} ended twice");
    }

    pub(super) fn dead(&self) -> Vec<&Record> {
        let records = self.records.values();
        records
            .filter(|record| record.status != RecordStatus::Completed)
            .collect()
    }

    pub(super) fn failures_on(&self, name: &str) -> usize {
        let failures = self.records.values().flat_map(|record| &record.failures);
        failures.filter(|failed| failed.node == node(name)).count()
    }

    pub(super) fn doubts(&self) -> usize {
        let is_doubt = |event: &&Event| matches!(event, Event::Verdict(Verdict::NodeDistrusted(_)));
        self.events.iter().filter(is_doubt).count()
    }
}
