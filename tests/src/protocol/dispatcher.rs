//! Process of a dispatcher: the real lease and scheduler, with a model of the shell between
//! them.

use std::time::Duration;

use rolecast_common::id::{Epoch, Sequence};
use rolecast_common::time::{Now, Time};
use rolecast_common::wire::SealKey;
use rolecast_dispatcher::config::{self, Config};
use rolecast_dispatcher::lease::{self, Lease};
use rolecast_dispatcher::roles;
use rolecast_dispatcher::scheduler::{History, Input, Output, Params, Scheduler};
use rolecast_dispatcher::seal::Seals;

use super::clock::{Clock, Instantaneous};
use super::message::Response;

/// Time after which every worker has reported its jobs in hand, as in the shell.
const WARM_UP: Duration = Duration::from_millis(1300);
/// Time without a sign of life after which a job is redelivered.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(15);
/// Time after which a request of the setup is repeated.
const SETUP_RETRY: Duration = Duration::from_secs(1);
/// Time limit of the setup, after which the lease is given back.
const SETUP_LIMIT: Duration = Duration::from_secs(8);
/// Pause before it contends again.
const SETUP_PAUSE: Duration = Duration::from_secs(2);

/// Roles, and jobs for some of them.
const CONFIG: &str = r#"
[forecast]
mode = "off"
[categories.work]
max_attempts = 1000
[categories.lead]
roles = ["leader"]
max_attempts = 1000
[categories.search]
roles = ["search-leader"]
max_attempts = 1000
"#;

/// Returns the configuration of all dispatchers.
pub(super) fn config(backups: u32) -> Config {
    let role = |name: &str, holders: u32, group: &str, from: &str| {
        format!(
            "[roles.{name}]\nholders = {holders}\ngroup = \"{group}\"\n{from}\n\
             change_cost = \"10s\"\nterm = \"10m\"\nchanges_per_hour = 60\n"
        )
    };
    let text = [
        CONFIG.to_owned(),
        role("leader", 1, "default", "from = \"backup\""),
        role("backup", backups, "default", ""),
        role("search-leader", 1, "search", ""),
    ];
    config::parse(&text.concat(), "d").expect("it is a configuration")
}

/// One dispatcher; its process may be down.
#[derive(Debug)]
pub(super) struct Dispatcher {
    pub(super) running: Option<Running>,
    pub(super) clock: Clock,
    pub(super) life: u32,
}

/// State that a dispatcher loses when it is killed.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) lease: Lease,
    pub(super) machine: Scheduler,
    pub(super) epoch: Epoch,
    pub(super) seals: Seals,
    stage: Stage,
    /// Counts the times it led: messages for an earlier time do not arrive.
    pub(super) service: u64,
    start: Start,
}

/// Stage of a dispatcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    StandingBy,
    /// It holds the lease since then and reads the failed attempts.
    SettingUp {
        since: Time,
        retry: Time,
    },
    /// It was last notified that it holds the lease until then.
    Leading {
        until: Time,
    },
}

/// Settings of a start of a dispatcher.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) name: String,
    pub(super) config: Config,
    pub(super) jitter: Duration,
    pub(super) seed: u64,
}

/// Outputs of a dispatcher.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) lease: Vec<lease::Output>,
    pub(super) machine: Vec<Output>,
    /// It requests the failed attempts.
    pub(super) sets_up: bool,
}

impl Dispatcher {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            running: None,
            clock,
            life: 0,
        }
    }

    /// Returns whether it holds the lease, by its own clock.
    pub(super) fn holds_lease(&self, at: Instantaneous) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.lease.is_held(self.clock.now(at).time))
    }

    /// Returns whether its lease has run out.
    pub(super) fn has_lapsed(&self, at: Instantaneous) -> bool {
        let until = self.held_until();
        until.is_some_and(|until| until <= self.clock.now(at).time)
    }

    pub(super) fn held_until(&self) -> Option<Time> {
        self.running.as_ref()?.lease.held_until()
    }

    pub(super) fn start(&mut self, clock: Clock, now: Now, start: Start) {
        self.life += 1;
        self.clock = clock;
        let incarnation = format!("{}-{}", start.name, self.life);
        let name = start.name.clone();
        self.running = Some(Running {
            lease: Lease::new(
                name,
                incarnation,
                Epoch::default(),
                key(start.seed),
                start.jitter,
            ),
            machine: new_machine(&start, now),
            epoch: Epoch::default(),
            seals: Seals::default(),
            stage: Stage::StandingBy,
            service: 0,
            start,
        });
    }
}

/// Returns the key that a start with this seed draws.
fn key(seed: u64) -> SealKey {
    SealKey::new(u128::from(seed).to_be_bytes())
}

fn new_machine(start: &Start, now: Now) -> Scheduler {
    let config = start.config.clone();
    let params = Params {
        name: start.name.clone(),
        forecast: config.forecast,
        policies: config.policies,
        allowances: config.allowances,
        roles: config.roles,
        has_feedback: config.has_feedback,
        undeclared: config.undeclared,
        warm_up: WARM_UP,
        ack_wait: ACK_WAIT,
        seed: start.seed,
    };
    Scheduler::new(params, now)
}

impl Running {
    pub(super) fn handle_lease(&mut self, now: Now, input: lease::Input, out: &mut Outputs) {
        let mut outputs = Vec::new();
        self.lease.handle(now.time, input, &mut outputs);
        for output in outputs {
            match &output {
                lease::Output::Lead { epoch, seals } => {
                    self.epoch = *epoch;
                    self.seals = seals.clone();
                    let (since, retry) = (now.time, now.time + SETUP_RETRY);
                    self.stage = Stage::SettingUp { since, retry };
                    out.sets_up = true;
                }
                lease::Output::StepDown { .. } => self.stand_by(now),
                lease::Output::Read { .. }
                | lease::Output::Write { .. }
                | lease::Output::RolledBack { .. }
                | lease::Output::Lost
                | lease::Output::Unreadable { .. } => {}
            }
            out.lease.push(output);
        }
        self.renew(now, out);
    }

    /// Notifies the scheduler that the lease was renewed. After a lapse its pulls are void.
    fn renew(&mut self, now: Now, out: &mut Outputs) {
        let (Some(until), Stage::Leading { until: former }) = (self.lease.held_until(), self.stage)
        else {
            return;
        };
        if until == former {
            return;
        }
        self.stage = Stage::Leading { until };
        self.handle(now, Input::Renewed { until }, out);
        if former <= now.time {
            self.handle(now, Input::Reconnected, out);
        }
    }

    /// Restarts as a dispatcher that only knows the largest epoch.
    fn stand_by(&mut self, now: Now) {
        self.lease.observe(self.machine.known_epoch());
        self.machine = new_machine(&self.start, now);
        self.stage = Stage::StandingBy;
        self.service += 1;
    }

    /// Ends the lead of the scheduler: nodes follow another epoch. The key is still its
    /// own.
    pub(super) fn step_down(&mut self, now: Now, incarnation: String) {
        let known = self.machine.known_epoch().max(self.epoch);
        self.stand_by(now);
        let (name, jitter) = (self.start.name.clone(), self.start.jitter);
        self.lease = Lease::new(name, incarnation, known, key(self.start.seed), jitter);
    }

    /// Takes the lead if it still holds the lease.
    pub(super) fn set_up(
        &mut self,
        now: Now,
        histories: Vec<(Sequence, History)>,
        out: &mut Outputs,
    ) {
        let (Some(until), Stage::SettingUp { .. }) = (self.lease.held_until(), self.stage) else {
            return;
        };
        self.stage = Stage::Leading { until };
        self.service += 1;
        let epoch = self.epoch;
        let lead = Input::Lead {
            epoch,
            until,
            seals: self.seals.clone(),
            histories,
        };
        self.handle(now, lead, out);
    }

    /// Takes the store's answer; an input for a lead that is over is dropped.
    pub(super) fn receive(
        &mut self,
        now: Now,
        response: Response,
        is_current: bool,
        out: &mut Outputs,
    ) {
        let input = match response {
            Response::Lease(asked, entry) => {
                return self.handle_lease(now, lease::Input::Read { asked, entry }, out);
            }
            Response::LeaseWritten(asked, result) => {
                return self.handle_lease(now, lease::Input::Written { asked, result }, out);
            }
            Response::Histories(histories) => return self.set_up(now, histories, out),
            Response::Roles(request, entry) => {
                let entry = entry.map(|(revision, document)| (revision, *document));
                Input::Roles(roles::Input::Read { request, entry })
            }
            Response::RolesWritten(request, result) => {
                Input::Roles(roles::Input::Stored { request, result })
            }
            Response::Pulled(input) => *input,
            Response::Recorded(sequence, result) => Input::Recorded { sequence, result },
            Response::None => return,
        };
        if is_current {
            self.handle(now, input, out);
        }
    }

    pub(super) fn tick(&mut self, now: Now, out: &mut Outputs) {
        self.handle_lease(now, lease::Input::Tick, out);
        if let Stage::SettingUp { since, retry } = self.stage {
            if now.time.since(since) >= SETUP_LIMIT {
                let pause = SETUP_PAUSE;
                self.handle_lease(now, lease::Input::GiveBack { pause }, out);
            } else if now.time >= retry {
                let retry = now.time + SETUP_RETRY;
                self.stage = Stage::SettingUp { since, retry };
                out.sets_up = true;
            }
        }
        if self.machine.next_deadline() <= now.time {
            self.end_turn(now, out);
        }
    }

    /// Lets the scheduler handle an input, and end its turn.
    pub(super) fn handle(&mut self, now: Now, input: Input, out: &mut Outputs) {
        self.machine.handle(now, input, &mut out.machine);
        self.end_turn(now, out);
    }

    fn end_turn(&mut self, now: Now, out: &mut Outputs) {
        self.machine.handle(now, Input::Turn, &mut out.machine);
        if !self.leads() {
            // The outputs are for the leader to carry out.
            out.machine
                .retain(|output| matches!(output, Output::Event(_)));
        }
        let known = self.machine.known_epoch();
        self.lease.observe(known);
    }

    /// Returns whether its service runs: it receives outcomes and pulls jobs.
    pub(super) fn leads(&self) -> bool {
        matches!(self.stage, Stage::Leading { .. })
    }

    pub(super) fn next_deadline(&self) -> Time {
        let due = self.lease.next_deadline().min(self.machine.next_deadline());
        match self.stage {
            Stage::SettingUp { retry, .. } => due.min(retry),
            Stage::StandingBy | Stage::Leading { .. } => due,
        }
    }
}
