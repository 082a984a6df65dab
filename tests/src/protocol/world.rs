//! World of one run: the queue of its events, and the parties that they concern.

mod action;
mod carry;
mod flow;
mod trouble;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use fastrand::Rng;
use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Epoch, NodeId, Role, Sequence};
use rolecast_common::subjects::Source;
use rolecast_common::time::Time;
use rolecast_common::wire::{Heartbeat, LeaseRecord, Outcome, RoleAssignment, RoleDocument};
use rolecast_dispatcher::config::Config;
use rolecast_dispatcher::lease::{Entry, Written};
use rolecast_dispatcher::scheduler::{self, History, Recorded};
use rolecast_worker::agent::{self, Offer};

use super::checks::Checks;
use super::clock::{Clock, Instantaneous, nanos};
use super::desk::{Desk, Mind, config};
use super::faults::{FAULTS_END, Fault, Faults, plan};
use super::host::{Host, Service};
use super::network::{Network, Place, Weather};
use super::queue::Word;
use super::store::{Request, Store};
use super::{BACKLOG_MAX, FLOW_MAX, Flaw, LEADER_MAX, RECOVERY_MAX, Run, Violation};

/// End of a run, long enough after the faults to show that it stays well.
const END: Duration = Duration::from_secs(105);
const TRACE_MAX: usize = 400;

/// A message on its way.
#[derive(Clone, Debug)]
enum Letter {
    Heartbeat(Box<Heartbeat>),
    Assign {
        sender: (usize, u32),
        assignment: RoleAssignment,
    },
    Job {
        sender: (usize, u32),
        offer: Offer,
    },
    Outcomes {
        node: usize,
        reply: String,
        outcomes: Vec<(Assignment, Outcome)>,
    },
    Confirm {
        life: u32,
        batch: u64,
    },
    /// A dispatcher requests a heartbeat at once.
    AskReport,
    Ask {
        from: Asker,
        question: Question,
    },
    Reply {
        to: Asker,
        reply: Reply,
    },
}

/// The sender of a request to the store: a dispatcher, its start, and the time it led.
#[derive(Clone, Copy, Debug)]
struct Asker {
    desk: usize,
    life: u32,
    service: u64,
}

/// A request of a dispatcher to the store.
#[derive(Clone, Debug)]
enum Question {
    ReadLease(Time),
    WriteLease(Time, u64, LeaseRecord),
    ReadRoles(u64),
    WriteRoles(u64, u64, Box<RoleDocument>),
    Histories,
    Pull(Source, u32),
    Word(Sequence, Word),
    Record(Sequence),
    Recover,
}

impl Question {
    fn request(&self) -> Request {
        match self {
            Self::ReadLease(..) => Request::ReadLease,
            Self::WriteLease(..) => Request::WriteLease,
            Self::ReadRoles(..) => Request::ReadRoles,
            Self::WriteRoles(..) => Request::WriteRoles,
            Self::Histories | Self::Pull(..) => Request::ReadJobs,
            Self::Word(..) | Self::Record(..) | Self::Recover => Request::WriteJobs,
        }
    }
}

#[derive(Clone, Debug)]
enum Reply {
    Lease(Time, Entry),
    LeaseWritten(Time, Written),
    Roles(u64, Option<(u64, Box<RoleDocument>)>),
    RolesWritten(u64, Written),
    Histories(Vec<(Sequence, History)>),
    Pulled(Box<scheduler::Input>),
    Recorded(Sequence, Recorded),
    /// Nothing is answered.
    None,
}

/// An event at a process, or in the world.
#[derive(Clone, Debug)]
enum Due {
    /// A message leaves its sender; `life` is the sender's.
    Leave {
        from: Place,
        life: u32,
        to: Place,
        letter: Letter,
    },
    Arrive {
        to: Place,
        letter: Letter,
    },
    /// A deadline of a process; the one of its number, and no earlier one.
    Wake {
        at: Place,
        life: u32,
        planned: Instantaneous,
    },
    /// Something at a node: a hook, a job, a confirmation.
    Node {
        node: usize,
        life: u32,
        input: agent::Input,
    },
    Fault(Fault),
    Resume(Place),
    Start(Place),
    Mend(Place, Place),
    /// An active dispatcher sends a job past its machine.
    Jobs,
    /// A producer publishes a job.
    Publish,
    /// The queue checks whether something is to be delivered.
    Deliver,
    /// The shell of a dispatcher received a result.
    Report {
        to: Asker,
        input: Box<scheduler::Input>,
    },
    /// The faults end.
    Heal,
}

impl Due {
    /// Returns the process of the event, and its start: the event waits while that one is
    /// stopped, and is dropped with it.
    fn process(&self) -> Option<(Place, u32)> {
        match self {
            Self::Leave { from, life, .. } => Some((*from, *life)),
            Self::Wake { at, life, .. } => Some((*at, *life)),
            Self::Node { node, life, .. } => Some((Place::Node(*node), *life)),
            Self::Report { to, .. } => Some((Place::Dispatcher(to.desk), to.life)),
            Self::Arrive { .. }
            | Self::Fault(_)
            | Self::Resume(_)
            | Self::Start(_)
            | Self::Mend(..)
            | Self::Jobs
            | Self::Publish
            | Self::Deliver
            | Self::Heal => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct World {
    seed: u64,
    faults: Faults,
    flaw: Option<Flaw>,
    rng: Rng,
    now: Instantaneous,
    due: BinaryHeap<Reverse<(Instantaneous, u64)>>,
    what: BTreeMap<u64, Due>,
    number: u64,
    hosts: Vec<Host>,
    desks: Vec<Desk>,
    store: Store,
    network: Network,
    /// Events that wait for a stopped process.
    stopped: BTreeMap<Place, VecDeque<Due>>,
    /// The time of the next wake of a process.
    wakes: BTreeMap<Place, Instantaneous>,
    roles: Vec<(Role, usize)>,
    config: Config,
    hook_failure: f64,
    checks: Checks,
    job_number: u64,
    run: Run,
    ill_at: Instantaneous,
    unled_at: Instantaneous,
    trace: Option<VecDeque<String>>,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults, flaw: Option<Flaw>, is_traced: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let node_count = rng.usize(3..6);
        let desk_count = rng.usize(2..4);
        let backups = if node_count > 3 { 2 } else { 1 };
        let config = config(backups);
        let roles = config.roles.managed.iter();
        let roles = roles.map(|(role, settings)| (role.clone(), settings.holders.get() as usize));
        let roles = roles.collect();
        let hosts = (0..node_count).map(|index| new_host(&mut rng, index));
        let hosts = hosts.collect();
        let desks = (0..desk_count).map(|_| Desk {
            mind: None,
            clock: Clock::new(&mut rng, 0),
            life: 0,
        });
        let desks = desks.collect();
        let weather = match faults {
            Faults::All => Weather::new(&mut rng),
            Faults::Elections => Weather::FAIR,
        };
        let network = Network::new(weather);
        let mut world = Self {
            seed,
            faults,
            flaw,
            now: 0,
            due: BinaryHeap::new(),
            what: BTreeMap::new(),
            number: 0,
            hosts,
            desks,
            store: Store::default(),
            network,
            stopped: BTreeMap::new(),
            wakes: BTreeMap::new(),
            roles,
            config,
            hook_failure: [0.0, 0.0, 0.2][rng.usize(..3)],
            checks: Checks::default(),
            job_number: 0,
            run: Run::default(),
            ill_at: 0,
            unled_at: 0,
            trace: is_traced.then(VecDeque::new),
            rng,
        };
        world.prepare();
        world
    }

    fn prepare(&mut self) {
        for (at, fault) in plan(
            &mut self.rng,
            self.faults,
            self.hosts.len(),
            self.desks.len(),
        ) {
            self.at(at, Due::Fault(fault));
        }
        for index in 0..self.hosts.len() {
            let at = Duration::from_millis(self.rng.u64(..3_000));
            self.at(at, Due::Start(Place::Node(index)));
        }
        for index in 0..self.desks.len() {
            let at = Duration::from_millis(self.rng.u64(..3_000));
            self.at(at, Due::Start(Place::Dispatcher(index)));
        }
        self.at(Duration::from_millis(500), Due::Jobs);
        self.at(Duration::from_secs(1), Due::Publish);
        self.at(Duration::from_secs(1), Due::Deliver);
        self.at(FAULTS_END, Due::Heal);
    }

    pub(super) fn run(mut self) -> Result<Run, Box<Violation>> {
        while let Some(Reverse((at, number))) = self.due.pop() {
            self.now = at;
            if Duration::from_nanos(at) > END {
                break;
            }
            let due = self.what.remove(&number);
            let due = due.expect("what is in the queue is kept");
            self.run.steps += 1;
            let done = self.happen(due).and_then(|()| {
                let roles = &self.roles;
                self.checks.holders(self.now, &self.hosts, roles)
            });
            if let Err(text) = done {
                return Err(self.violation(text));
            }
            self.look();
        }
        self.now = nanos(END);
        self.check_recovery()
    }

    fn check_recovery(mut self) -> Result<Run, Box<Violation>> {
        let healed = nanos(FAULTS_END);
        self.run.recovery = Duration::from_nanos(self.ill_at.saturating_sub(healed));
        self.run.unled = Duration::from_nanos(self.unled_at.saturating_sub(healed));
        if self.run.unled > LEADER_MAX {
            let text = format!("nobody led {:.1?} after the faults", self.run.unled);
            return Err(self.violation(text));
        }
        if self.run.recovery > RECOVERY_MAX {
            let text = format!(
                "not all was well {:.1?} after the faults",
                self.run.recovery
            );
            return Err(self.violation(text));
        }
        self.check_flow(healed)?;
        Ok(self.run)
    }

    /// Checks that jobs flow: those that only the dispatcher can delay, and that none is
    /// left of the earlier ones.
    fn check_flow(&mut self, healed: Instantaneous) -> Result<(), Box<Violation>> {
        let (queue, now) = (&self.store.queue, self.now);
        let last = now - nanos(FLOW_MAX);
        let (flow, slowest) = queue.longest(healed, now, |at, source| {
            (healed..last).contains(&at) && flow::is_for_anybody(source)
        });
        let (backlog, oldest) = queue.longest(healed, now, |at, _| at < healed);
        (self.run.flow, self.run.backlog) = (flow, backlog);
        self.run.recorded = queue.recorded();
        let text = if flow > FLOW_MAX {
            format!("job {slowest:?} was not recorded for {flow:.1?}")
        } else if backlog > BACKLOG_MAX {
            format!("job {oldest:?} was not recorded {backlog:.1?} after the faults")
        } else {
            return Ok(());
        };
        Err(self.violation(text))
    }

    fn violation(&mut self, text: String) -> Box<Violation> {
        Box::new(Violation {
            seed: self.seed,
            at: Duration::from_nanos(self.now),
            text,
            trace: self.trace.take().unwrap_or_default().into(),
        })
    }

    /// Records the last times at which something was not well.
    fn look(&mut self) {
        let leads = |desk: &Desk| {
            let mind = desk.mind.as_ref();
            mind.is_some_and(|mind| mind.lease.is_held(desk.clock.now(self.now).time))
        };
        let is_led = self.desks.iter().any(leads);
        let is_full = self.roles.iter().all(|(role, holders)| {
            let acting = self.hosts.iter();
            let acting = acting.filter(|host| host.acts_in(self.now, role));
            acting.count() == *holders
        });
        if !is_led || !is_full {
            self.ill_at = self.now;
        }
        if !is_led {
            self.unled_at = self.now;
        }
    }

    fn at(&mut self, at: Duration, due: Due) {
        self.push(nanos(at), due);
    }

    fn after(&mut self, delay: Duration, due: Due) {
        self.push(self.now + nanos(delay), due);
    }

    fn push(&mut self, at: Instantaneous, due: Due) {
        self.number += 1;
        self.due.push(Reverse((at, self.number)));
        self.what.insert(self.number, due);
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACE_MAX {
                trace.pop_front();
            }
            let at = Duration::from_nanos(self.now);
            trace.push_back(format!("{:9.3} {}", at.as_secs_f64(), text()));
        }
    }
}

fn new_host(rng: &mut Rng, index: usize) -> Host {
    let hook_limit = rng
        .bool()
        .then(|| Duration::from_millis(rng.u64(1_000..4_001)));
    Host {
        node: NodeId::new(&format!("n{index}")).expect("it is a node id"),
        agent: None,
        clock: Clock::new(rng, 0),
        life: 0,
        epoch_kept: Epoch::default(),
        epoch_told: Epoch::default(),
        hook_limit,
        service: Service::default(),
        last_heartbeat: None,
        away: Duration::ZERO,
    }
}
