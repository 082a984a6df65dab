//! Flow of jobs: published, pulled, sent, run, reported, recorded.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Category, NodeId, Sequence};
use rolecast_common::subjects::Source;
use rolecast_common::time::Now;
use rolecast_common::wire::{Outcome, OutcomeBatch};
use rolecast_dispatcher::lease::{self, Written};
use rolecast_dispatcher::roles;
use rolecast_dispatcher::scheduler::{Event, Input, Output};
use rolecast_worker::agent;

use super::super::network::Place;
use super::super::queue::{Pulled, Reader, Word};
use super::{Asker, Desk, Due, Letter, Mind, Question, Reply, World};

/// Time limit of a request in the shell.
const GIVEN_UP: Duration = Duration::from_secs(2);

impl World {
    /// Publishes a job: of three categories, two for roles.
    pub(super) fn publish(&mut self) {
        let name = ["work", "work", "lead", "search"][self.rng.usize(..4)];
        let source = Source::parse(&format!("rolecast.jobs.{name}"));
        let source = source.expect("it is a subject of jobs");
        self.store.queue.publish(self.now, source);
    }

    /// Sends the results of pulls by now.
    pub(super) fn deliver(&mut self) {
        let desks = &self.desks;
        let is_there = |reader: &Reader| {
            let (desk, life, service) = *reader;
            let desk = &desks[desk];
            let mind = desk.mind.as_ref();
            desk.life == life && mind.is_some_and(|mind| mind.service == service)
        };
        for (reader, pulled) in self.store.queue.deliver(self.now, is_there) {
            let (desk, life, service) = reader;
            let input = match pulled {
                Pulled::Job(delivery) => Input::Delivered(*delivery),
                Pulled::Alive { source } => Input::PullAlive { source },
                Pulled::End {
                    source,
                    undelivered,
                } => Input::PullEnded {
                    source,
                    undelivered,
                },
            };
            let to = Asker {
                desk,
                life,
                service,
            };
            let reply = Reply::Pulled(Box::new(input));
            let letter = Letter::Reply { to, reply };
            self.send(Place::Store, Place::Dispatcher(desk), letter);
        }
    }

    /// Carries out the outputs of a dispatcher's machine. While it is not sure to hold
    /// the lease nothing leaves it.
    pub(super) fn carry_out_machine(
        &mut self,
        index: usize,
        now: Now,
        output: Output,
    ) -> Result<(), String> {
        let Some(mind) = &self.desks[index].mind else {
            return Ok(());
        };
        let is_held = mind.lease.is_held(now.time);
        match output {
            Output::Event(event) => self.note_event(index, &event),
            Output::StepDown { reason } => {
                self.note(|| format!("d{index} steps down: {reason}"));
                self.step_down(index, now);
            }
            Output::DoubtLease => self.doubt_lease(index)?,
            Output::Roles(output) => self.carry_out_roles(index, output, is_held),
            Output::Bury { record, .. } => return self.bury(index, record.sequence, is_held),
            Output::Drop(_)
            | Output::Learn(_)
            | Output::RecordDecision(_)
            | Output::PublishCapacity(_)
            | Output::SaveForecast { .. }
            | Output::Ping { .. }
            // A host starts a worker when the one before it has ended, and admits it.
            | Output::Admit { .. } => {}
            Output::SaveHistory { .. }
            | Output::ForgetHistory(_)
            | Output::Fetch { .. }
            | Output::Forward { .. }
            | Output::Ack { .. }
            | Output::GiveBack { .. }
            | Output::KeepAlive(_)
            | Output::Record(_)
            | Output::Confirm(_)
            | Output::AskReport { .. }
            | Output::Recover
                if !is_held => {}
            Output::SaveHistory { sequence, history } => {
                self.store.queue.histories.insert(sequence, history);
            }
            Output::ForgetHistory(sequence) => drop(self.store.queue.histories.remove(&sequence)),
            Output::Fetch { source, batch } => {
                self.ask(index, Question::Pull(source, batch));
            }
            Output::Ack { sequence, .. } => {
                self.ask(index, Question::Word(sequence, Word::Done));
            }
            Output::KeepAlive(ack) => {
                self.ask(index, Question::Word(ack.sequence(), Word::Working));
            }
            Output::GiveBack {
                sequence, delay, ..
            } => self.ask(index, Question::Word(sequence, Word::GiveBack(delay))),
            Output::AskReport { node, .. } => self.ask_report(index, &node),
            Output::Recover => self.ask(index, Question::Recover),
            Output::Record(record) => self.ask(index, Question::Record(record.sequence)),
            Output::Forward {
                node,
                assignment,
                deadline,
                roles,
                ..
            } => {
                // None of its categories has a time limit.
                let offer = agent::Offer {
                    assignment,
                    deadline,
                    time_limit: None,
                    roles,
                };
                self.forward(index, &node, offer);
            }
            Output::Confirm(reply) => self.confirm(index, &reply),
        }
        Ok(())
    }

    fn ask_report(&mut self, index: usize, node: &NodeId) {
        let to = self.host_of(node);
        self.post(Place::Dispatcher(index), to, Letter::AskReport);
    }

    fn forward(&mut self, index: usize, node: &NodeId, offer: agent::Offer) {
        let sender = (index, self.desks[index].life);
        let to = self.host_of(node);
        self.post(Place::Dispatcher(index), to, Letter::Job { sender, offer });
    }

    fn host_of(&self, node: &NodeId) -> Place {
        let to = self.hosts.iter().position(|host| host.node == *node);
        Place::Node(to.expect("only hosts send heartbeats"))
    }

    fn note_event(&mut self, index: usize, event: &Event) {
        if let Event::Roles(event) = event
            && let roles::Event::Finished(_) = **event
        {
            self.run.changes += 1;
        }
        self.note(|| format!("d{index} -- {event:?}"));
    }

    fn doubt_lease(&mut self, index: usize) -> Result<(), String> {
        self.tell_desk(index, |mind, now, said| {
            mind.handle_lease(now, lease::Input::Doubt, said);
        })
    }

    fn step_down(&mut self, index: usize, now: Now) {
        let desk = &mut self.desks[index];
        let incarnation = format!("d{index}-{}", desk.life);
        if let Some(mind) = &mut desk.mind {
            mind.step_down(now, incarnation);
        }
    }

    /// Stores the letter and the record as the shell does, or gives up.
    fn bury(&mut self, index: usize, sequence: Sequence, is_held: bool) -> Result<(), String> {
        let is_done = is_held && self.now >= self.store.queue.away_until;
        if is_done {
            self.store.queue.record(self.now, sequence);
            self.store.queue.answer(self.now, sequence, Word::Done)?;
        }
        let delay = if is_done { Duration::ZERO } else { GIVEN_UP };
        self.tell_later(index, delay, Input::Buried { sequence, is_done });
        Ok(())
    }

    /// Sends a machine a result of its shell later, unless it has ended by then.
    fn tell_later(&mut self, index: usize, delay: Duration, input: Input) {
        let Some(to) = self.asker(index) else {
            return;
        };
        let input = Box::new(input);
        let report = Due::Report { to, input };
        self.after(delay + Duration::from_millis(1), report);
    }

    fn carry_out_roles(&mut self, index: usize, output: roles::Output, is_held: bool) {
        match output {
            roles::Output::Read { request } if !is_held => {
                let input = Input::Roles(roles::Input::Unread { request });
                self.tell_later(index, Duration::ZERO, input);
            }
            roles::Output::Store { request, .. } if !is_held => {
                let result = Written::Unknown;
                let input = Input::Roles(roles::Input::Stored { request, result });
                self.tell_later(index, Duration::ZERO, input);
            }
            roles::Output::Assign { .. } if !is_held => {}
            roles::Output::Read { request } => self.ask(index, Question::ReadRoles(request)),
            roles::Output::Store {
                request,
                revision,
                document,
            } => self.ask(index, Question::WriteRoles(request, revision, document)),
            roles::Output::Assign { node, assignment } => {
                let sender = (index, self.desks[index].life);
                let to = self.host_of(&node);
                let letter = Letter::Assign { sender, assignment };
                self.post(Place::Dispatcher(index), to, letter);
            }
            roles::Output::Answer { .. } | roles::Output::Event(_) => {}
        }
    }

    /// Sends a worker's outcomes to the active dispatcher; the server reports if there is
    /// none.
    pub(super) fn send_outcomes(&mut self, node: usize, batch: u64, outcomes: &OutcomeBatch) {
        let life = self.hosts[node].life;
        let serves = |desk: &Desk| desk.mind.as_ref().is_some_and(Mind::leads);
        if !self.desks.iter().any(serves) {
            let input = agent::Input::Unreceived { batch };
            return self.after(Duration::from_millis(2), Due::Node { node, life, input });
        }
        let outcomes = outcomes.outcomes.iter().cloned();
        let outcomes = outcomes.filter_map(|mut outcome| Some((outcome.job.take()?, outcome)));
        let outcomes: Vec<(Assignment, Outcome)> = outcomes.collect();
        for desk in 0..self.desks.len() {
            let letter = Letter::Outcomes {
                node,
                reply: format!("{node}.{life}.{batch}"),
                outcomes: outcomes.clone(),
            };
            self.post(Place::Node(node), Place::Dispatcher(desk), letter);
        }
    }

    fn confirm(&mut self, index: usize, reply: &str) {
        let mut numbers = reply.split('.').map(str::parse::<u64>);
        let mut number = || numbers.next().and_then(Result::ok).expect("it is our own");
        let (node, life, batch) = (number(), number(), number());
        let node = usize::try_from(node).expect("it is an index");
        let life = u32::try_from(life).expect("it is a life");
        let letter = Letter::Confirm { life, batch };
        self.post(Place::Dispatcher(index), Place::Node(node), letter);
    }

    /// Answers as the server does for a node that does not listen.
    pub(super) fn bounce(&mut self, node: usize, sender: (usize, u32), offer: &agent::Offer) {
        let (desk, life) = sender;
        if self.desks[desk].life != life {
            return;
        }
        let node = self.hosts[node].node.clone();
        let assignment = offer.assignment.clone();
        let input = Input::Bounced { node, assignment };
        self.tell_later(desk, Duration::ZERO, input);
    }
}

pub(super) fn is_for_anybody(source: &Source) -> bool {
    let work = Category::new("work").expect("it is a category");
    source.category == work
}
