//! Fixture: small worlds, and a policy that records the sends of another one.

use rolecast_common::id::NodeId;

use crate::engine::run;
use crate::peers::create;
use crate::policy::{Event, HostIndex, JobIndex, Live, Policy, Send};
use crate::tests::fixture;
pub(super) use crate::tests::fixture::arrival as job;
use crate::world::{Arrival, Heartbeats, Host, Kind, Load, Needs, Sample, Sharing, World};

pub(super) const GB: f64 = 1e9;

/// A minute without chance in it, and time for all jobs to end.
pub(super) fn world(mut hosts: Vec<Host>, arrivals: Vec<Arrival>) -> World {
    for (number, host) in hosts.iter_mut().enumerate() {
        host.id = NodeId::new(&format!("node-{number}")).unwrap();
    }
    World {
        hosts,
        kinds: vec![kind("job", 1.0)],
        arrivals,
        sharing: Sharing::Fair,
        heartbeats: Heartbeats {
            interval_s: 1.0,
            delay_s: 0.02,
            noise: 0.0,
            loss: 0.0,
            on_change: false,
        },
        history_s: 2.0,
        warm_up_s: 0.0,
        length_s: 60.0,
        drain_s: 3000.0,
        epoch_ms: 1_700_000_000_000,
        seed: 1,
    }
}

pub(super) fn fleet(count: usize, cores: f64) -> Vec<Host> {
    vec![host(cores); count]
}

/// An idle host of speed 1 with 16 GB.
pub(super) fn host(cores: f64) -> Host {
    Host {
        load: busy(0.0, &[]),
        ..fixture::host(cores)
    }
}

/// A load of this many cores, and from each of the times on, of this many.
pub(super) fn busy(cpu: f32, changes: &[(f64, f32)]) -> Load {
    let mut load = Load {
        start_s: -2.0,
        step_s: 0.5,
        samples: Vec::new(),
    };
    let of = |cpu| Sample {
        cpu,
        speed_left: 1.0,
        ..Sample::default()
    };
    load.samples.push(of(cpu));
    for (at_s, next) in changes {
        let last = *load.samples.last().unwrap();
        while load.begin_s(load.samples.len()) < *at_s {
            load.samples.push(last);
        }
        load.samples.push(of(*next));
    }
    load
}

/// Jobs of one core and 0.1 GB that any host may run.
pub(super) fn kind(name: &str, duration_s: f64) -> Kind {
    let kind = fixture::kind(name);
    let needs = Needs {
        memory: 0.1 * GB,
        ..kind.average
    };
    Kind {
        average: needs,
        peak: needs,
        duration_s,
        ..kind
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) at_s: f64,
    pub(super) job: JobIndex,
    pub(super) host: HostIndex,
}

pub(super) fn on_hosts(sent: &[Sent]) -> Vec<HostIndex> {
    sent.iter().map(|sent| sent.host).collect()
}

/// Runs the world and returns the sends of the policy of this name.
pub(super) fn sends(name: &str, world: &World) -> Vec<Sent> {
    let mut recorder = Recorder {
        policy: create(name, world).unwrap(),
        sent: Vec::new(),
    };
    run(world, &mut recorder);
    recorder.sent
}

struct Recorder {
    policy: Box<dyn Policy>,
    sent: Vec<Sent>,
}

impl Policy for Recorder {
    fn handle(&mut self, now_s: f64, event: Event<'_>, live: &dyn Live, sends: &mut Vec<Send>) {
        self.policy.handle(now_s, event, live, sends);
        self.sent.extend(sends.iter().map(|send| Sent {
            at_s: now_s,
            job: send.job,
            host: send.host,
        }));
    }

    fn next_deadline_s(&self) -> Option<f64> {
        self.policy.next_deadline_s()
    }

    fn learns(&self) -> bool {
        self.policy.learns()
    }
}
