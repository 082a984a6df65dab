//! Workers' requests that wait for their outcomes to be settled.

use foldhash::HashMap;

use crate::scheduler::context::Context;
use crate::scheduler::output::Output;

/// The most requests remembered; workers repeat what is not answered.
const OPEN_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Confirmations {
    open: HashMap<u64, Confirmation>,
    last: u64,
}

#[derive(Debug)]
struct Confirmation {
    reply: String,
    open: usize,
}

impl Confirmations {
    /// Records a request with this many outcomes; returns its number.
    pub(super) fn open(&mut self, reply: String, outcomes: usize) -> u64 {
        self.last += 1;
        let open = outcomes;
        self.open.insert(self.last, Confirmation { reply, open });
        self.last
    }

    /// Counts one outcome of the request as settled; answers when all are.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, number: Option<u64>) {
        let Some(number) = number else {
            return;
        };
        let Some(confirmation) = self.open.get_mut(&number) else {
            return;
        };
        confirmation.open = confirmation.open.saturating_sub(1);
        if confirmation.open == 0
            && let Some(done) = self.open.remove(&number)
        {
            cx.push(Output::Confirm(done.reply));
        }
    }

    /// Forgets a request that nobody waits for.
    pub(super) fn forget(&mut self, number: Option<u64>) {
        number.map(|number| self.open.remove(&number));
    }

    /// Forgets them all if they are too many.
    pub(super) fn limit(&mut self) {
        if self.open.len() > OPEN_MAX {
            self.open.clear();
        }
    }
}
