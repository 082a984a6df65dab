//! Test bench: a coordinator, a key that answers at once, and nodes that follow its
//! assignments.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use rolecast_common::id::{BootId, Epoch, Group};
use rolecast_common::time::WallTime;
use rolecast_common::unit::Cores;
use rolecast_common::wire::{RoleAssignment, RoleFailure, RoleVersion, VacantRole};

use super::super::*;
use crate::lease::Written;

pub(super) const STEP: Duration = Duration::from_millis(250);

pub(super) fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}

pub(super) fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// A node that carries out each assignment at once.
#[derive(Debug)]
pub(super) struct Puppet {
    pub(super) report: Report,
    /// Whether it sends heartbeats.
    pub(super) speaks: bool,
    /// Whether it receives assignments.
    pub(super) listens: bool,
    /// Roles that it fails to take on.
    pub(super) fails: BTreeSet<Role>,
}

#[derive(Debug)]
pub(super) struct Bench {
    pub(super) coordinator: Coordinator,
    pub(super) nodes: BTreeMap<NodeId, Puppet>,
    pub(super) key: Option<(u64, RoleDocument)>,
    /// The results of the next writes; done if nothing is planned.
    pub(super) writes: Vec<Written>,
    pub(super) now: Now,
    pub(super) lead_until: Option<Time>,
    pub(super) events: Vec<Event>,
    pub(super) answers: Vec<(u64, Answer)>,
    pub(super) told: Vec<(NodeId, RoleAssignment)>,
}

pub(crate) fn settings() -> Settings {
    let managed = |holders: u32, from: Option<&str>, prefer: &[&str]| RoleSettings {
        group: Group::new("default").unwrap(),
        holders: NonZeroU32::new(holders).unwrap(),
        from: from.map(role),
        prefer: prefer.iter().map(|name| node(name)).collect(),
        cost: Cores::ZERO,
        change_cost: Duration::from_secs(10),
        term: Duration::from_secs(600),
        changes_per_hour: 1,
    };
    Settings {
        managed: [
            (role("leader"), managed(1, Some("backup"), &["b"])),
            (role("backup"), managed(1, None, &[])),
        ]
        .into(),
        ..Settings::default()
    }
}

impl Bench {
    /// Nodes a, b and c, which send heartbeats; no dispatcher leads.
    pub(super) fn new() -> Self {
        let nodes = ["a", "b", "c"].map(|name| (node(name), puppet(name)));
        let mut bench = Self {
            coordinator: Coordinator::new(settings()),
            nodes: nodes.into(),
            key: None,
            writes: Vec::new(),
            now: Now {
                time: Time::from_start(Duration::from_secs(1000)),
                wall: WallTime::from_millis(1_700_000_000_000),
            },
            lead_until: None,
            events: Vec::new(),
            answers: Vec::new(),
            told: Vec::new(),
        };
        bench.pass(Duration::from_secs(2));
        bench
    }

    /// The same some time after a dispatcher began to lead: b leads, a is its backup.
    pub(super) fn led() -> Self {
        let mut bench = Self::new();
        bench.lead(1);
        bench.pass(Duration::from_secs(8));
        assert_eq!(bench.holders(), ("b".to_owned(), "a".to_owned()));
        bench.events.clear();
        bench.told.clear();
        bench
    }

    pub(super) fn lead(&mut self, epoch: u64) {
        let until = self.now.time + Duration::from_secs(100_000);
        self.lead_until = Some(until);
        let epoch = Epoch::new(epoch);
        self.input(Input::Lead { epoch, until });
    }

    /// Another dispatcher without any memory leads from now on.
    pub(super) fn take_over(&mut self, epoch: u64) {
        self.coordinator = Coordinator::new(settings());
        self.lead(epoch);
    }

    /// Returns the leader and the backup, by the document.
    pub(super) fn holders(&self) -> (String, String) {
        let (_, document) = self.key.as_ref().unwrap();
        let of = |name: &str| {
            let names = document.roles[&role(name)].iter().map(NodeId::as_str);
            names.collect::<Vec<_>>().join(",")
        };
        (of("leader"), of("backup"))
    }

    pub(super) fn vacancy(&self, name: &str) -> Option<VacantRole> {
        self.coordinator.vacancy(self.now, &role(name))
    }

    pub(super) fn puppet(&mut self, name: &str) -> &mut Puppet {
        self.nodes.get_mut(&node(name)).unwrap()
    }

    pub(super) fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            self.coordinator.handle(self.now, input, &mut out);
            for output in out {
                inputs.extend(self.carry_out(output));
            }
        }
    }

    fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Read { request } => {
                let entry = self.key.clone();
                return Some(Input::Read { request, entry });
            }
            Output::Store {
                request,
                revision,
                document,
            } => {
                let result = self.store(revision, *document);
                return Some(Input::Stored { request, result });
            }
            Output::Assign { node, assignment } => {
                let puppet = self.nodes.get_mut(&node).unwrap();
                if puppet.listens {
                    puppet.obey(&assignment);
                }
                self.told.push((node, assignment));
            }
            Output::Answer { id, result } => self.answers.push((id, result)),
            Output::Event(event) => self.events.push(event),
        }
        None
    }

    fn store(&mut self, revision: u64, document: RoleDocument) -> Written {
        let newest = self.key.as_ref().map_or(0, |(revision, _)| *revision);
        if revision != newest {
            return Written::Conflict;
        }
        let planned = self.writes.pop();
        if planned.is_none() || planned == Some(Written::Unknown) {
            self.key = Some((revision + 1, document));
        }
        planned.unwrap_or(Written::Done(revision + 1))
    }

    /// Lets time pass: a heartbeat of each node and a tick in every step.
    pub(super) fn pass(&mut self, length: Duration) {
        let end = self.now.time + length;
        while self.now.time < end {
            self.now.time = self.now.time + STEP;
            self.now.wall = self.now.wall + STEP;
            let speaking = self.nodes.values_mut().filter(|puppet| puppet.speaks);
            let report = speaking.map(|puppet| {
                puppet.report.sequence += 1;
                puppet.report.clone()
            });
            for report in report.collect::<Vec<_>>() {
                self.input(Input::Heartbeat(report));
            }
            self.input(Input::Tick);
        }
    }

    pub(super) fn order(&mut self, id: u64, order: Order) {
        self.input(Input::Order { id, order });
    }

    /// Returns the steps and ends of changes since the last call, in words.
    pub(super) fn story(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.events).into_iter();
        let told = told.filter_map(|event| match event {
            Event::Step { change, .. } => Some(format!("{} {:?}", change.role, change.phase)),
            Event::Finished(past) => {
                Some(format!("{} {:?} {:?}", past.role, past.result, past.why))
            }
            _ => None,
        });
        told.map(|line| line.replace(['"', '{', '}'], "")).collect()
    }
}

impl Puppet {
    fn obey(&mut self, assignment: &RoleAssignment) {
        let (epoch, generation) = (assignment.epoch, assignment.generation);
        let version = RoleVersion { epoch, generation };
        if version < self.report.assigned || epoch < self.report.epoch {
            return;
        }
        self.report.epoch = epoch;
        let wanted = assignment.roles.iter();
        let (failed, taken): (Vec<Role>, Vec<Role>) =
            wanted.cloned().partition(|role| self.fails.contains(role));
        self.report.roles = taken;
        if failed.is_empty() {
            self.report.assigned = version;
            self.report.failure = None;
            return;
        }
        self.report.failure = Some(RoleFailure {
            epoch,
            generation,
            roles: failed,
            reason: "the hook failed".to_owned(),
        });
    }
}

fn puppet(name: &str) -> Puppet {
    Puppet {
        report: Report {
            node: node(name),
            boot: BootId::new(name).unwrap(),
            sequence: 0,
            epoch: Epoch::default(),
            roles: Vec::new(),
            offers: vec![role("leader"), role("backup")],
            assigned: RoleVersion::default(),
            failure: None,
            is_draining: false,
        },
        speaks: true,
        listens: true,
        fails: BTreeSet::new(),
    }
}
