//! World of one run: the processes, what is between them, and the checks.

mod events;
mod outputs;

use std::time::Duration;

use fastrand::Rng;
use rolecast_common::id::{Epoch, Role};
use rolecast_common::time::Now;
use rolecast_dispatcher::config::Config;
use rolecast_dispatcher::lease::timing::JITTER_MAX;
use rolecast_dispatcher::roles;
use rolecast_dispatcher::scheduler::Input;
use rolecast_worker::agent;

use super::checks::Checks;
use super::clock::{Clock, nanos};
use super::dispatcher::{Dispatcher, Outputs, Running, Start, config};
use super::environment::Environment;
use super::faults::{FAULTS_END, Faults, plan};
use super::flaws::forge;
use super::host::Host;
use super::message::{Message, Request, Requester, Sender};
use super::network::{Network, Place, Weather};
use super::results::Results;
use super::schedule::Event;
use super::store::Store;
use super::{Flaw, Run, Violation};

/// End of a run, long enough after the faults to show that it stays well.
const END: Duration = Duration::from_secs(105);

/// Settings of a run.
#[derive(Debug)]
struct Scenario {
    seed: u64,
    faults: Faults,
    flaw: Option<Flaw>,
    roles: Vec<(Role, usize)>,
    config: Config,
}

#[derive(Debug)]
pub(super) struct World {
    scenario: Scenario,
    environment: Environment,
    hosts: Vec<Host>,
    dispatchers: Vec<Dispatcher>,
    store: Store,
    hook_failure: f64,
    checks: Checks,
    job_number: u64,
    results: Results,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults, flaw: Option<Flaw>, is_traced: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let node_count = rng.usize(3..6);
        let dispatcher_count = rng.usize(2..4);
        let backups = if node_count > 3 { 2 } else { 1 };
        let config = config(backups);
        let roles = config.roles.managed.iter();
        let roles = roles.map(|(role, settings)| (role.clone(), settings.holders.get() as usize));
        let roles = roles.collect();
        let hosts = (0..node_count).map(|index| Host::new(&mut rng, index));
        let hosts = hosts.collect();
        let dispatchers = (0..dispatcher_count).map(|_| Dispatcher::new(Clock::new(&mut rng, 0)));
        let dispatchers = dispatchers.collect();
        let weather = match faults {
            Faults::All => Weather::new(&mut rng),
            Faults::Elections => Weather::FAIR,
        };
        let hook_failure = [0.0, 0.0, 0.2][rng.usize(..3)];
        let mut world = Self {
            scenario: Scenario {
                seed,
                faults,
                flaw,
                roles,
                config,
            },
            environment: Environment::new(rng, Network::new(weather), is_traced),
            hosts,
            dispatchers,
            store: Store::default(),
            hook_failure,
            checks: Checks::default(),
            job_number: 0,
            results: Results::default(),
        };
        world.prepare();
        world
    }

    fn prepare(&mut self) {
        let (nodes, dispatchers) = (self.hosts.len(), self.dispatchers.len());
        let Environment { rng, schedule, .. } = &mut self.environment;
        for (at, fault) in plan(rng, self.scenario.faults, nodes, dispatchers) {
            schedule.at(at, Event::Fault(fault));
        }
        let nodes = (0..nodes).map(Place::Node);
        for place in nodes.chain((0..dispatchers).map(Place::Dispatcher)) {
            let at = Duration::from_millis(rng.u64(..3_000));
            schedule.at(at, Event::Start(place));
        }
        schedule.at(Duration::from_millis(500), Event::Jobs);
        schedule.at(Duration::from_secs(1), Event::Publish);
        schedule.at(Duration::from_secs(1), Event::Deliver);
        schedule.at(FAULTS_END, Event::Heal);
    }

    pub(super) fn run(mut self) -> Result<Run, Box<Violation>> {
        while let Some(event) = self.environment.schedule.next(nanos(END)) {
            self.results.run.steps += 1;
            if let Err(text) = self.step(event) {
                return Err(self.violation(text));
            }
        }
        let results = std::mem::take(&mut self.results);
        let run = results.finish(self.environment.now(), &self.store.queue);
        run.map_err(|text| self.violation(text))
    }

    fn step(&mut self, event: Event) -> Result<(), String> {
        self.handle(event)?;
        let (now, roles) = (self.environment.now(), &self.scenario.roles);
        self.checks.holders(now, &self.hosts, roles)?;
        let mut dispatchers = self.dispatchers.iter();
        let is_led = dispatchers.any(|dispatcher| dispatcher.holds_lease(now));
        let is_full = roles.iter().all(|(role, holders)| {
            let acting = self.hosts.iter().filter(|host| host.acts_in(now, role));
            acting.count() == *holders
        });
        self.results.observe(now, is_led, is_full);
        Ok(())
    }

    fn violation(&mut self, text: String) -> Box<Violation> {
        Box::new(Violation {
            seed: self.scenario.seed,
            at: Duration::from_nanos(self.environment.now()),
            text,
            trace: self.environment.take_trace(),
        })
    }

    fn is_up(&self, at: Place) -> bool {
        match at {
            Place::Node(index) => self.hosts[index].agent.is_some(),
            Place::Dispatcher(index) => self.dispatchers[index].running.is_some(),
            Place::Store => true,
        }
    }

    /// Returns the number of a process's last start.
    fn last_life(&self, at: Place) -> u32 {
        match at {
            Place::Node(index) => self.hosts[index].life,
            Place::Dispatcher(index) => self.dispatchers[index].life,
            Place::Store => 1,
        }
    }

    /// Returns the number of the present start of a process; 0 if it is down.
    fn life(&self, at: Place) -> u32 {
        if self.is_up(at) {
            self.last_life(at)
        } else {
            0
        }
    }

    fn start(&mut self, at: Place) -> Result<(), String> {
        if self.is_up(at) {
            return Ok(());
        }
        self.environment.record(|| format!("{at:?} starts"));
        let now = self.environment.now();
        let rng = &mut self.environment.rng;
        let clock = Clock::new(rng, now);
        match at {
            Place::Node(index) => {
                let offers = self.scenario.roles.iter().map(|(role, _)| role.clone());
                let offers: Vec<Role> = offers.collect();
                self.hosts[index].start(now, clock, &offers);
            }
            Place::Dispatcher(index) => {
                let jitter = JITTER_MAX.mul_f64(rng.f64());
                let start = Start {
                    name: format!("d{index}"),
                    config: self.scenario.config.clone(),
                    jitter,
                    seed: rng.u64(..),
                };
                self.dispatchers[index].start(clock, clock.now(now), start);
            }
            Place::Store => return Ok(()),
        }
        self.environment.schedule.forget_wake(at);
        self.wake(at)?;
        if let Place::Node(index) = at {
            // The name is its own: here no two workers have the same name.
            let admission = self.hosts[index].admission();
            self.drive_node(index, agent::Input::Admission(admission), None)?;
        }
        Ok(())
    }

    fn wake(&mut self, at: Place) -> Result<(), String> {
        match at {
            Place::Node(index) => self.drive_node(index, agent::Input::Tick, None),
            Place::Dispatcher(index) => {
                self.drive_dispatcher(index, |running, now, out| running.tick(now, out))
            }
            Place::Store => Ok(()),
        }
    }

    /// Gives an agent an input and carries out its outputs; `command` is the sender of
    /// the command.
    fn drive_node(
        &mut self,
        index: usize,
        input: agent::Input,
        command: Option<(Epoch, Sender)>,
    ) -> Result<(), String> {
        let host = &mut self.hosts[index];
        let Some(agent) = &mut host.agent else {
            return Ok(());
        };
        let now = host.clock.now(self.environment.now());
        let offered = if let agent::Input::Job(offer) = &input {
            offer.roles.clone()
        } else {
            Vec::new()
        };
        if self.environment.is_traced() && !matches!(input, agent::Input::Tick) {
            let (node, text) = (&host.node, format!("{input:?}"));
            self.environment
                .record(|| format!("{node} <- {}", shorten(&text)));
        }
        let mut out = Vec::new();
        agent.handle(now, input, &mut out);
        let is_refused = |output: &agent::Output| {
            let agent::Output::Event(event) = output else {
                return false;
            };
            matches!(
                event,
                agent::Event::RolesRefused { .. } | agent::Event::Refused { .. }
            )
        };
        if let (Some((epoch, sender)), false) = (command, out.iter().any(is_refused)) {
            self.checks.command(index, epoch, sender)?;
        }
        for output in out {
            self.carry_out_node(index, now, output, &offered)?;
        }
        let host = &self.hosts[index];
        if let Some(agent) = &host.agent {
            let at = host.clock.at(agent.next_deadline());
            self.environment.wake_at(Place::Node(index), host.life, at);
        }
        Ok(())
    }

    /// Lets a dispatcher act and carries out its outputs.
    fn drive_dispatcher(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Running, Now, &mut Outputs),
    ) -> Result<(), String> {
        let dispatcher = &mut self.dispatchers[index];
        let Some(running) = &mut dispatcher.running else {
            return Ok(());
        };
        let now = dispatcher.clock.now(self.environment.now());
        let mut out = Outputs::default();
        act(running, now, &mut out);
        if let Some(forged) = forge(self.scenario.flaw, &self.hosts, &out) {
            running.handle(now, Input::Roles(roles::Input::Heartbeat(forged)), &mut out);
        }
        self.carry_out_dispatcher(index, now, out)?;
        let dispatcher = &self.dispatchers[index];
        let running = dispatcher.running.as_ref().expect("it has just acted");
        let at = dispatcher.clock.at(running.next_deadline());
        let (place, life) = (Place::Dispatcher(index), dispatcher.life);
        self.environment.wake_at(place, life, at);
        Ok(())
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.environment.schedule.after(delay, event);
    }

    fn post(&mut self, from: Place, to: Place, message: Message) {
        let life = self.last_life(from);
        self.environment.post(from, life, to, message);
    }

    fn request(&mut self, index: usize, request: Request) {
        let is_of_lease = matches!(request, Request::ReadLease(..) | Request::WriteLease(..));
        let has_lapsed = self.dispatchers[index].has_lapsed(self.environment.now());
        if self.scenario.flaw == Some(Flaw::NoReturn) && is_of_lease && has_lapsed {
            return;
        }
        let Some(from) = self.requester(index) else {
            return;
        };
        let message = Message::Request { from, request };
        self.post(Place::Dispatcher(index), Place::Store, message);
    }

    /// Returns the identity of a dispatcher in requests; `None` if it is down.
    fn requester(&self, index: usize) -> Option<Requester> {
        let dispatcher = &self.dispatchers[index];
        let running = dispatcher.running.as_ref()?;
        Some(Requester {
            dispatcher: index,
            life: dispatcher.life,
            service: running.service,
        })
    }
}

/// Keeps a trace readable.
fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}
