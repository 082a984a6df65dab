//! Outputs of processes, carried out as their shells do.

use std::time::Duration;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{NodeId, Role, Sequence};
use rolecast_common::time::{Now, WallTime};
use rolecast_common::wire::{Outcome, OutcomeBatch, OutcomeStatus, Record};
use rolecast_dispatcher::lease::{self, Written};
use rolecast_dispatcher::roles;
use rolecast_dispatcher::scheduler::{self, Input, Output};
use rolecast_worker::agent;

use super::super::checks::Checks;
use super::super::dispatcher::{Dispatcher, Outputs, Running};
use super::super::faults::Faults;
use super::super::message::{AckKind, Message, Request, Sender};
use super::super::network::Place;
use super::super::schedule::Event;
use super::{World, shorten};

/// Time limit of a request in the shell.
const GIVEN_UP: Duration = Duration::from_secs(2);

impl World {
    pub(super) fn carry_out_node(
        &mut self,
        node: usize,
        now: Now,
        output: agent::Output,
        offered: &[Role],
    ) -> Result<(), String> {
        let host = &mut self.hosts[node];
        let life = host.life;
        match output {
            agent::Output::Start { run, .. } => {
                let agent = host.agent.as_ref().expect("it has just acted");
                let is_allowed = offered.iter().any(|role| agent.acts_in(now.time, role));
                if !offered.is_empty() && !is_allowed {
                    let node = &host.node;
                    return Err(format!("a job for {offered:?} starts at {node}"));
                }
                self.results.run.job_starts += 1;
                let input = agent::Input::Ended(vec![completed(run)]);
                self.after(
                    Duration::from_millis(300),
                    Event::Node { node, life, input },
                );
            }
            agent::Output::SendOutcomes { batch, outcomes } => {
                self.send_outcomes(node, batch, &outcomes);
            }
            agent::Output::KeepEpoch(epoch) => host.epoch_kept = epoch,
            agent::Output::Hook { run, old, new } => self.run_hook(node, run, old, new),
            agent::Output::Heartbeat(heartbeat) => {
                Checks::heartbeat(host, heartbeat.epoch)?;
                host.epoch_reported = heartbeat.epoch;
                host.last_heartbeat = Some((*heartbeat).clone());
                for dispatcher in 0..self.dispatchers.len() {
                    let message = Message::Heartbeat(heartbeat.clone());
                    self.post(Place::Node(node), Place::Dispatcher(dispatcher), message);
                }
            }
            // Here no two workers have the same name, and jobs are for those that hold
            // roles.
            agent::Output::Listen => {}
            agent::Output::Exit | agent::Output::Fail(_) => {
                host.agent = None;
                let away = host.away;
                self.after(away, Event::Start(Place::Node(node)));
            }
            agent::Output::Stop(_) | agent::Output::Cancel(_) => {}
            agent::Output::Event(event) => {
                let node = &host.node;
                let text = || format!("{node} -- {}", shorten(&format!("{event:?}")));
                self.environment.record(text);
            }
        }
        Ok(())
    }

    fn run_hook(&mut self, node: usize, run: agent::HookRun, old: Vec<Role>, new: Vec<Role>) {
        let host = &mut self.hosts[node];
        let (name, life) = (&host.node, host.life);
        let (length, result) = host.draw_hook(&mut self.environment.rng, self.hook_failure);
        self.environment.record(|| {
            format!("{name} runs the hook: {old:?} to {new:?}, {length} us, {result:?}")
        });
        host.service.begin_hook(run, old, new);
        let input = agent::Input::HookEnded { run, result };
        let length = Duration::from_micros(length);
        self.after(length, Event::Node { node, life, input });
    }

    /// Sends a worker's outcomes to the active dispatcher; the server reports if there is
    /// none.
    fn send_outcomes(&mut self, node: usize, batch: u64, outcomes: &OutcomeBatch) {
        let life = self.hosts[node].life;
        let leads = |dispatcher: &Dispatcher| {
            let running = dispatcher.running.as_ref();
            running.is_some_and(Running::leads)
        };
        if !self.dispatchers.iter().any(leads) {
            let input = agent::Input::Unreceived { batch };
            return self.after(Duration::from_millis(2), Event::Node { node, life, input });
        }
        let outcomes = outcomes.outcomes.iter().cloned();
        let outcomes = outcomes.filter_map(|mut outcome| Some((outcome.job.take()?, outcome)));
        let outcomes: Vec<(Assignment, Outcome)> = outcomes.collect();
        for dispatcher in 0..self.dispatchers.len() {
            let message = Message::Outcomes {
                node,
                reply: format!("{node}.{life}.{batch}"),
                outcomes: outcomes.clone(),
            };
            self.post(Place::Node(node), Place::Dispatcher(dispatcher), message);
        }
    }

    pub(super) fn carry_out_dispatcher(
        &mut self,
        index: usize,
        now: Now,
        out: Outputs,
    ) -> Result<(), String> {
        for output in out.lease {
            let request = match output {
                lease::Output::Read { asked } => Request::ReadLease(asked),
                lease::Output::Write {
                    asked,
                    revision,
                    record,
                } => Request::WriteLease(asked, revision, record),
                lease::Output::Lead { epoch, .. } => {
                    let now = self.environment.now();
                    self.environment
                        .record(|| format!("d{index} -- {output:?}"));
                    let may_change = self.scenario.faults == Faults::All;
                    let leader = (index, self.dispatchers[index].life);
                    self.checks.leader(now, epoch, leader, may_change)?;
                    continue;
                }
                lease::Output::StepDown { .. }
                | lease::Output::RolledBack { .. }
                | lease::Output::Lost
                | lease::Output::Unreadable { .. } => {
                    self.environment
                        .record(|| format!("d{index} -- {output:?}"));
                    continue;
                }
            };
            self.request(index, request);
        }
        if out.sets_up {
            self.request(index, Request::Histories);
        }
        for output in out.machine {
            self.carry_out_machine(index, now, output)?;
        }
        Ok(())
    }

    /// Carries out the outputs of a dispatcher's scheduler. While it is not sure to hold
    /// the lease nothing leaves it.
    fn carry_out_machine(&mut self, index: usize, now: Now, output: Output) -> Result<(), String> {
        let Some(running) = &self.dispatchers[index].running else {
            return Ok(());
        };
        let is_held = running.lease.is_held(now.time);
        match output {
            Output::Event(event) => self.record_event(index, &event),
            Output::StepDown { reason } => self.step_down(index, now, &reason),
            Output::DoubtLease => return self.doubt_lease(index),
            Output::Roles(output) => self.carry_out_roles(index, output, is_held),
            Output::DeadLetter { record, .. } => return self.dead_letter(index, &record, is_held),
            Output::Drop(_)
            | Output::Cancel(_)
            | Output::Learn(_)
            | Output::RecordDecision(_)
            | Output::Trace(_)
            | Output::StoreLog(_)
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
            Output::Fetch { source, batch } => self.request(index, Request::Pull(source, batch)),
            Output::Ack { sequence, .. } => self.acknowledge(index, sequence, AckKind::Done),
            Output::KeepAlive(ack) => {
                self.acknowledge(index, ack.sequence(), AckKind::InProgress);
            }
            Output::GiveBack {
                sequence, delay, ..
            } => self.acknowledge(index, sequence, AckKind::GiveBack(delay)),
            Output::AskReport { node, .. } => self.post_to(index, &node, Message::AskReport),
            Output::Recover => self.request(index, Request::Recover),
            Output::Record(record) => self.request(index, Request::Record(record.sequence)),
            Output::Forward {
                node,
                assignment,
                deadline,
                roles,
                ..
            } => {
                self.send_job(index, &node, offer(assignment, deadline, roles));
            }
            Output::Confirm(reply) => self.confirm(index, &reply),
        }
        Ok(())
    }

    fn acknowledge(&mut self, index: usize, sequence: Sequence, kind: AckKind) {
        self.request(index, Request::Acknowledge(sequence, kind));
    }

    /// Sends a node a message of a dispatcher.
    fn post_to(&mut self, index: usize, node: &NodeId, message: Message) {
        let to = self.hosts.iter().position(|host| host.node == *node);
        let to = Place::Node(to.expect("only hosts send heartbeats"));
        self.post(Place::Dispatcher(index), to, message);
    }

    fn send_job(&mut self, index: usize, node: &NodeId, offer: agent::Offer) {
        let sender = self.sender(index);
        self.post_to(index, node, Message::Job { sender, offer });
    }

    fn sender(&self, index: usize) -> Sender {
        (index, self.dispatchers[index].life)
    }

    fn record_event(&mut self, index: usize, event: &scheduler::Event) {
        if let scheduler::Event::Roles(event) = event
            && let roles::Event::Finished(_) = **event
        {
            self.results.run.changes += 1;
        }
        self.environment.record(|| format!("d{index} -- {event:?}"));
    }

    fn doubt_lease(&mut self, index: usize) -> Result<(), String> {
        self.drive_dispatcher(index, |running, now, out| {
            running.handle_lease(now, lease::Input::Doubt, out);
        })
    }

    fn step_down(&mut self, index: usize, now: Now, reason: &str) {
        self.environment
            .record(|| format!("d{index} steps down: {reason}"));
        let dispatcher = &mut self.dispatchers[index];
        let incarnation = format!("d{index}-{}", dispatcher.life);
        if let Some(running) = &mut dispatcher.running {
            running.step_down(now, incarnation);
        }
    }

    /// Stores the dead letter and the record as the shell does, or gives up.
    fn dead_letter(&mut self, index: usize, record: &Record, is_held: bool) -> Result<(), String> {
        let (now, sequence) = (self.environment.now(), record.sequence);
        let is_done = is_held && now >= self.store.queue.away_until;
        if is_done {
            self.store.queue.record(now, sequence);
            self.store.queue.acknowledge(now, sequence, AckKind::Done)?;
        }
        let delay = if is_done { Duration::ZERO } else { GIVEN_UP };
        self.report_later(index, delay, Input::DeadLettered { sequence, is_done });
        Ok(())
    }

    /// Sends a scheduler a result of its shell later, unless it has ended by then.
    fn report_later(&mut self, index: usize, delay: Duration, input: Input) {
        let Some(to) = self.requester(index) else {
            return;
        };
        let input = Box::new(input);
        let report = Event::Report { to, input };
        self.after(delay + Duration::from_millis(1), report);
    }

    fn carry_out_roles(&mut self, index: usize, output: roles::Output, is_held: bool) {
        match output {
            roles::Output::Read { request } if !is_held => {
                let input = Input::Roles(roles::Input::Unread { request });
                self.report_later(index, Duration::ZERO, input);
            }
            roles::Output::Store { request, .. } if !is_held => {
                let result = Written::Unknown;
                let input = Input::Roles(roles::Input::Stored { request, result });
                self.report_later(index, Duration::ZERO, input);
            }
            roles::Output::Assign { .. } if !is_held => {}
            roles::Output::Read { request } => self.request(index, Request::ReadRoles(request)),
            roles::Output::Store {
                request,
                revision,
                document,
            } => self.request(index, Request::WriteRoles(request, revision, document)),
            roles::Output::Assign { node, assignment } => {
                let sender = self.sender(index);
                self.post_to(index, &node, Message::Assign { sender, assignment });
            }
            roles::Output::Answer { .. } | roles::Output::Event(_) => {}
        }
    }

    fn confirm(&mut self, index: usize, reply: &str) {
        let mut numbers = reply.split('.').map(str::parse::<u64>);
        let mut number = || numbers.next().and_then(Result::ok).expect("it is our own");
        let (node, life, batch) = (number(), number(), number());
        let node = usize::try_from(node).expect("it is an index");
        let life = u32::try_from(life).expect("it is a life");
        let message = Message::Confirm { life, batch };
        self.post(Place::Dispatcher(index), Place::Node(node), message);
    }

    /// Answers as the server does for a node that does not listen.
    pub(super) fn bounce(&mut self, node: usize, sender: Sender, offer: &agent::Offer) {
        let (dispatcher, life) = sender;
        if self.dispatchers[dispatcher].life != life {
            return;
        }
        let node = self.hosts[node].node.clone();
        let assignment = offer.assignment.clone();
        let input = Input::Bounced { node, assignment };
        self.report_later(dispatcher, Duration::ZERO, input);
    }
}

/// Returns the offer of a job; no category has a time limit, and no job a trace.
pub(super) fn offer(
    assignment: Assignment,
    deadline: Option<WallTime>,
    roles: Vec<Role>,
) -> agent::Offer {
    agent::Offer {
        assignment,
        deadline,
        time_limit: None,
        roles,
        trace: None,
    }
}

/// Returns the end of a job that did nothing.
fn completed(run: agent::Run) -> agent::Ended {
    agent::Ended {
        run,
        status: OutcomeStatus::Completed,
        reason: String::new(),
        failure: None,
        output: Default::default(),
        output_truncated: false,
        log: bytes::Bytes::new(),
        log_truncated: false,
        length: Duration::from_millis(1),
        usage: Default::default(),
    }
}
