//! Cancelled jobs that wait in the stream for another delivery: each is recorded, then
//! deleted there.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::Sequence;
use rolecast_common::time::Time;
use rolecast_common::wire::Record;

use crate::scheduler::cancel::CancelOutput;
use crate::scheduler::context::Context;
use crate::scheduler::output::Output;

/// Delay before a removal that failed is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Removals at once, each with three requests: enough to use the connection, few enough to
/// be fair.
const AT_ONCE_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Removals(BTreeMap<Sequence, Removal>);

#[derive(Debug)]
struct Removal {
    record: Box<Record>,
    /// The time of the next try; `None` while one is made.
    again: Option<Time>,
}

impl Removals {
    pub(super) fn contains(&self, sequence: Sequence) -> bool {
        self.0.contains_key(&sequence)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one more may begin.
    pub(super) fn has_room(&self) -> bool {
        self.0.len() < AT_ONCE_MAX
    }

    pub(super) fn begin(&mut self, cx: &mut Context<'_>, record: Record) {
        let (record, again) = (Box::new(record), None);
        let remove = CancelOutput::Remove(record.clone());
        self.0.insert(record.sequence, Removal { record, again });
        cx.push(Output::Cancel(remove));
    }

    /// Takes the result of a try; returns the record of a job that is removed.
    pub(super) fn end(&mut self, now: Time, sequence: Sequence, is_done: bool) -> Option<Record> {
        if is_done {
            return self.0.remove(&sequence).map(|removal| *removal.record);
        }
        if let Some(removal) = self.0.get_mut(&sequence) {
            removal.again = Some(now + RETRY_DELAY);
        }
        None
    }

    /// Repeats what failed.
    pub(super) fn sweep(&mut self, cx: &mut Context<'_>) {
        let now = cx.now.time;
        for removal in self.0.values_mut() {
            if removal.again.take_if(|again| *again <= now).is_some() {
                let remove = CancelOutput::Remove(removal.record.clone());
                cx.push(Output::Cancel(remove));
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
