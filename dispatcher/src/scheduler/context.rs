//! The context of one input: its time, and the commands that follow from it.

use rolecast_common::id::Epoch;
use rolecast_common::time::Now;

use super::output::{Event, Output};

#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) now: Now,
    /// The epoch under which this dispatcher leads, or led last.
    pub(super) epoch: Epoch,
    out: &'a mut Vec<Output>,
}

impl<'a> Context<'a> {
    pub(super) fn new(now: Now, epoch: Epoch, out: &'a mut Vec<Output>) -> Self {
        Self { now, epoch, out }
    }

    pub(super) fn push(&mut self, output: Output) {
        self.out.push(output);
    }

    pub(super) fn extend(&mut self, outputs: impl IntoIterator<Item = Output>) {
        self.out.extend(outputs);
    }

    pub(super) fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }
}
