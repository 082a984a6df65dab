//! Events of a run: messages arrive and processes act.

use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment, Seal};
use rolecast_common::id::{Attempt, JobId, Role};
use rolecast_common::wire::{Heartbeat, RolePhase};
use rolecast_dispatcher::claim::Claimed;
use rolecast_dispatcher::lease::{self, timing::JITTER_MAX};
use rolecast_dispatcher::roles::{self, Heard};
use rolecast_dispatcher::scheduler::{Event, Input, Output};
use rolecast_worker::agent;

use super::super::clock::Clock;
use super::super::desk::{Said, Start};
use super::super::host::category;
use super::super::store::Fate;
use super::{Asker, Due, Flaw, Letter, Place, Question, Reply, World};

/// First sequence of the jobs that are sent past the machine.
const STRAY_SEQUENCES: u64 = 1_000_000;

impl World {
    pub(super) fn happen(&mut self, due: Due) -> Result<(), String> {
        if let Some((at, life)) = due.process() {
            if life != self.life(at) {
                return Ok(());
            }
            if let Some(waiting) = self.stopped.get_mut(&at) {
                waiting.push_back(due);
                return Ok(());
            }
        }
        match due {
            Due::Leave {
                from, to, letter, ..
            } => {
                self.send(from, to, letter);
                Ok(())
            }
            Due::Arrive { to, letter } => self.arrive(to, letter),
            Due::Wake { at, planned, .. } => {
                if self.wakes.get(&at) != Some(&planned) {
                    return Ok(());
                }
                self.wakes.remove(&at);
                self.wake(at)
            }
            Due::Node { node, input, .. } => {
                if let agent::Input::HookEnded { run, result } = &input {
                    self.hosts[node].service.end_hook(*run, result.is_ok());
                }
                self.tell_node(node, input, None)
            }
            Due::Fault(fault) => self.fail(fault),
            Due::Resume(at) => {
                self.resume(at);
                Ok(())
            }
            Due::Start(at) => self.start(at),
            Due::Mend(from, to) => {
                self.network.mend(from, to);
                Ok(())
            }
            Due::Jobs => {
                self.send_jobs();
                self.after(Duration::from_millis(400), Due::Jobs);
                Ok(())
            }
            Due::Publish => {
                self.publish();
                let pause = Duration::from_millis(self.rng.u64(200..800));
                self.after(pause, Due::Publish);
                Ok(())
            }
            Due::Deliver => {
                self.deliver();
                self.after(Duration::from_millis(20), Due::Deliver);
                Ok(())
            }
            Due::Report { to, input } => self.reply(to, Reply::Pulled(input)),
            Due::Heal => self.heal(),
        }
    }

    pub(super) fn is_up(&self, at: Place) -> bool {
        match at {
            Place::Node(index) => self.hosts[index].agent.is_some(),
            Place::Dispatcher(index) => self.desks[index].mind.is_some(),
            Place::Store => true,
        }
    }

    /// Returns the number of the present start of a process; 0 if it is down.
    pub(super) fn life(&self, at: Place) -> u32 {
        if !self.is_up(at) {
            return 0;
        }
        match at {
            Place::Node(index) => self.hosts[index].life,
            Place::Dispatcher(index) => self.desks[index].life,
            Place::Store => 1,
        }
    }

    fn arrive(&mut self, to: Place, letter: Letter) -> Result<(), String> {
        if !self.is_up(to) {
            if let (Place::Node(node), Letter::Job { sender, offer }) = (to, letter) {
                self.bounce(node, sender, &offer);
            }
            return Ok(());
        }
        if let Some(waiting) = self.stopped.get_mut(&to) {
            waiting.push_back(Due::Arrive { to, letter });
            return Ok(());
        }
        match (to, letter) {
            (Place::Store, Letter::Ask { from, question }) => self.answer(from, question),
            // Nothing on a connection outlives it for long: messages of a killed worker
            // do not arrive after those of its successor.
            (Place::Dispatcher(_), Letter::Heartbeat(heartbeat)) if self.is_past(&heartbeat) => {
                Ok(())
            }
            (Place::Dispatcher(index), Letter::Heartbeat(heartbeat)) => {
                let from = heartbeat.node.clone();
                let input = Input::Heartbeat { from, heartbeat };
                self.tell_desk(index, |mind, now, said| mind.handle(now, input, said))
            }
            (Place::Dispatcher(_), Letter::Reply { to, reply }) => self.reply(to, reply),
            (
                Place::Dispatcher(index),
                Letter::Outcomes {
                    node,
                    reply,
                    outcomes,
                },
            ) => {
                let claims = outcomes.into_iter();
                let claims = claims.map(|(said, outcome)| (Claimed::new(said), outcome));
                let input = Input::Outcomes {
                    from: self.hosts[node].node.clone(),
                    reply: Some(reply),
                    outcomes: claims.collect(),
                };
                self.tell_desk(index, |mind, now, said| {
                    // A standby does not listen to outcomes.
                    if mind.leads() {
                        mind.handle(now, input, said);
                    }
                })
            }
            (Place::Node(index), Letter::AskReport) => {
                self.tell_node(index, agent::Input::ReportAsked, None)
            }
            (Place::Node(index), Letter::Confirm { life, batch }) => {
                if life != self.hosts[index].life {
                    return Ok(());
                }
                self.tell_node(index, agent::Input::Confirmed { batch }, None)
            }
            (Place::Node(index), Letter::Assign { sender, assignment }) => {
                let (assignment, epoch) =
                    (self.tamper(index, assignment.clone()), assignment.epoch);
                let input = agent::Input::Roles(assignment);
                self.tell_node(index, input, Some((epoch, sender)))
            }
            (Place::Node(index), Letter::Job { sender, offer }) => {
                let epoch = offer.assignment.epoch();
                self.tell_node(index, agent::Input::Job(offer), Some((epoch, sender)))
            }
            (to, letter) => unreachable!("{letter:?} is not for {to:?}"),
        }
    }

    fn is_past(&self, heartbeat: &Heartbeat) -> bool {
        let newest = self
            .hosts
            .iter()
            .filter_map(|host| host.last_heartbeat.as_ref());
        let mut newest = newest.filter(|newest| newest.node == heartbeat.node);
        newest.any(|newest| newest.boot != heartbeat.boot)
    }

    /// Delivers the store's answer to a dispatcher.
    fn reply(&mut self, to: Asker, reply: Reply) -> Result<(), String> {
        let Some(asker) = self.asker(to.desk) else {
            return Ok(());
        };
        if asker.life != to.life {
            return Ok(());
        }
        let is_current = asker.service == to.service;
        self.tell_desk(to.desk, |mind, now, said| {
            let input = match reply {
                Reply::Lease(asked, entry) => {
                    return mind.handle_lease(now, lease::Input::Read { asked, entry }, said);
                }
                Reply::LeaseWritten(asked, result) => {
                    return mind.handle_lease(now, lease::Input::Written { asked, result }, said);
                }
                Reply::Histories(histories) => return mind.set_up(now, histories, said),
                Reply::Roles(request, entry) => {
                    let entry = entry.map(|(revision, document)| (revision, *document));
                    Input::Roles(roles::Input::Read { request, entry })
                }
                Reply::RolesWritten(request, result) => {
                    Input::Roles(roles::Input::Stored { request, result })
                }
                Reply::Pulled(input) => *input,
                Reply::Recorded(sequence, result) => Input::Recorded { sequence, result },
                Reply::None => return,
            };
            // An input for a time that is over does not arrive.
            if is_current {
                mind.handle(now, input, said);
            }
        })
    }

    fn answer(&mut self, from: Asker, question: Question) -> Result<(), String> {
        let request = question.request();
        let fate = self.store.fate(&mut self.rng, self.now, request);
        let is_answered = match fate {
            Fate::Answered => true,
            Fate::Unanswered => false,
            // The flaw that counts the absence: challengers find the key as it was.
            Fate::Lost if self.flaw == Some(Flaw::AbsenceCounted) && self.waits(from.desk) => true,
            Fate::Lost => return Ok(()),
            Fate::Late(until) => {
                let letter = Letter::Ask { from, question };
                let to = Place::Store;
                self.push(until, Due::Arrive { to, letter });
                return Ok(());
            }
        };
        let reply = self.apply(from, question)?;
        if is_answered && !matches!(reply, Reply::None) {
            let letter = Letter::Reply { to: from, reply };
            self.send(Place::Store, Place::Dispatcher(from.desk), letter);
        }
        Ok(())
    }

    fn waits(&self, desk: usize) -> bool {
        let mind = self.desks[desk].mind.as_ref();
        mind.is_some_and(|mind| mind.lease.held_until().is_none())
    }

    fn apply(&mut self, from: Asker, question: Question) -> Result<Reply, String> {
        let queue = &mut self.store.queue;
        Ok(match question {
            Question::ReadLease(asked) => Reply::Lease(asked, self.store.lease()),
            Question::WriteLease(asked, revision, record) => {
                Reply::LeaseWritten(asked, self.store.lease.write(revision, record))
            }
            Question::ReadRoles(request) => {
                let entry = self.store.roles.read();
                let entry = entry.map(|(revision, document)| (revision, Box::new(document)));
                Reply::Roles(request, entry)
            }
            Question::WriteRoles(request, revision, document) => {
                let result = self.store.roles.write(revision, (*document).clone());
                if let lease::Written::Done(_) = result {
                    self.checks.document(&document)?;
                }
                Reply::RolesWritten(request, result)
            }
            Question::Histories => {
                let histories = queue.histories.iter();
                let histories = histories.map(|(sequence, history)| (*sequence, history.clone()));
                Reply::Histories(histories.collect())
            }
            Question::Pull(source, batch) => {
                let reader = (from.desk, from.life, from.service);
                queue.pull(self.now, reader, source, batch);
                Reply::None
            }
            Question::Word(sequence, word) => {
                queue.answer(self.now, sequence, word)?;
                Reply::None
            }
            Question::Recover => {
                queue.recover(self.now);
                Reply::Pulled(Box::new(Input::Recovered))
            }
            Question::Record(sequence) => {
                Reply::Recorded(sequence, queue.record(self.now, sequence))
            }
        })
    }

    fn wake(&mut self, at: Place) -> Result<(), String> {
        match at {
            Place::Node(index) => self.tell_node(index, agent::Input::Tick, None),
            Place::Dispatcher(index) => {
                self.tell_desk(index, |mind, now, said| mind.tick(now, said))
            }
            Place::Store => Ok(()),
        }
    }

    pub(super) fn start(&mut self, at: Place) -> Result<(), String> {
        if self.is_up(at) {
            return Ok(());
        }
        self.note(|| format!("{at:?} starts"));
        let clock = Clock::new(&mut self.rng, self.now);
        self.wakes.remove(&at);
        match at {
            Place::Node(index) => {
                let offers: Vec<Role> = self.roles.iter().map(|(role, _)| role.clone()).collect();
                self.hosts[index].start(self.now, clock, &offers);
            }
            Place::Dispatcher(index) => {
                let jitter = JITTER_MAX.mul_f64(self.rng.f64());
                let start = Start {
                    name: format!("d{index}"),
                    config: self.config.clone(),
                    jitter,
                    seed: self.rng.u64(..),
                };
                self.desks[index].start(clock, clock.now(self.now), start);
            }
            Place::Store => return Ok(()),
        }
        self.wake(at)?;
        if let Place::Node(index) = at {
            // The name is its own: here no two workers have one name.
            let admission = self.hosts[index].admission();
            self.tell_node(index, agent::Input::Admission(admission), None)?;
        }
        Ok(())
    }

    /// Lets every dispatcher that believes to be active send jobs for roles, to any node:
    /// agents must refuse them by themselves.
    fn send_jobs(&mut self) {
        for index in 0..self.desks.len() {
            let desk = &self.desks[index];
            let Some(mind) = &desk.mind else {
                continue;
            };
            let epoch = mind.epoch;
            if !mind.lease.is_held(desk.clock.now(self.now).time) {
                continue;
            }
            self.job_number += 1;
            // A number that the queue does not hold.
            let number = STRAY_SEQUENCES + self.job_number;
            let ack = format!("$JS.ACK.S.c.1.{number}.1.1.1");
            let ack = Ack::parse(&ack).expect("it is an ack subject");
            let job = JobId::new(&format!("j{number}")).expect("it is a job id");
            let role = self.roles[self.rng.usize(..self.roles.len())].0.clone();
            let offer = agent::Offer {
                assignment: Assignment::sealed(
                    epoch,
                    category("work"),
                    job,
                    Attempt::FIRST,
                    ack,
                    |_| Seal::new(0),
                ),
                deadline: None,
                time_limit: None,
                roles: vec![role],
            };
            let from = Place::Dispatcher(index);
            let to = Place::Node(self.rng.usize(..self.hosts.len()));
            let sender = (index, self.desks[index].life);
            self.post(from, to, Letter::Job { sender, offer });
        }
    }

    /// The flaw that promotes early: the coordinator receives a forged confirmation.
    pub(super) fn forge(&self, said: &Said) -> Option<Heard> {
        if self.flaw != Some(Flaw::EarlyPromotion) {
            return None;
        }
        let step = said.machine.iter().find_map(|output| {
            let Output::Event(Event::Roles(event)) = output else {
                return None;
            };
            let roles::Event::Step { change, .. } = &**event else {
                return None;
            };
            Some(change)
        })?;
        let RolePhase::Demoting { node, .. } = &step.phase else {
            return None;
        };
        let host = self.hosts.iter().find(|host| host.node == *node)?;
        let mut heard = Heard::new(&host.last_heartbeat.clone()?);
        heard.roles.retain(|role| *role != step.role);
        heard.sequence += 1;
        heard.assigned.generation = step.generation;
        Some(heard)
    }
}
