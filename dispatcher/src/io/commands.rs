//! Execution of the scheduler's commands.

use rolecast_common::assignment::Ack;
use rolecast_common::subjects::{self, PING_FOR_REPORT};
use rolecast_common::wire::{Encoding, Record, encode};

use super::leader::Leader;
use crate::lease::Written;
use crate::roles;
use crate::scheduler::{Input, Output};

impl Leader {
    /// Carries a command out. One that must not be late is dropped unless `may_send`: the
    /// scheduler repeats it.
    pub(super) async fn carry_out(&mut self, output: Output, may_send: bool) -> anyhow::Result<()> {
        match output {
            Output::Event(event) => self.events.report(self.now, &event),
            Output::StepDown { reason } => self.stepped_down = Some(reason),
            Output::DoubtLease => self.lease.doubt(),
            Output::Drop(sequence) => drop(self.outbox.release(sequence)),
            // Another dispatcher may lead: the results of these jobs are its to report.
            Output::SaveHistory { .. } | Output::ForgetHistory(_) if !self.leads() => {}
            Output::DeadLetter { record, .. } if !self.leads() => {
                let (sequence, is_done) = (record.sequence, false);
                self.tasks.report(Input::DeadLettered { sequence, is_done });
            }
            Output::SaveHistory { sequence, history } => {
                self.tasks.save_history(sequence, Some(history));
            }
            Output::ForgetHistory(sequence) => self.tasks.save_history(sequence, None),
            Output::Trace(spans) => self.outbox.trace(spans),
            Output::Learn(lessons) => self.tasks.learn(lessons),
            Output::DeadLetter { record, ack } => self.dead_letter(record, ack),
            Output::Cancel(output) => self.carry_out_cancel(output, may_send).await?,
            Output::Roles(output) => self.carry_out_roles(output, may_send).await?,
            Output::Forward { .. } if !may_send => self.report_unsent(&output),
            Output::Ack { sequence, .. } | Output::GiveBack { sequence, .. } if !may_send => {
                drop(self.outbox.release(sequence));
            }
            Output::Fetch { .. }
            | Output::Ping { .. }
            | Output::AskReport { .. }
            | Output::Recover
            | Output::KeepAlive(_)
            | Output::Record(_)
            | Output::Confirm(_)
            | Output::Admit { .. }
            | Output::PublishCapacity(_)
            | Output::RecordDecision(_)
            | Output::StoreLog(_)
            | Output::SaveForecast { .. }
                if !may_send => {}
            Output::PublishCapacity(map) => self.tasks.publish_capacity(map),
            Output::SaveForecast { node, bytes } => self.tasks.save_forecast(&node, bytes),
            Output::Recover => self.recover(),
            Output::RecordDecision(decision) => self.outbox.record_decision(&decision).await?,
            Output::StoreLog(log) => self.outbox.store_log(*log).await?,
            Output::Forward { .. } => self.forward(output).await?,
            Output::Fetch { source, batch } => self.outbox.fetch(&source, batch).await?,
            Output::Ping { node, number } => self.outbox.ping(node, number, "").await?,
            Output::AskReport { node, number } => {
                self.outbox.ping(node, number, PING_FOR_REPORT).await?;
            }
            Output::Record(record) => self.outbox.record(&record).await?,
            Output::Ack { sequence, ack } => self.outbox.acknowledge(sequence, &ack).await?,
            Output::KeepAlive(ack) => self.outbox.publish(ack.as_str(), "+WPI").await?,
            Output::GiveBack {
                sequence,
                ack,
                delay,
            } => {
                let now = self.now.time;
                self.outbox.give_back(now, sequence, ack, delay).await?;
            }
            Output::Confirm(reply) => self.outbox.publish(&reply, "").await?,
            Output::Admit { node, admission } => {
                let payload = encode(Encoding::MessagePack, &*admission);
                let subject = subjects::node_admission(&node);
                self.outbox.publish(&subject, payload).await?;
            }
        }
        Ok(())
    }

    fn dead_letter(&mut self, record: Box<Record>, ack: Option<Ack>) {
        let message = self.outbox.release(record.sequence);
        self.tasks.dead_letter(record, ack, message);
    }

    fn recover(&mut self) {
        self.outbox.begin_recovery();
        self.tasks.recover();
    }

    fn report_unsent(&self, output: &Output) {
        let Output::Forward {
            sequence,
            assignment,
            ..
        } = output
        else {
            return;
        };
        self.tasks.report(Input::Unsent {
            sequence: *sequence,
            attempt: assignment.attempt(),
        });
    }

    async fn forward(&mut self, output: Output) -> anyhow::Result<()> {
        if let Some(input) = self.outbox.forward(output).await? {
            self.tasks.report(input);
        }
        Ok(())
    }

    async fn carry_out_roles(
        &mut self,
        output: roles::Output,
        may_send: bool,
    ) -> anyhow::Result<()> {
        use roles::{Input as RolesInput, Output as RolesOutput};

        match output {
            RolesOutput::Read { request } if !may_send => {
                let unread = RolesInput::Unread { request };
                self.tasks.report(Input::Roles(unread));
            }
            RolesOutput::Store { request, .. } if !may_send => {
                let result = Written::Unknown;
                let stored = RolesInput::Stored { request, result };
                self.tasks.report(Input::Roles(stored));
            }
            RolesOutput::Assign { .. } if !may_send => {}
            RolesOutput::Read { request } => self.tasks.read_roles(request),
            RolesOutput::Store {
                request,
                revision,
                document,
            } => self.tasks.store_roles(request, revision, document),
            RolesOutput::Assign { node, assignment } => {
                let payload = encode(Encoding::MessagePack, &assignment);
                let subject = subjects::node_roles(&node);
                self.outbox.publish(&subject, payload).await?;
            }
            RolesOutput::Answer { id, result } => {
                self.requests.answer_order(&self.streams, id, result);
            }
            RolesOutput::Event(_) => {}
        }
        Ok(())
    }
}
