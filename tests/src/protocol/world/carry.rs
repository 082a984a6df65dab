//! Carries out the outputs of processes.

use std::time::Duration;

use rolecast_common::id::{Epoch, Role};
use rolecast_common::time::Now;
use rolecast_common::wire::{OutcomeStatus, RoleAssignment};
use rolecast_dispatcher::lease;
use rolecast_dispatcher::roles;
use rolecast_dispatcher::scheduler::Input;
use rolecast_worker::agent::{self, Event, Output};

use super::super::checks::Checks;
use super::super::desk::{Mind, Said};
use super::super::network::Place;
use super::{Asker, Due, Faults, Flaw, Letter, Question, World};

impl World {
    /// Sends a message when its sender is ready: it may be stopped or killed before.
    pub(super) fn post(&mut self, from: Place, to: Place, letter: Letter) {
        let delay = Duration::from_micros(self.rng.u64(..500));
        let life = match from {
            Place::Node(index) => self.hosts[index].life,
            Place::Dispatcher(index) => self.desks[index].life,
            Place::Store => 1,
        };
        let leave = Due::Leave {
            from,
            life,
            to,
            letter,
        };
        self.after(delay, leave);
    }

    pub(super) fn send(&mut self, from: Place, to: Place, letter: Letter) {
        let mut delays = self.network.delays(&mut self.rng, from, to);
        let Some(last) = delays.pop() else {
            return;
        };
        for delay in delays {
            let letter = letter.clone();
            self.after(delay, Due::Arrive { to, letter });
        }
        self.after(last, Due::Arrive { to, letter });
    }

    /// Gives an agent an input and carries out its outputs; `command` is the sender of
    /// the command.
    pub(super) fn tell_node(
        &mut self,
        index: usize,
        input: agent::Input,
        command: Option<(Epoch, (usize, u32))>,
    ) -> Result<(), String> {
        let host = &mut self.hosts[index];
        let Some(agent) = &mut host.agent else {
            return Ok(());
        };
        let now = host.clock.now(self.now);
        let offered = if let agent::Input::Job(offer) = &input {
            offer.roles.clone()
        } else {
            Vec::new()
        };
        let mut out = Vec::new();
        if self.trace.is_some() && !matches!(input, agent::Input::Tick) {
            let (node, text) = (host.node.clone(), format!("{input:?}"));
            agent.handle(now, input, &mut out);
            self.note(|| format!("{node} <- {}", shorten(&text)));
        } else {
            agent.handle(now, input, &mut out);
        }
        let is_refused = |output: &Output| {
            matches!(
                output,
                Output::Event(Event::RolesRefused { .. } | Event::Refused { .. })
            )
        };
        if let (Some((epoch, sender)), false) = (command, out.iter().any(is_refused)) {
            self.checks.command(index, epoch, sender)?;
        }
        for output in out {
            self.carry_out_node(index, now, output, &offered)?;
        }
        self.wake_node(index);
        Ok(())
    }

    fn carry_out_node(
        &mut self,
        index: usize,
        now: Now,
        output: Output,
        offered: &[Role],
    ) -> Result<(), String> {
        let node = index;
        let host = &mut self.hosts[index];
        let life = host.life;
        match output {
            Output::Start { run, .. } => {
                let agent = host.agent.as_ref().expect("it has just spoken");
                let is_allowed = offered.iter().any(|role| agent.acts_in(now.time, role));
                if !offered.is_empty() && !is_allowed {
                    let node = &host.node;
                    return Err(format!("a job for {offered:?} starts at {node}"));
                }
                self.run.job_starts += 1;
                let ended = agent::Ended {
                    run,
                    status: OutcomeStatus::Completed,
                    reason: String::new(),
                    output: Default::default(),
                    output_truncated: false,
                    length: Duration::from_millis(1),
                    usage: Default::default(),
                };
                let input = agent::Input::Ended(vec![ended]);
                self.after(Duration::from_millis(300), Due::Node { node, life, input });
            }
            Output::SendOutcomes { batch, outcomes } => {
                self.send_outcomes(index, batch, &outcomes);
            }
            Output::KeepEpoch(epoch) => host.epoch_kept = epoch,
            Output::Hook { run, old, new } => self.run_hook(index, run, old, new),
            Output::Heartbeat(heartbeat) => {
                Checks::heartbeat(host, heartbeat.epoch)?;
                host.epoch_told = heartbeat.epoch;
                host.last_heartbeat = Some((*heartbeat).clone());
                for desk in 0..self.desks.len() {
                    let letter = Letter::Heartbeat(heartbeat.clone());
                    self.post(Place::Node(index), Place::Dispatcher(desk), letter);
                }
            }
            // Here no two workers have one name, and jobs are for those that hold roles.
            Output::Listen => {}
            Output::Exit | Output::Fail(_) => {
                host.agent = None;
                let away = host.away;
                self.after(away, Due::Start(Place::Node(node)));
            }
            Output::Stop(_) => {}
            Output::Event(event) => {
                let node = host.node.clone();
                self.note(|| format!("{node} -- {}", shorten(&format!("{event:?}"))));
            }
        }
        Ok(())
    }

    fn run_hook(&mut self, node: usize, run: agent::HookRun, old: Vec<Role>, new: Vec<Role>) {
        let host = &mut self.hosts[node];
        let (name, life) = (host.node.clone(), host.life);
        let limit = host.hook_limit.expect("only a host with a hook runs it");
        // The limit is the shell's, on the host's own clock: that one may be slow.
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        let slow = limit + limit / 50;
        let (length, result) = match self.rng.u8(..6) {
            0 => (slow, Err("killed at its limit".to_owned())),
            1 => (limit * 19 / 20, Ok(())),
            _ if self.rng.f64() < self.hook_failure => (limit / 3, Err("it failed".to_owned())),
            _ => (self.rng.u64(1_000..limit), Ok(())),
        };
        let is_well = self.hook_failure == 0.0;
        let (length, result) = match result {
            Err(_) if is_well => (limit / 2, Ok(())),
            result => (length, result),
        };
        self.note(|| format!("{name} runs the hook: {old:?} to {new:?}, {length} us, {result:?}"));
        self.hosts[node].service.begin_hook(run, old, new);
        let input = agent::Input::HookEnded { run, result };
        self.after(
            Duration::from_micros(length),
            Due::Node { node, life, input },
        );
    }

    fn wake_node(&mut self, index: usize) {
        let host = &self.hosts[index];
        let Some(agent) = &host.agent else {
            return;
        };
        let at = host.clock.at(agent.next_deadline());
        self.wake_at(Place::Node(index), host.life, at);
    }

    fn wake_at(&mut self, place: Place, life: u32, at: u64) {
        let late = self.rng.u64(..2_000_000);
        let at = at.max(self.now) + late;
        let is_sooner = self.wakes.get(&place).is_none_or(|planned| at < *planned);
        if is_sooner {
            self.wakes.insert(place, at);
            let planned = at;
            let at = place;
            self.push(planned, Due::Wake { at, life, planned });
        }
    }

    /// Gives a dispatcher an input and carries out its outputs.
    pub(super) fn tell_desk(
        &mut self,
        index: usize,
        tell: impl FnOnce(&mut Mind, Now, &mut Said),
    ) -> Result<(), String> {
        let desk = &mut self.desks[index];
        let Some(mind) = &mut desk.mind else {
            return Ok(());
        };
        let now = desk.clock.now(self.now);
        let mut said = Said::default();
        tell(mind, now, &mut said);
        if let Some(heard) = self.forge(&said) {
            let mind = self.desks[index].mind.as_mut();
            let mind = mind.expect("it has just spoken");
            mind.handle(now, Input::Roles(roles::Input::Heard(heard)), &mut said);
        }
        self.carry_out_desk(index, now, said)?;
        let desk = &self.desks[index];
        let mind = desk.mind.as_ref().expect("it has just spoken");
        let at = desk.clock.at(mind.next_deadline());
        self.wake_at(Place::Dispatcher(index), desk.life, at);
        Ok(())
    }

    fn carry_out_desk(&mut self, index: usize, now: Now, said: Said) -> Result<(), String> {
        let life = self.desks[index].life;
        for output in said.lease {
            let question = match output {
                lease::Output::Read { asked } => Question::ReadLease(asked),
                lease::Output::Write {
                    asked,
                    revision,
                    record,
                } => Question::WriteLease(asked, revision, record),
                lease::Output::Lead { epoch, .. } => {
                    self.note(|| format!("d{index} -- {output:?}"));
                    let may_change = self.faults == Faults::All;
                    let leader = (index, life);
                    self.checks.leader(self.now, epoch, leader, may_change)?;
                    continue;
                }
                lease::Output::StepDown { .. }
                | lease::Output::RolledBack { .. }
                | lease::Output::Lost
                | lease::Output::Unreadable { .. } => {
                    self.note(|| format!("d{index} -- {output:?}"));
                    continue;
                }
            };
            self.ask(index, question);
        }
        if said.sets_up {
            self.ask(index, Question::Histories);
        }
        for output in said.machine {
            self.carry_out_machine(index, now, output)?;
        }
        Ok(())
    }

    pub(super) fn ask(&mut self, desk: usize, question: Question) {
        let is_of_lease = matches!(question, Question::ReadLease(..) | Question::WriteLease(..));
        if self.flaw == Some(Flaw::NoReturn) && is_of_lease && self.has_lapsed(desk) {
            return;
        }
        let Some(from) = self.asker(desk) else {
            return;
        };
        let letter = Letter::Ask { from, question };
        self.post(Place::Dispatcher(desk), Place::Store, letter);
    }

    /// Returns the identity of a dispatcher in requests; `None` if it is down.
    pub(super) fn asker(&self, desk: usize) -> Option<Asker> {
        let life = self.desks[desk].life;
        let service = self.desks[desk].mind.as_ref()?.service;
        Some(Asker {
            desk,
            life,
            service,
        })
    }

    fn has_lapsed(&self, desk: usize) -> bool {
        let desk = &self.desks[desk];
        let until = desk.mind.as_ref().and_then(|mind| mind.lease.held_until());
        until.is_some_and(|until| until <= desk.clock.now(self.now).time)
    }

    /// The flaws of workers: assignments are changed so that they are accepted.
    pub(super) fn tamper(&self, index: usize, mut assignment: RoleAssignment) -> RoleAssignment {
        let Some(newest) = &self.hosts[index].last_heartbeat else {
            return assignment;
        };
        match self.flaw {
            Some(Flaw::LeaseFromReceipt) if newest.boot == assignment.boot => {
                assignment.answers = newest.sequence;
            }
            Some(Flaw::OldEpoch) if assignment.epoch < newest.epoch => {
                assignment.epoch = newest.epoch;
                assignment.generation += 1_000;
            }
            Some(_) | None => {}
        }
        assignment
    }
}

/// Keeps a trace readable.
fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}
