//! Faults as they begin and end.

use rolecast_common::wire::{Figures, Why};
use rolecast_dispatcher::roles::{self, Move, Order};
use rolecast_dispatcher::scheduler::Input;
use rolecast_worker::agent;

use super::super::clock::nanos;
use super::{Due, Fault, Place, World};

impl World {
    fn crash(&mut self, at: Place) {
        self.note(|| format!("{at:?} is killed"));
        self.stopped.remove(&at);
        match at {
            Place::Node(index) => self.hosts[index].agent = None,
            Place::Dispatcher(index) => self.desks[index].mind = None,
            Place::Store => {}
        }
    }

    pub(super) fn resume(&mut self, at: Place) {
        for due in self.stopped.remove(&at).unwrap_or_default() {
            self.push(self.now, due);
        }
    }

    pub(super) fn fail(&mut self, fault: Fault) -> Result<(), String> {
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
            Fault::Away(bucket, length) => {
                self.store.send_away(bucket, self.now + nanos(length));
            }
            Fault::Harm(harm) => {
                self.store.harm(harm);
                self.checks.harm(self.now);
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

    /// Gives an order to every dispatcher; one that does not lead refuses it.
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
            let view = mind.and_then(|mind| mind.machine.roles_view());
            let holders = view
                .as_ref()
                .and_then(|view| view.document.roles.get(&role));
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

    /// Gives a dispatcher an input that no message carries.
    fn input(&mut self, index: usize, input: roles::Input) -> Result<(), String> {
        let at = Place::Dispatcher(index);
        if !self.is_up(at) || self.stopped.contains_key(&at) {
            return Ok(());
        }
        let input = Input::Roles(input);
        self.tell_desk(index, |mind, now, said| mind.handle(now, input, said))
    }

    pub(super) fn heal(&mut self) -> Result<(), String> {
        self.note(|| "nothing goes wrong any more".to_owned());
        self.network.heal();
        self.store.heal();
        self.hook_failure = 0.0;
        let nodes = (0..self.hosts.len()).map(Place::Node);
        let desks = (0..self.desks.len()).map(Place::Dispatcher);
        for at in nodes.chain(desks).collect::<Vec<_>>() {
            self.resume(at);
            self.start(at)?;
        }
        Ok(())
    }
}
