//! Execution of the scheduler's commands about cancels.

use rolecast_common::subjects;
use rolecast_common::wire::{AttemptCancel, CancelAnswer, CancelFate, Encoding, encode};

use super::api;
use super::leader::Leader;
use crate::scheduler::{CancelInput, CancelOutput, Input};

impl Leader {
    pub(super) async fn carry_out_cancel(
        &mut self,
        output: CancelOutput,
        may_send: bool,
    ) -> anyhow::Result<()> {
        match output {
            CancelOutput::Answer { id, answer } => self.answer_cancel(id, answer),
            CancelOutput::Store { id, .. } if !may_send => {
                let why = "this dispatcher has lost NATS or the lease; try again".to_owned();
                let result = Err(why);
                let stored = CancelInput::Stored { id, result };
                self.tasks.report(Input::Cancel(stored));
            }
            CancelOutput::Remove(record) if !may_send => {
                let (sequence, is_done) = (record.sequence, false);
                let removed = CancelInput::Removed { sequence, is_done };
                self.tasks.report(Input::Cancel(removed));
            }
            CancelOutput::Forget(_) | CancelOutput::Stop { .. } if !may_send => {}
            CancelOutput::Store { id, cancel } => self.tasks.store_cancel(id, *cancel),
            CancelOutput::Forget(job) => self.tasks.forget_cancel(job),
            CancelOutput::Remove(record) => self.tasks.remove_cancelled(record),
            CancelOutput::Stop { node, order } => {
                let payload = encode::<AttemptCancel>(Encoding::MessagePack, &order);
                let subject = subjects::node_cancel(&node);
                self.outbox.publish(&subject, payload).await?;
            }
        }
        Ok(())
    }

    fn answer_cancel(&mut self, id: u64, answer: Result<Box<CancelAnswer>, String>) {
        let Some(request) = self.requests.take_cancel(id) else {
            return;
        };
        let streams = self.streams.clone();
        match answer {
            Err(why) => drop(tokio::spawn(api::refuse(streams, why, request))),
            Ok(answer) if answer.fate == Some(CancelFate::Pending) => {
                self.tasks.answer_pending(streams, *answer, request);
            }
            Ok(answer) => drop(tokio::spawn(api::answer(streams, *answer, request))),
        }
    }
}
