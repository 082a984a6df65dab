//! A worker that receives the inputs read, and its invariants.

use std::time::Duration;

use rolecast_common::id::{BootId, Category, Epoch, Role};
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::unit::Resources;
use rolecast_common::wire::{Admission, RoleAssignment};
use rolecast_worker::agent::{self, Agent, Limits, RoleParams};

use super::machine::{EPOCH, START_MS, node};

/// The largest epoch that anybody follows: beyond it there is no room for others.
const EPOCH_MAX: u64 = 1 << 53;

/// A worker that may be given the role leader.
pub(super) struct Worker {
    agent: Agent,
    now: Now,
}

impl Worker {
    pub(super) fn new() -> Self {
        let role = |name| vec![Role::new(name).expect("it is a role")];
        let limits = Limits {
            jobs_max: 4,
            time_limit: None,
        };
        let params = agent::Params {
            node: node("n1"),
            boot: BootId::new("boot").expect("it is a boot id"),
            roles: RoleParams {
                fixed: role("follower"),
                offers: role("leader"),
                hook_limit: None,
                epoch: Epoch::new(EPOCH),
            },
            labels: Default::default(),
            speed: Default::default(),
            capacity: Resources::default(),
            jobs_max: 4,
            categories: [(Category::new("ocr").expect("it is a category"), limits)].into(),
            grace: Duration::from_secs(5),
            heartbeat_on_change: false,
            max_payload: 1024 * 1024,
        };
        let now = Now {
            time: Time::from_start(Duration::from_secs(1)),
            wall: WallTime::from_millis(START_MS),
        };
        let mut worker = Self {
            agent: Agent::new(now, params),
            now,
        };
        worker.handle(agent::Input::Tick);
        worker
    }

    pub(super) fn take_roles(&mut self, assignment: RoleAssignment) {
        self.handle(agent::Input::Roles(assignment));
        self.pass();
    }

    pub(super) fn take_admission(&mut self, admission: Admission) {
        self.handle(agent::Input::Admission(admission));
        self.pass();
    }

    /// Lets time pass for longer than a lease.
    fn pass(&mut self) {
        for _ in 0..12 {
            self.now.time = self.now.time + Duration::from_secs(1);
            self.handle(agent::Input::Tick);
        }
    }

    /// Handles an input and checks that the worker acts in roles that it has or offers,
    /// and follows no epoch above which there is no room.
    fn handle(&mut self, input: agent::Input) {
        let mut out = Vec::new();
        self.agent.handle(self.now, input, &mut out);
        for output in out {
            if let agent::Output::Heartbeat(beat) = output {
                let is_its_own = |role: &Role| ["follower", "leader"].contains(&role.as_str());
                assert!(beat.roles.iter().all(is_its_own), "{beat:?}");
                assert!(beat.epoch.get() <= EPOCH_MAX, "it follows {}", beat.epoch);
            }
        }
    }
}
