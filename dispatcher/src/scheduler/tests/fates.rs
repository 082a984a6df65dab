//! Tests with a machine and a few workers whose jobs complete, fail, or take their node
//! down, and of the blame for that.

use rolecast_common::unit::Bytes;
use rolecast_common::wire::{Heartbeat, Record};

use super::*;
use crate::scheduler::suspects;

const STEP: f64 = 0.05;
/// Time that a node that died needs to be back.
const RESTART: f64 = 2.5;

/// The behaviour of a job on a node.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Run {
    /// After this time, having used this much memory, in MiB.
    Completes(f64, u64),
    Ends(f64, OutcomeStatus),
    CannotStart,
    /// The node takes it and forgets it.
    IsDropped,
    /// The node dies after this time, with all its jobs.
    Kills(f64),
}

struct Worker {
    name: String,
    boot: u64,
    beats: u64,
    /// The time when it is up again, and when its next heartbeat is due.
    up: f64,
    next: f64,
    running: Vec<(f64, Assignment, Run)>,
}

struct World<'a> {
    machine: Scheduler,
    seconds: f64,
    slots: u32,
    memory: Bytes,
    workers: Vec<Worker>,
    /// Jobs in the stream, with the times and numbers of their deliveries.
    queue: BTreeMap<u64, (f64, u64)>,
    records: BTreeMap<u64, Record>,
    events: Vec<Event>,
    run: &'a dyn Fn(&str, u64) -> Run,
}

impl<'a> World<'a> {
    fn new(policy: Policy, workers: usize, slots: u32, run: &'a dyn Fn(&str, u64) -> Run) -> Self {
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

    fn submit(&mut self, jobs: std::ops::RangeInclusive<u64>) {
        let seconds = self.seconds;
        self.queue.extend(jobs.map(|job| (job, (seconds, 0))));
    }

    /// Runs until all jobs have ended, or so long.
    fn run(&mut self, limit: f64) {
        while !self.queue.is_empty() && self.seconds < limit {
            self.step();
        }
    }

    fn step(&mut self) {
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
            | Output::Admit { .. }
            | Output::Drop(_)
            | Output::Ack { .. }
            | Output::KeepAlive(_)
            | Output::SaveHistory { .. }
            | Output::ForgetHistory(_)
            | Output::RecordDecision(_)
            | Output::PublishCapacity(_)
            | Output::SaveForecast { .. }
            | Output::Learn(_)
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

    fn dead(&self) -> Vec<&Record> {
        let records = self.records.values();
        records
            .filter(|record| record.status != RecordStatus::Completed)
            .collect()
    }

    fn failures_on(&self, name: &str) -> usize {
        let failures = self.records.values().flat_map(|record| &record.failures);
        failures.filter(|failed| failed.node == node(name)).count()
    }

    fn doubts(&self) -> usize {
        let is_doubt = |event: &&Event| matches!(event, Event::Verdict(Verdict::NodeDistrusted(_)));
        self.events.iter().filter(is_doubt).count()
    }
}

/// A category whose jobs have so many attempts.
fn attempts(attempts_max: u32) -> Policy {
    Policy {
        attempts_max,
        ..policy("ocr")
    }
}

#[test]
fn a_job_that_takes_its_nodes_down_is_found_and_those_beside_it_complete() {
    for workers in [1, 3] {
        for neighbours in [0u64, 1, 2, 5, 13, 32] {
            for pill in [1, neighbours / 2 + 1] {
                let run = |_: &str, job: u64| match job {
                    job if job == pill => Run::Kills(0.3),
                    _ => Run::Completes(3.0, 10),
                };
                let slots = u32::try_from(neighbours).unwrap() + 1;
                let mut world = World::new(attempts(3), workers, slots, &run);
                world.submit(1..=neighbours + 1);
                world.run(600.0);
                let what = format!("{pill} of {} on {workers}", neighbours + 1);
                assert!(world.queue.is_empty(), "{what}: {:?} are left", world.queue);
                let dead = world.dead();
                assert_eq!(dead.len(), 1, "{what}: {dead:?}");
                assert_eq!(dead[0].sequence.get(), pill, "{what}");
                assert!(
                    dead[0].reason.contains("alone on it the last 3 times"),
                    "{what}"
                );
                let rounds = (neighbours + 1).next_power_of_two().ilog2() as usize + 1;
                let losses = dead[0].losses.len();
                // It may have been alone, or with jobs that were not there before, at first.
                // Where there is no other node, all share it once more after the first loss.
                let shared = usize::from(workers == 1);
                let most = rounds.max(3) - 1 + shared + suspects::ALONE_MAX;
                assert!(losses <= most, "{what}: {losses}");
                let failed = world.records.values().map(|record| record.failures.len());
                assert_eq!(failed.sum::<usize>(), 0, "{what}");
            }
        }
    }
}

#[test]
fn after_a_power_cut_all_jobs_complete_soon() {
    let run = |_: &str, _: u64| Run::Completes(10.0, 10);
    let mut world = World::new(attempts(1), 4, 8, &run);
    world.submit(1..=64);
    for _ in 0..100 {
        world.step();
    }
    for worker in &mut world.workers {
        worker.running.clear();
        worker.boot += 1;
        worker.up = world.seconds + 3.0;
        worker.next = worker.up;
    }
    world.run(100.0);
    assert!(world.queue.is_empty() && world.dead().is_empty());
    // Two rounds of 10 s, one of which was cut after 5 s.
    assert!(world.seconds < 5.0 + 3.0 + 20.0 + 3.0, "{}", world.seconds);
}

/// Runs jobs of a second on three nodes of three slots, one of which does this with all
/// its jobs; returns the world and the time that it took.
fn with_a_bad_host(bad: Run, jobs: u64) -> (Vec<Record>, usize, f64, usize) {
    let run = |name: &str, _: u64| match name {
        "n1" => bad,
        _ => Run::Completes(1.0, 10),
    };
    let mut world = World::new(attempts(3), 3, 3, &run);
    world.submit(1..=jobs);
    world.run(300.0);
    assert!(world.queue.is_empty());
    let dead = world.dead().into_iter().cloned().collect();
    (dead, world.failures_on("n1"), world.seconds, world.doubts())
}

#[test]
fn a_host_that_fails_all_at_once_spoils_little() {
    for (status, jobs) in [(OutcomeStatus::Retry, 90), (OutcomeStatus::GiveUp, 120)] {
        let (_, _, healthy, _) = with_a_bad_host(Run::Completes(1.0, 10), jobs);
        let (dead, failures, seconds, doubts) = with_a_bad_host(Run::Ends(0.01, status), jobs);
        let what = format!("{status:?}: {failures} failures, {seconds} s after {healthy} s");
        assert!(dead.len() * 50 <= usize::try_from(jobs).unwrap(), "{what}");
        assert!(healthy / seconds >= 0.6, "{what}");
        assert!(doubts >= 1, "{what}");
    }
}

#[test]
fn a_host_that_drops_what_it_accepts_is_given_little() {
    let (dead, _, seconds, doubts) = with_a_bad_host(Run::IsDropped, 120);
    assert!(dead.is_empty() && doubts >= 1, "{dead:?}");
    // Two nodes of three slots need 20 s; each loss is noticed after three heartbeats.
    assert!(seconds < 35.0, "{seconds}");
}

#[test]
fn a_retry_goes_to_a_node_where_the_job_did_not_fail() {
    let run = |name: &str, _: u64| match name {
        "n1" => Run::Ends(0.5, OutcomeStatus::Retry),
        _ => Run::Completes(0.5, 10),
    };
    let mut world = World::new(attempts(3), 3, 30, &run);
    // One at a time, so that there is always room everywhere.
    for job in 1..=30 {
        world.submit(job..=job);
        world.run(1000.0);
    }
    assert!(world.dead().is_empty());
    let again = world.records.values().map(|record| record.failures.len());
    assert!(again.max() <= Some(1), "{:?}", world.records);
}

#[test]
fn where_all_nodes_fail_alike_no_node_is_distrusted() {
    let run = |_: &str, job: u64| match job % 3 {
        0 => Run::Completes(1.0, 10),
        1 => Run::Ends(0.2, OutcomeStatus::Retry),
        _ => Run::Ends(0.2, OutcomeStatus::GiveUp),
    };
    let mut world = World::new(attempts(2), 3, 3, &run);
    world.submit(1..=300);
    world.run(1000.0);
    assert!(world.queue.is_empty());
    assert_eq!((world.dead().len(), world.doubts()), (200, 0));
}

#[test]
fn a_host_that_cannot_start_a_command_costs_no_attempts() {
    let run = |name: &str, _: u64| match name {
        "n1" => Run::CannotStart,
        _ => Run::Completes(1.0, 10),
    };
    let mut world = World::new(attempts(1), 3, 3, &run);
    world.submit(1..=90);
    world.run(100.0);
    assert!(world.queue.is_empty() && world.dead().is_empty());
    let told = world.events.iter();
    let told = told.filter(|event| matches!(event, Event::Verdict(Verdict::NodeUnable(_))));
    assert!((1..=6).contains(&told.count()), "{:?}", world.events);
}

#[test]
fn where_no_host_can_start_a_command_jobs_wait_and_that_is_told() {
    let run = |_: &str, _: u64| Run::CannotStart;
    let mut world = World::new(attempts(1), 2, 3, &run);
    world.submit(1..=10);
    world.run(120.0);
    assert_eq!((world.queue.len(), world.records.len()), (10, 0));
    // Tried after 1, 2, 4 ... seconds, and not all the time.
    let tried = world.machine.reporting.counters().jobs_unable;
    assert!((8..=30).contains(&tried), "{tried}");
    let is_told = |event: &Event| matches!(event, Event::JobsWait(wait) if wait.why == "2 unable to start it");
    assert!(world.events.iter().any(is_told), "{:?}", world.events);
    let status = world.machine.status(now(world.seconds));
    let doubt = &status.nodes[0].distrusted[0];
    assert_eq!(doubt.reason, "unable: no such file");
}

#[test]
fn a_job_given_up_by_a_host_alone_is_tried_on_another_one() {
    let run = |name: &str, job: u64| match (name, job) {
        (_, 1) | ("n1", 2) => Run::Ends(0.1, OutcomeStatus::GiveUp),
        _ => Run::Completes(1.0, 10),
    };
    let mut world = World::new(attempts(5), 1, 3, &run);
    world.submit(1..=1);
    world.run(10.0);
    // There is no other host to ask.
    assert_eq!(world.dead()[0].failures.len(), 1);
    let mut world = World::new(attempts(5), 2, 3, &run);
    world.submit(1..=2);
    world.run(10.0);
    let dead = world.dead();
    assert_eq!((dead.len(), dead[0].sequence.get()), (1, 1));
    let asked: Vec<bool> = dead[0]
        .failures
        .iter()
        .map(|failed| failed.gave_up)
        .collect();
    assert_eq!(asked, [true, true], "two hosts agree");
    assert_ne!(dead[0].failures[0].node, dead[0].failures[1].node);
}

#[test]
fn one_odd_job_does_not_close_its_category() {
    let sizes = [10, 10, 10, 10, 10, 285, 10];
    let run = |_: &str, job: u64| Run::Completes(0.5, sizes[usize::try_from(job).unwrap() - 1]);
    let mut world = World::new(attempts(1), 1, 3, &run);
    world.memory = Bytes::from_mib(300);
    for job in 1..=7 {
        world.submit(job..=job);
        world.run(100.0);
    }
    assert_eq!(world.records.len(), 7);
    assert!(world.seconds < 10.0, "{}", world.seconds);
}

#[test]
fn what_was_learned_of_memory_and_fits_nowhere_is_tried_alone_and_unlearned() {
    let sizes = |job: u64| if job <= 3 { 285 } else { 10 };
    let run = |_: &str, job: u64| Run::Completes(0.5, sizes(job));
    let mut world = World::new(attempts(1), 2, 3, &run);
    world.memory = Bytes::from_mib(300);
    world.submit(1..=40);
    for _ in 0..100 {
        world.step();
    }
    let waiting = JobId::new("job-30").unwrap();
    let view = world.machine.job(now(world.seconds), &waiting).unwrap();
    assert_eq!(view.state, JobState::Waiting, "{view:?}");
    world.run(300.0);
    assert!(world.queue.is_empty(), "{:?}", world.queue);
    let is_told = |event: &&Event| matches!(event, Event::Verdict(Verdict::TriedAlone { why, .. }) if why.contains("memory"));
    assert!(world.events.iter().filter(is_told).count() > 0);
    // Once fewer than one in twenty were large, the category runs side by side again.
    world.submit(41..=70);
    world.run(600.0);
    let started = world.seconds;
    world.submit(71..=130);
    world.run(900.0);
    assert!(world.queue.is_empty());
    assert!(
        world.seconds - started < 10.0,
        "{}",
        world.seconds - started
    );
}
