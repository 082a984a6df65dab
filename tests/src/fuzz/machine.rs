//! Small world that receives the inputs read, and its invariants.

use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::{Attempt, BootId, Category, Epoch, JobId, NodeId, Role};
use rolecast_common::options::Options;
use rolecast_common::subjects::Source;
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::{Encoding, Heartbeat, Outcome, RoleDocument, SealKey, encode};
use rolecast_dispatcher::claim::Claimed;
use rolecast_dispatcher::config;
use rolecast_dispatcher::roles;
use rolecast_dispatcher::scheduler::{Delivery, Input, Output, Params, Recorded, Scheduler};
use rolecast_dispatcher::seal::Seals;

pub(super) const START_MS: u64 = 1_769_860_800_000;
pub(super) const EPOCH: u64 = 5;
const CONFIG: &str = "
[forecast]
mode = \"on\"
[categories.ocr]
[roles.leader]
holders = 1
[roles.follower]
";
/// Subject on which a worker expects the confirmation of its outcomes.
const REPLY: &str = "rolecast.node.n1.confirm.7";
/// Rounds in which the requests to the shell are answered: a job is recorded,
/// dead-lettered or given back in fewer.
const ROUNDS_MAX: usize = 8;

pub(super) fn node(name: &str) -> NodeId {
    NodeId::new(name).expect("it is a node's name")
}

fn seals() -> Seals {
    let key = |epoch: u64| SealKey::new(u128::from(epoch).to_be_bytes());
    let with = |seals: Seals, epoch| seals.with(Epoch::new(epoch), key(epoch));
    (1..=EPOCH).fold(Seals::default(), with)
}

fn ack(sequence: u64) -> Ack {
    let stored = START_MS * 1_000_000;
    let subject = format!("$JS.ACK.ROLECAST_JOBS.normal-ocr.1.{sequence}.1.{stored}.0");
    Ack::parse(&subject).expect("it is an ack subject")
}

/// Returns an assignment of a former dispatcher to n1: a job that this one does not know.
pub(super) fn inherited() -> Assignment {
    Assignment::sealed(
        Epoch::new(EPOCH - 1),
        Category::new("ocr").expect("it is a category"),
        JobId::new("job-2").expect("it is a job id"),
        Attempt::FIRST,
        ack(2),
        |text| seals().seal(&node("n1"), text),
    )
}

/// Returns the heartbeat of a node of four cores that does nothing.
pub(super) fn beat(name: &str, sequence: u64) -> Heartbeat {
    let capacity = Resources {
        cpu: Cores::clamped(4.0),
        memory: Bytes::from_mib(1024),
        ..Resources::default()
    };
    let boot = BootId::new("boot").expect("it is a boot id");
    Heartbeat {
        epoch: Epoch::new(EPOCH),
        roles: vec![Role::new("follower").expect("it is a role")],
        capacity,
        jobs_max: 4,
        categories: [(Category::new("ocr").expect("it is a category"), 4)].into(),
        ..Heartbeat::new(node(name), boot, sequence)
    }
}

/// A dispatcher that leads two honest nodes, n1 and n2, and has sent job 1 to n1.
pub(super) struct World {
    machine: Scheduler,
    now: Now,
    /// The assignment under which n1 has job 1.
    running: Assignment,
    /// Requested when it took the lead, and not answered.
    reading: Vec<u64>,
}

impl World {
    pub(super) fn new() -> Self {
        let config = config::parse(CONFIG, "d").expect("it is a configuration");
        let params = Params {
            name: config.name,
            forecast: config.forecast,
            policies: config.policies,
            allowances: config.allowances,
            roles: config.roles,
            has_feedback: config.has_feedback,
            undeclared: config.undeclared,
            warm_up: Duration::ZERO,
            ack_wait: Duration::from_secs(15),
            seed: 7,
        };
        let now = Now {
            time: Time::ZERO,
            wall: WallTime::from_millis(START_MS),
        };
        let mut machine = Scheduler::new(params, now);
        let mut out = Vec::new();
        let lead = Input::Lead {
            epoch: Epoch::new(EPOCH),
            until: Time::from_start(Duration::MAX),
            seals: seals(),
            histories: Vec::new(),
        };
        let [first, second] = ["n1", "n2"].map(|name| Input::Heartbeat {
            from: node(name),
            heartbeat: Box::new(beat(name, 1)),
        });
        for input in [lead, first, delivered(1), Input::Turn, second, Input::Turn] {
            machine.handle(now, input, &mut out);
        }
        let (mut sent, mut reading) = (None, Vec::new());
        for output in out {
            if let Output::Forward { assignment, .. } = output {
                sent = Some(assignment);
            } else if let Output::Roles(roles::Output::Read { request }) = output {
                reading.push(request);
            }
        }
        let running = sent.expect("a node has room for the job");
        Self {
            machine,
            now,
            running,
            reading,
        }
    }

    /// Receives a heartbeat on its own subject; it hides no job, acknowledges nothing and
    /// unseats nobody.
    pub(super) fn receive(&mut self, beat: Heartbeat) {
        let from = beat.node.clone();
        let is_honest = |node: &NodeId| ["n1", "n2"].contains(&node.as_str());
        let epoch = beat.epoch;
        let heartbeat = Box::new(beat);
        let out = self.turn(vec![Input::Heartbeat {
            from: from.clone(),
            heartbeat,
        }]);
        for output in &out {
            if let Output::Admit { node, .. } = output {
                assert_eq!(*node, from, "another node is admitted");
            }
            if let Output::Forward { node, .. } = output {
                assert!(is_honest(node) || *node == from, "{node} is not known");
            }
            assert!(
                !matches!(output, Output::StepDown { .. }),
                "{from} reports {epoch}"
            );
        }
        self.pass(3);
        let job = self.machine.job(self.now, self.running.job());
        assert!(job.is_some(), "job 1 is forgotten");
    }

    /// Receives outcomes from n1 in one message: alone with job 1 as their assignment, or
    /// as a batch that names them. Once all is settled a repetition is confirmed.
    pub(super) fn report(&mut self, mut outcomes: Vec<Outcome>, is_batch: bool) {
        let mut claims = Vec::new();
        for mut outcome in outcomes.drain(..) {
            let named = outcome.job.take();
            let claimed = if is_batch {
                named
            } else {
                Some(self.running.clone())
            };
            // The shell refuses a batch with an outcome of no job.
            let Some(claimed) = claimed else {
                return;
            };
            claims.push((Claimed::new(claimed), outcome));
        }
        let report = Input::Outcomes {
            from: node("n1"),
            reply: Some(REPLY.to_owned()),
            outcomes: claims,
        };
        let first = self.settle(report.clone());
        assert!(first <= 1, "confirmed {first} times");
        let again = self.settle(report);
        assert_eq!(again, 1, "what is settled is not confirmed");
    }

    /// Loads this document from the bucket when the dispatcher takes the lead.
    pub(super) fn read_roles(&mut self, document: &RoleDocument) {
        let reading = std::mem::take(&mut self.reading);
        for request in reading {
            let entry = Some((1, document.clone()));
            let input = Input::Roles(roles::Input::Read { request, entry });
            let out = self.turn(vec![input]);
            for output in out {
                if let Output::Roles(roles::Output::Store { document: next, .. }) = output {
                    assert!(next.generation > document.generation, "an older generation");
                }
            }
        }
        self.pass(3);
    }

    /// Handles the input, answers the requests to the shell until there are none, and
    /// returns how often the reply subject was confirmed.
    fn settle(&mut self, input: Input) -> usize {
        let mut inputs = vec![input];
        let mut confirmed = 0;
        for _ in 0..ROUNDS_MAX {
            let out = self.turn(std::mem::take(&mut inputs));
            for output in out {
                if let Output::Confirm(reply) = output {
                    assert_eq!(reply, REPLY);
                    confirmed += 1;
                } else if let Output::Record(record) = output {
                    inputs.push(Input::Recorded {
                        sequence: record.sequence,
                        result: Recorded::Stored,
                    });
                } else if let Output::DeadLetter { record, .. } = output {
                    inputs.push(Input::DeadLettered {
                        sequence: record.sequence,
                        is_done: true,
                    });
                }
            }
            if inputs.is_empty() {
                break;
            }
        }
        confirmed
    }

    /// Lets some seconds pass in which the honest nodes send heartbeats.
    fn pass(&mut self, seconds: u64) {
        for second in 1..=seconds {
            self.now.time = self.now.time + Duration::from_secs(1);
            self.now.wall = self.now.wall + Duration::from_secs(1);
            let beats = ["n1", "n2"].map(|name| {
                let mut heartbeat = Box::new(beat(name, 1 + second));
                if name == "n1" {
                    heartbeat.jobs.push(self.running.clone());
                }
                let from = node(name);
                Input::Heartbeat { from, heartbeat }
            });
            self.turn(beats.into());
        }
    }

    /// Handles the inputs in one turn, and checks the outputs.
    fn turn(&mut self, inputs: Vec<Input>) -> Vec<Output> {
        let mut out = Vec::new();
        for input in inputs.into_iter().chain([Input::Turn]) {
            self.machine.handle(self.now, input, &mut out);
        }
        let genuine = [self.running.ack().clone(), inherited().ack().clone()];
        for output in &out {
            let ack = if let Output::Ack { ack, .. }
            | Output::GiveBack { ack, .. }
            | Output::KeepAlive(ack) = output
            {
                Some(ack)
            } else if let Output::DeadLetter { ack, .. } = output {
                ack.as_ref()
            } else {
                None
            };
            assert!(ack.is_none_or(|ack| genuine.contains(ack)), "{output:?}");
            if let Output::Record(record) | Output::DeadLetter { record, .. } = output {
                let jobs = [self.running.job().clone(), inherited().job().clone()];
                assert!(jobs.contains(&record.job), "{record:?}");
            }
        }
        let status = self.machine.status(self.now);
        assert!(status.nodes.len() <= 3);
        encode(Encoding::Json, &status);
        out
    }
}

fn delivered(sequence: u64) -> Input {
    let job = JobId::new(&format!("job-{sequence}")).expect("it is a job id");
    Input::Delivered(Delivery {
        source: Source::parse("rolecast.jobs.ocr").expect("it is a source"),
        ack: ack(sequence),
        options: Ok(Options::new(job.clone())),
        job,
    })
}
