//! A job that cannot be sent to any node: with the headers added for the node it is
//! larger than the server takes.

use rolecast_common::id::{Attempt, Sequence};
use rolecast_common::wire::RecordStatus;

use super::{Context, Scheduler, State};

impl Scheduler {
    /// Dead-letters the job. It never reached its node, which is not to blame.
    pub(super) fn bury_unsendable(
        &mut self,
        cx: &mut Context<'_>,
        sequence: Sequence,
        attempt: Attempt,
        why: String,
    ) {
        let Some(job) = self.jobs.get_mut(&sequence) else {
            return;
        };
        let State::Running { node, .. } = &job.state else {
            return;
        };
        if job.attempt != attempt.get() {
            return;
        }
        self.fleet.release(cx.now.time, node, sequence);
        job.attempt -= 1;
        let job = self.jobs.remove(&sequence).expect("it was just found");
        self.give_up(cx, job, RecordStatus::Dead, why);
    }
}
