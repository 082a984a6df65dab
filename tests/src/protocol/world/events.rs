//! Events of a run: messages arrive, processes act, faults begin and end.

use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment, Seal};
use rolecast_common::id::{Attempt, JobId};
use rolecast_common::subjects::Source;
use rolecast_common::wire::{Figures, Heartbeat, Why};
use rolecast_dispatcher::claim::Claimed;
use rolecast_dispatcher::roles::{self, Move, Order};
use rolecast_dispatcher::scheduler::Input;
use rolecast_worker::agent;

use super::super::clock::nanos;
use super::super::faults::Fault;
use super::super::flaws::tamper;
use super::super::host::category;
use super::super::message::{Message, Request, Requester, Response};
use super::super::network::Place;
use super::super::schedule::Event;
use super::super::store::Fate;
use super::outputs::offer;
use super::{Flaw, World};

/// First sequence of the jobs that are sent past the scheduler.
const STRAY_SEQUENCES: u64 = 1_000_000;

impl World {
    pub(super) fn handle(&mut self, mut event: Event) -> Result<(), String> {
        if let Some((at, life)) = event.process() {
            if life != self.life(at) {
                return Ok(());
            }
            let Some(due) = self.environment.schedule.hold(at, event) else {
                return Ok(());
            };
            event = due;
        }
        match event {
            Event::Leave {
                from, to, message, ..
            } => self.environment.send(from, to, message),
            Event::Arrive { to, message } => return self.arrive(to, message),
            Event::Wake { at, planned, .. } => {
                if self.environment.schedule.is_wake(at, planned) {
                    return self.wake(at);
                }
            }
            Event::Node { node, input, .. } => {
                if let agent::Input::HookEnded { run, result } = &input {
                    self.hosts[node].service.end_hook(*run, result.is_ok());
                }
                return self.drive_node(node, input, None);
            }
            Event::Fault(fault) => return self.fail(fault),
            Event::Resume(at) => self.environment.schedule.resume(at),
            Event::Start(at) => return self.start(at),
            Event::Reconnect(from, to) => self.environment.network.reconnect(from, to),
            Event::Jobs => {
                self.send_jobs();
                self.after(Duration::from_millis(400), Event::Jobs);
            }
            Event::Publish => {
                self.publish();
                let pause = Duration::from_millis(self.environment.rng.u64(200..800));
                self.after(pause, Event::Publish);
            }
            Event::Deliver => {
                self.deliver();
                self.after(Duration::from_millis(20), Event::Deliver);
            }
            Event::Report { to, input } => return self.receive(to, Response::Pulled(input)),
            Event::Heal => return self.heal(),
        }
        Ok(())
    }

    fn arrive(&mut self, to: Place, message: Message) -> Result<(), String> {
        if !self.is_up(to) {
            if let (Place::Node(node), Message::Job { sender, offer }) = (to, message) {
                self.bounce(node, sender, &offer);
            }
            return Ok(());
        }
        let arrival = Event::Arrive { to, message };
        let arrival = self.environment.schedule.hold(to, arrival);
        let Some(Event::Arrive { to, message }) = arrival else {
            return Ok(());
        };
        match (to, message) {
            (Place::Store, Message::Request { from, request }) => self.answer(from, request),
            // Nothing on a connection outlives it for long: messages of a killed worker
            // do not arrive after those of its successor.
            (Place::Dispatcher(_), Message::Heartbeat(heartbeat)) if self.is_past(&heartbeat) => {
                Ok(())
            }
            (Place::Dispatcher(index), Message::Heartbeat(heartbeat)) => {
                let from = heartbeat.node.clone();
                self.input(index, Input::Heartbeat { from, heartbeat })
            }
            (Place::Dispatcher(_), Message::Response { to, response }) => {
                self.receive(to, response)
            }
            (
                Place::Dispatcher(index),
                Message::Outcomes {
                    node,
                    reply,
                    outcomes,
                },
            ) => {
                let claims = outcomes.into_iter();
                let claims = claims.map(|(claimed, outcome)| (Claimed::new(claimed), outcome));
                let input = Input::Outcomes {
                    from: self.hosts[node].node.clone(),
                    reply: Some(reply),
                    outcomes: claims.collect(),
                };
                self.drive_dispatcher(index, |running, now, out| {
                    // A standby does not listen to outcomes.
                    if running.leads() {
                        running.handle(now, input, out);
                    }
                })
            }
            (Place::Node(index), Message::AskReport) => {
                self.drive_node(index, agent::Input::ReportAsked, None)
            }
            (Place::Node(index), Message::Confirm { life, batch }) => {
                if life != self.hosts[index].life {
                    return Ok(());
                }
                self.drive_node(index, agent::Input::Confirmed { batch }, None)
            }
            (Place::Node(index), Message::Assign { sender, assignment }) => {
                let epoch = assignment.epoch;
                let flaw = self.scenario.flaw;
                let input = agent::Input::Roles(tamper(flaw, &self.hosts[index], assignment));
                self.drive_node(index, input, Some((epoch, sender)))
            }
            (Place::Node(index), Message::Job { sender, offer }) => {
                let epoch = offer.assignment.epoch();
                self.drive_node(index, agent::Input::Job(offer), Some((epoch, sender)))
            }
            (to, message) => unreachable!("{message:?} is not for {to:?}"),
        }
    }

    fn is_past(&self, heartbeat: &Heartbeat) -> bool {
        let newest = self.hosts.iter();
        let newest = newest.filter_map(|host| host.last_heartbeat.as_ref());
        let mut newest = newest.filter(|newest| newest.node == heartbeat.node);
        newest.any(|newest| newest.boot != heartbeat.boot)
    }

    /// Gives a dispatcher the store's answer.
    fn receive(&mut self, to: Requester, response: Response) -> Result<(), String> {
        let requester = self.requester(to.dispatcher);
        let Some(requester) = requester.filter(|requester| requester.life == to.life) else {
            return Ok(());
        };
        let is_current = requester.service == to.service;
        self.drive_dispatcher(to.dispatcher, |running, now, out| {
            running.receive(now, response, is_current, out);
        })
    }

    fn answer(&mut self, from: Requester, request: Request) -> Result<(), String> {
        let now = self.environment.now();
        let kind = request.kind();
        let is_answered = match self.store.fate(&mut self.environment.rng, now, kind) {
            Fate::Answered => true,
            Fate::Unanswered => false,
            // The flaw that counts the absence: challengers find the key as it was.
            Fate::Lost
                if self.scenario.flaw == Some(Flaw::AbsenceCounted)
                    && self.dispatchers[from.dispatcher].held_until().is_none() =>
            {
                true
            }
            Fate::Lost => return Ok(()),
            Fate::Late(until) => {
                let message = Message::Request { from, request };
                let to = Place::Store;
                let arrival = Event::Arrive { to, message };
                self.environment.schedule.push(until, arrival);
                return Ok(());
            }
        };
        let response = self.store.apply(now, from, request, &mut self.checks)?;
        if is_answered && !matches!(response, Response::None) {
            self.respond(from, response);
        }
        Ok(())
    }

    fn respond(&mut self, to: Requester, response: Response) {
        let message = Message::Response { to, response };
        let place = Place::Dispatcher(to.dispatcher);
        self.environment.send(Place::Store, place, message);
    }

    /// Publishes a job: of three categories, two for roles.
    fn publish(&mut self) {
        let name = ["work", "work", "lead", "search"][self.environment.rng.usize(..4)];
        let source = Source::parse(&format!("rolecast.jobs.{name}"));
        let source = source.expect("it is a subject of jobs");
        self.store.queue.publish(self.environment.now(), source);
    }

    /// Sends the results of pulls by now.
    fn deliver(&mut self) {
        let dispatchers = &self.dispatchers;
        let is_there = |requester: &Requester| {
            let dispatcher = &dispatchers[requester.dispatcher];
            let running = dispatcher.running.as_ref();
            dispatcher.life == requester.life
                && running.is_some_and(|running| running.service == requester.service)
        };
        let now = self.environment.now();
        for (requester, input) in self.store.queue.deliver(now, is_there) {
            self.respond(requester, Response::Pulled(Box::new(input)));
        }
    }

    /// Lets every dispatcher that believes to be active send jobs for roles, to any node:
    /// agents must refuse them by themselves.
    fn send_jobs(&mut self) {
        for index in 0..self.dispatchers.len() {
            let dispatcher = &self.dispatchers[index];
            let Some(running) = &dispatcher.running else {
                continue;
            };
            let epoch = running.epoch;
            if !dispatcher.holds_lease(self.environment.now()) {
                continue;
            }
            self.job_number += 1;
            // A number that the queue does not hold.
            let number = STRAY_SEQUENCES + self.job_number;
            let ack = format!("$JS.ACK.S.c.1.{number}.1.1.1");
            let ack = Ack::parse(&ack).expect("it is an ack subject");
            let job = JobId::new(&format!("j{number}")).expect("it is a job id");
            let (rng, roles) = (&mut self.environment.rng, &self.scenario.roles);
            let role = roles[rng.usize(..roles.len())].0.clone();
            let to = Place::Node(rng.usize(..self.hosts.len()));
            let (category, attempt) = (category("work"), Attempt::FIRST);
            let seal = |_: [&str; 2]| Seal::new(0);
            let assignment = Assignment::sealed(epoch, category, job, attempt, ack, seal);
            let offer = offer(assignment, None, vec![role]);
            let sender = (index, dispatcher.life);
            let message = Message::Job { sender, offer };
            self.post(Place::Dispatcher(index), to, message);
        }
    }

    fn fail(&mut self, fault: Fault) -> Result<(), String> {
        self.environment.record(|| format!("{fault:?}"));
        match fault {
            Fault::Pause(at, length) => {
                if self.is_up(at) {
                    self.environment.schedule.stop(at);
                    if let Place::Node(index) = at {
                        self.hosts[index].service.excuse();
                    }
                    self.after(length, Event::Resume(at));
                }
            }
            Fault::Crash(at, length) => {
                self.crash(at);
                self.after(length, Event::Start(at));
            }
            Fault::Leave(node, length) => {
                self.hosts[node].away = length;
                let input = agent::Input::Drain;
                let life = self.life(Place::Node(node));
                self.after(Duration::ZERO, Event::Node { node, life, input });
            }
            Fault::Cut(from, to, length) => self.cut(from, to, length),
            Fault::Isolate(node, length) => {
                for dispatcher in 0..self.dispatchers.len() {
                    let (node, dispatcher) = (Place::Node(node), Place::Dispatcher(dispatcher));
                    self.cut(node, dispatcher, length);
                    self.cut(dispatcher, node, length);
                }
            }
            Fault::Away(bucket, length) => {
                let until = self.environment.now() + nanos(length);
                self.store.send_away(bucket, until);
            }
            Fault::Harm(harm) => {
                self.store.harm(harm);
                self.checks.harm(self.environment.now());
            }
            Fault::Order(role, node) => {
                let roles = &self.scenario.roles;
                let (role, _) = roles[role % roles.len()].clone();
                let node = self.hosts[node].node.clone();
                return self.order(&Order::Set { role, node });
            }
            Fault::Move(role, node) => return self.request_move(role, node),
            Fault::Drain(is_drained) => {
                let node = self.hosts[0].node.clone();
                let order = if is_drained {
                    Order::Drain(node)
                } else {
                    Order::Undrain(node)
                };
                return self.order(&order);
            }
        }
        Ok(())
    }

    fn crash(&mut self, at: Place) {
        self.environment.record(|| format!("{at:?} is killed"));
        self.environment.schedule.drop_held(at);
        match at {
            Place::Node(index) => self.hosts[index].agent = None,
            Place::Dispatcher(index) => self.dispatchers[index].running = None,
            Place::Store => {}
        }
    }

    fn cut(&mut self, from: Place, to: Place, length: Duration) {
        self.environment.network.cut(from, to);
        self.after(length, Event::Reconnect(from, to));
    }

    /// Gives an order to every dispatcher; one that does not lead refuses it.
    fn order(&mut self, order: &Order) -> Result<(), String> {
        for index in 0..self.dispatchers.len() {
            let order = order.clone();
            self.job_number += 1;
            let id = self.job_number;
            self.input_directly(index, roles::Input::Order { id, order })?;
        }
        Ok(())
    }

    fn request_move(&mut self, role: usize, to: usize) -> Result<(), String> {
        let roles = &self.scenario.roles;
        let (role, _) = roles[role % roles.len()].clone();
        let to = self.hosts[to].node.clone();
        for index in 0..self.dispatchers.len() {
            let running = self.dispatchers[index].running.as_ref();
            let view = running.and_then(|running| running.machine.roles_view());
            let document = view.as_ref().map(|view| &view.document);
            let holders = document.and_then(|document| document.roles.get(&role));
            let Some(from) = holders.and_then(|holders| holders.first()).cloned() else {
                continue;
            };
            let wanted = Move {
                role: role.clone(),
                from,
                to: to.clone(),
                why: Why::Bottleneck {
                    figures: Figures::new([("regret", 1.0)]),
                },
            };
            self.input_directly(index, roles::Input::Move(wanted))?;
        }
        Ok(())
    }

    /// Gives a dispatcher that runs an input that no message carries.
    fn input_directly(&mut self, index: usize, input: roles::Input) -> Result<(), String> {
        let is_stopped = self
            .environment
            .schedule
            .is_stopped(Place::Dispatcher(index));
        if is_stopped {
            return Ok(());
        }
        self.input(index, Input::Roles(input))
    }

    fn input(&mut self, index: usize, input: Input) -> Result<(), String> {
        self.drive_dispatcher(index, |running, now, out| running.handle(now, input, out))
    }

    fn heal(&mut self) -> Result<(), String> {
        self.environment
            .record(|| "nothing goes wrong any more".to_owned());
        self.environment.network.heal();
        self.store.heal();
        self.hook_failure = 0.0;
        let nodes = (0..self.hosts.len()).map(Place::Node);
        let dispatchers = (0..self.dispatchers.len()).map(Place::Dispatcher);
        for at in nodes.chain(dispatchers) {
            self.environment.schedule.resume(at);
            self.start(at)?;
        }
        Ok(())
    }
}
