//! Process of a worker: the real agent, a hook, and the belief of a service.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use rolecast_common::id::{BootId, Category, Epoch, NodeId, Role};
use rolecast_common::label::Labels;
use rolecast_common::unit::{Bytes, Cores, Resources, Speed};
use rolecast_common::wire::{Admission, AdmissionVerdict, Heartbeat, VERSION};
use rolecast_worker::agent::{Agent, HookRun, Limits, Params, RoleParams};

use super::clock::{Clock, Instantaneous};

/// Jobs for anybody, and for two roles.
pub(super) const CATEGORIES: [&str; 3] = ["work", "lead", "search"];

/// One host; its process may be down.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) node: NodeId,
    pub(super) agent: Option<Agent>,
    pub(super) clock: Clock,
    /// Counts the starts of the process.
    pub(super) life: u32,
    /// The epoch that is kept over restarts.
    pub(super) epoch_kept: Epoch,
    /// The largest epoch in a heartbeat of any boot.
    pub(super) epoch_reported: Epoch,
    pub(super) hook_limit: Option<Duration>,
    pub(super) service: Service,
    /// Its last heartbeat, of any boot.
    pub(super) last_heartbeat: Option<Heartbeat>,
    /// The time that it stays away after it has left.
    pub(super) away: Duration,
}

/// A service that follows the hook.
#[derive(Debug, Default)]
pub(super) struct Service {
    /// The roles that it may believe to have.
    pub(super) believes: BTreeSet<Role>,
    hooks: BTreeMap<HookRun, (BTreeSet<Role>, BTreeSet<Role>)>,
    /// Whether its host was stopped, and no hook has ended that began since: it could not
    /// be notified, so its belief is nobody's fault.
    is_excused: bool,
    /// The hook that ends the excuse.
    notifying: Option<HookRun>,
}

impl Service {
    pub(super) fn begin_hook(&mut self, run: HookRun, old: Vec<Role>, new: Vec<Role>) {
        self.believes.extend(new.iter().cloned());
        let (old, new) = (old.into_iter().collect(), new.into_iter().collect());
        self.hooks.insert(run, (old, new));
        self.notifying.get_or_insert(run);
    }

    /// Excuses the service, because its host is stopped.
    pub(super) fn excuse(&mut self) {
        self.is_excused = true;
        self.notifying = None;
    }

    /// Records the end of a hook. One that fails may have given the roles that it was
    /// to give. One that was to take something and fails is the user's own mistake, which
    /// nothing here can correct.
    pub(super) fn end_hook(&mut self, run: HookRun, has_succeeded: bool) {
        let (old, new) = self.hooks.remove(&run).unwrap_or_default();
        if self.notifying == Some(run) {
            self.is_excused = false;
        }
        if has_succeeded {
            self.believes = new;
        } else {
            self.believes
                .retain(|role| new.contains(role) || !old.contains(role));
        }
    }
}

impl Host {
    pub(super) fn new(rng: &mut Rng, index: usize) -> Self {
        let hook_limit = rng
            .bool()
            .then(|| Duration::from_millis(rng.u64(1_000..4_001)));
        Self {
            node: NodeId::new(&format!("n{index}")).expect("it is a node id"),
            agent: None,
            clock: Clock::new(rng, 0),
            life: 0,
            epoch_kept: Epoch::default(),
            epoch_reported: Epoch::default(),
            hook_limit,
            service: Service::default(),
            last_heartbeat: None,
            away: Duration::ZERO,
        }
    }

    /// Returns the length of a run of its hook, in microseconds, and the result; some fail
    /// with this chance, or hang, unless it is 0.
    pub(super) fn draw_hook(&self, rng: &mut Rng, failure: f64) -> (u64, Result<(), String>) {
        let limit = self.hook_limit;
        let limit = limit.expect("only a host with a hook runs it");
        // The limit is the shell's, on the host's own clock: that one may be slow.
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        let slow = limit + limit / 50;
        let (length, result) = match rng.u8(..6) {
            0 => (slow, Err("killed at its limit".to_owned())),
            1 => (limit * 19 / 20, Ok(())),
            _ if rng.f64() < failure => (limit / 3, Err("it failed".to_owned())),
            _ => (rng.u64(1_000..limit), Ok(())),
        };
        let has_faults = failure != 0.0;
        match result {
            Err(_) if !has_faults => (limit / 2, Ok(())),
            result => (length, result),
        }
    }

    pub(super) fn start(&mut self, at: Instantaneous, clock: Clock, offers: &[Role]) {
        self.life += 1;
        self.clock = clock;
        self.service = Service::default();
        let boot = self.boot();
        let limits = Limits {
            jobs_max: 8,
            time_limit: None,
        };
        let params = Params {
            node: self.node.clone(),
            boot,
            roles: RoleParams {
                fixed: Vec::new(),
                offers: offers.to_vec(),
                hook_limit: self.hook_limit,
                epoch: self.epoch_kept,
            },
            labels: Labels::default(),
            speed: Speed::default(),
            capacity: Resources {
                cpu: Cores::clamped(4.0),
                memory: Bytes::from_mib(4096),
                ..Resources::default()
            },
            jobs_max: 8,
            categories: CATEGORIES.map(|name| (category(name), limits)).into(),
            grace: Duration::from_secs(2),
            heartbeat_on_change: false,
            max_payload: 1 << 17,
        };
        self.agent = Some(Agent::new(clock.now(at), params));
    }

    fn boot(&self) -> BootId {
        BootId::new(&format!("{}-{}", self.node, self.life)).expect("it is a boot id")
    }

    /// Returns the admission of this start of the node.
    pub(super) fn admission(&self) -> Admission {
        Admission {
            v: VERSION,
            boot: self.boot(),
            epoch: Epoch::default(),
            verdict: AdmissionVerdict::Admitted,
            refuted: None,
            reason: String::new(),
        }
    }

    /// Returns whether this node acts in the role, by its own clock.
    pub(super) fn acts_in(&self, at: Instantaneous, role: &Role) -> bool {
        let now = self.clock.now(at).time;
        let agent = self.agent.as_ref();
        agent.is_some_and(|agent| agent.acts_in(now, role))
    }

    /// Returns whether the service may believe that it has the role.
    pub(super) fn believes(&self, role: &Role) -> bool {
        self.agent.is_some() && !self.service.is_excused && self.service.believes.contains(role)
    }
}

pub(super) fn category(name: &str) -> Category {
    Category::new(name).expect("it is a category")
}
