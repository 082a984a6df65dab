//! What happens: messages arrive, processes act, things go wrong.

use std::time::Duration;

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::{Attempt, JobId, Role};
use rolecast_common::wire::{Figures, RolePhase, Why};
use rolecast_dispatcher::lease::{self, timing::JITTER_MAX};
use rolecast_dispatcher::roles::{self, Heard, Move, Order};
use rolecast_worker::agent;

use super::super::clock::Clock;
use super::super::desk::Said;
use super::super::host::category;
use super::{Due, Fault, Flaw, Letter, Place, Question, Reply, World};

impl World {
    pub(super) fn happen(&mut self, due: Due) -> Result<(), String> {
        match due {
            Due::Leave {
                from,
                life,
                to,
                letter,
            } => {
                if life != self.life(from) {
                    return Ok(());
                }
                let stopped = self.stopped.get_mut(&from);
                match stopped {
                    Some(waiting) => waiting.push_back(Due::Leave {
                        from,
                        life,
                        to,
                        letter,
                    }),
                    None => self.send(from, to, letter),
                }
                Ok(())
            }
            Due::Arrive { to, letter } => self.arrive(to, letter),
            Due::Wake { at, life, planned } => {
                let is_planned = self.wakes.get(&at) == Some(&planned);
                if !is_planned || life != self.life(at) {
                    return Ok(());
                }
                if let Some(waiting) = self.stopped.get_mut(&at) {
                    waiting.push_back(Due::Wake { at, life, planned });
                    return Ok(());
                }
                self.wakes.remove(&at);
                self.wake(at)
            }
            Due::Node { node, life, input } => {
                let at = Place::Node(node);
                if life != self.life(at) {
                    return Ok(());
                }
                if let Some(waiting) = self.stopped.get_mut(&at) {
                    waiting.push_back(Due::Node { node, life, input });
                    return Ok(());
                }
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
            Due::Heal => self.heal(),
        }
    }

    fn is_up(&self, at: Place) -> bool {
        match at {
            Place::Node(index) => self.hosts[index].agent.is_some(),
            Place::Dispatcher(index) => self.desks[index].mind.is_some(),
            Place::Store => true,
        }
    }

    /// Returns which start of a process this is; 0 if it is down.
    fn life(&self, at: Place) -> u32 {
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
            return Ok(());
        }
        if let Some(waiting) = self.stopped.get_mut(&to) {
            waiting.push_back(Due::Arrive { to, letter });
            return Ok(());
        }
        match (to, letter) {
            (
                Place::Store,
                Letter::Ask {
                    from,
                    life,
                    question,
                },
            ) => self.answer(from, life, question),
            (Place::Dispatcher(index), Letter::Heartbeat(heartbeat)) => {
                let heard = Heard::new(&heartbeat);
                self.tell_desk(index, |mind, now, said| {
                    mind.lease.note(heard.epoch);
                    mind.handle(now, roles::Input::Heard(heard), said);
                })
            }
            (Place::Dispatcher(index), Letter::Reply { life, reply }) => {
                if life != self.desks[index].life {
                    return Ok(());
                }
                self.tell_desk(index, |mind, now, said| match reply {
                    Reply::Lease(asked, entry) => {
                        mind.handle_lease(now, lease::Input::Read { asked, entry }, said);
                    }
                    Reply::LeaseWritten(asked, result) => {
                        mind.handle_lease(now, lease::Input::Written { asked, result }, said);
                    }
                    Reply::Roles(request, entry) => {
                        let entry = entry.map(|(revision, document)| (revision, *document));
                        mind.handle(now, roles::Input::Read { request, entry }, said);
                    }
                    Reply::RolesWritten(request, result) => {
                        mind.handle(now, roles::Input::Stored { request, result }, said);
                    }
                })
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

    fn answer(&mut self, from: usize, life: u32, question: Question) -> Result<(), String> {
        let reply = match question {
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
        };
        let to = Place::Dispatcher(from);
        self.send(Place::Store, to, Letter::Reply { life, reply });
        Ok(())
    }

    fn wake(&mut self, at: Place) -> Result<(), String> {
        match at {
            Place::Node(index) => self.tell_node(index, agent::Input::Tick, None),
            Place::Dispatcher(index) => self.tell_desk(index, |mind, now, said| {
                mind.handle_lease(now, lease::Input::Tick, said);
                mind.handle(now, roles::Input::Tick, said);
            }),
            Place::Store => Ok(()),
        }
    }

    fn start(&mut self, at: Place) -> Result<(), String> {
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
                let name = format!("d{index}");
                self.desks[index].start(clock, &name, self.settings.clone(), jitter);
            }
            Place::Store => return Ok(()),
        }
        self.wake(at)
    }

    fn crash(&mut self, at: Place) {
        self.note(|| format!("{at:?} is killed"));
        self.stopped.remove(&at);
        match at {
            Place::Node(index) => self.hosts[index].agent = None,
            Place::Dispatcher(index) => self.desks[index].mind = None,
            Place::Store => {}
        }
    }

    fn resume(&mut self, at: Place) {
        for due in self.stopped.remove(&at).unwrap_or_default() {
            self.push(self.now, due);
        }
    }

    fn fail(&mut self, fault: Fault) -> Result<(), String> {
        self.note(|| format!("{fault:?}"));
        match fault {
            Fault::Pause(at, length) => {
                if self.is_up(at) {
                    self.stopped.entry(at).or_default();
                    if let Place::Node(index) = at {
                        self.hosts[index].service.excuse();
                    }
                    self.after(length, Due::Resume(at));
                }
            }
            Fault::Crash(at, length) => {
                self.crash(at);
                self.after(length, Due::Start(at));
            }
            Fault::Leave(node, length) => {
                self.hosts[node].away = length;
                let (at, input) = (Place::Node(node), agent::Input::Drain);
                let life = self.life(at);
                self.push(self.now, Due::Node { node, life, input });
            }
            Fault::Cut(from, to, length) => {
                self.network.cut(from, to);
                self.after(length, Due::Mend(from, to));
            }
            Fault::Isolate(node, length) => {
                for desk in 0..self.desks.len() {
                    let (node, desk) = (Place::Node(node), Place::Dispatcher(desk));
                    for (from, to) in [(node, desk), (desk, node)] {
                        self.network.cut(from, to);
                        self.after(length, Due::Mend(from, to));
                    }
                }
            }
            Fault::Order(role, node) => {
                let (role, _) = self.roles[role % self.roles.len()].clone();
                let node = self.hosts[node].node.clone();
                return self.order(&Order::Set { role, node });
            }
            Fault::Move(role, node) => return self.want_move(role, node),
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

    /// Gives an order to every dispatcher; who is not at work refuses it.
    fn order(&mut self, order: &Order) -> Result<(), String> {
        for index in 0..self.desks.len() {
            let order = order.clone();
            self.job_number += 1;
            let id = self.job_number;
            self.input(index, roles::Input::Order { id, order })?;
        }
        Ok(())
    }

    fn want_move(&mut self, role: usize, to: usize) -> Result<(), String> {
        let (role, _) = self.roles[role % self.roles.len()].clone();
        let to = self.hosts[to].node.clone();
        for index in 0..self.desks.len() {
            let mind = self.desks[index].mind.as_ref();
            let document = mind.and_then(|mind| mind.manager.document());
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
            self.input(index, roles::Input::Move(wanted))?;
        }
        Ok(())
    }

    /// Tells a dispatcher something that no message carries.
    fn input(&mut self, index: usize, input: roles::Input) -> Result<(), String> {
        let at = Place::Dispatcher(index);
        if !self.is_up(at) || self.stopped.contains_key(&at) {
            return Ok(());
        }
        self.tell_desk(index, |mind, now, said| mind.handle(now, input, said))
    }

    fn heal(&mut self) -> Result<(), String> {
        self.note(|| "nothing goes wrong any more".to_owned());
        self.network.heal();
        self.hook_failure = 0.0;
        let nodes = (0..self.hosts.len()).map(Place::Node);
        let desks = (0..self.desks.len()).map(Place::Dispatcher);
        for at in nodes.chain(desks).collect::<Vec<_>>() {
            self.resume(at);
            self.start(at)?;
        }
        Ok(())
    }

    /// Lets whoever believes to be at work send jobs for roles, to anybody: agents
    /// must know for themselves.
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
            let number = self.job_number;
            let ack = format!("$JS.ACK.S.c.1.{number}.1.1.1");
            let ack = Ack::parse(&ack).expect("it is an ack subject");
            let job = JobId::new(&format!("j{number}")).expect("it is a job id");
            let role = self.roles[self.rng.usize(..self.roles.len())].0.clone();
            let offer = agent::Offer {
                assignment: Assignment::new(epoch, category(), job, Attempt::FIRST, ack),
                deadline: None,
                roles: vec![role],
            };
            let from = Place::Dispatcher(index);
            let to = Place::Node(self.rng.usize(..self.hosts.len()));
            let sender = (index, self.desks[index].life);
            self.post(from, to, Letter::Job { sender, offer });
        }
    }

    /// The flaw that promotes early: the manager hears what nobody said.
    pub(super) fn forge(&self, said: &Said) -> Option<Heard> {
        if self.flaw != Some(Flaw::EarlyPromotion) {
            return None;
        }
        let step = said.roles.iter().find_map(|output| {
            let roles::Output::Event(roles::Event::Step { change, .. }) = output else {
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
