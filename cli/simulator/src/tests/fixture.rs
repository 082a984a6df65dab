//! Fixture: small worlds, and a policy that records the events it receives.

use fastrand::Rng;
use rolecast_common::id::{Category, NodeId, Priority};
use rolecast_common::label::{Labels, Requirement};
use rolecast_common::wire::Usage;

use crate::engine::run;
use crate::metrics::Metrics;
use crate::peers::create;
use crate::policy::{End, Event, HostIndex, JobIndex, Live, Policy, Send};
use crate::world::{Arrival, Heartbeats, Host, Kind, Load, Needs, Sample, Sharing, World};

pub(super) fn world(hosts: Vec<Host>, kinds: Vec<Kind>, arrivals: Vec<Arrival>) -> World {
    World {
        hosts,
        kinds,
        arrivals,
        sharing: Sharing::Fair,
        heartbeats: Heartbeats {
            interval_s: 1.0,
            delay_s: 0.02,
            noise: 0.03,
            loss: 0.0,
            on_change: true,
        },
        history_s: 0.0,
        warm_up_s: 0.0,
        length_s: 60.0,
        drain_s: 60.0,
        epoch_ms: 0,
        seed: 1,
    }
}

/// An idle host of speed 1 with 16 GB.
pub(crate) fn host(cores: f64) -> Host {
    Host {
        id: NodeId::new("node").unwrap(),
        roles: vec![],
        labels: Labels::default(),
        cores,
        speed: 1.0,
        memory: 16e9,
        disk: 2e8,
        network: 1e8,
        declared_cores: cores,
        declared_speed: 1.0,
        latency_s: 0.0,
        load: fixed(Sample {
            speed_left: 1.0,
            ..Sample::default()
        }),
    }
}

/// A load that does not change.
pub(super) fn fixed(sample: Sample) -> Load {
    Load {
        start_s: 0.0,
        step_s: 0.5,
        samples: vec![sample],
    }
}

/// Jobs of one core that any host may run.
pub(crate) fn kind(name: &str) -> Kind {
    let needs = Needs {
        cores: 1.0,
        ..Needs::default()
    };
    Kind {
        category: Category::new(name).unwrap(),
        roles: vec![],
        average: needs,
        peak: needs,
        duration_s: 1.0,
        objective: 4.0,
        require: Requirement::default(),
    }
}

/// A job of one core.
pub(crate) fn arrival(at_s: f64, work_s: f64) -> Arrival {
    Arrival {
        at_s,
        kind: 0,
        work_s,
        needs: Needs {
            cores: 1.0,
            ..Needs::default()
        },
        key: None,
        priority: Priority::Normal,
    }
}

/// Exponential sizes at exponential distances: `work` core-seconds a second.
pub(super) fn poisson(rng: &mut Rng, work: f64, mean_s: f64, length_s: f64) -> Vec<Arrival> {
    let mut exponential = |mean: f64| -mean * (1.0 - rng.f64()).ln();
    let mut arrivals = Vec::new();
    let mut at_s = exponential(mean_s / work);
    while at_s < length_s {
        arrivals.push(arrival(at_s, exponential(mean_s)));
        at_s += exponential(mean_s / work);
    }
    arrivals
}

/// Runs the world with every job on any host that may run it.
pub(super) fn run_on(world: &World) -> (Metrics, Recorder) {
    let mut recorder = Recorder::new("random", world);
    let metrics = run(world, &mut recorder);
    (metrics, recorder)
}

/// Acts as another policy, and keeps the events it received.
pub(super) struct Recorder {
    policy: Box<dyn Policy>,
    pub(super) learns: bool,
    pub(super) ends: Vec<ReceivedEnd>,
    pub(super) heartbeats: Vec<ReceivedHeartbeat>,
}

#[derive(Debug, PartialEq)]
pub(super) struct ReceivedEnd {
    pub(super) now_s: f64,
    pub(super) job: JobIndex,
    pub(super) host: HostIndex,
    pub(super) end: End,
}

#[derive(Debug, PartialEq)]
pub(super) struct ReceivedHeartbeat {
    pub(super) now_s: f64,
    pub(super) host: HostIndex,
    pub(super) sequence: u64,
    pub(super) usage: Usage,
    pub(super) jobs: Vec<JobIndex>,
}

impl ReceivedHeartbeat {
    /// Returns when it was sent, up to a tenth of the interval before.
    pub(super) fn sent_s(&self, heartbeats: &Heartbeats) -> f64 {
        self.now_s - heartbeats.delay_s
    }
}

impl Recorder {
    /// Acts as the policy of this name.
    pub(super) fn new(name: &str, world: &World) -> Self {
        Self {
            policy: create(name, world).unwrap(),
            learns: false,
            ends: Vec::new(),
            heartbeats: Vec::new(),
        }
    }
}

impl Policy for Recorder {
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>) {
        match &event {
            Event::Ended { job, host, end } => self.ends.push(ReceivedEnd {
                now_s,
                job: *job,
                host: *host,
                end: *end,
            }),
            Event::Heartbeat { host, report } => self.heartbeats.push(ReceivedHeartbeat {
                now_s,
                host: *host,
                sequence: report.sequence,
                usage: report.usage,
                jobs: report.jobs.to_vec(),
            }),
            Event::Arrived { .. } | Event::Turn => {}
        }
        self.policy.handle(now_s, event, live, sends);
    }

    fn next_deadline_s(&self) -> Option<f64> {
        self.policy.next_deadline_s()
    }

    fn learns(&self) -> bool {
        self.learns
    }
}
