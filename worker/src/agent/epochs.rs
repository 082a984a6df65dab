//! Epochs that this node has seen: it follows the largest.

use rolecast_common::id::Epoch;

use super::output::Output;

#[derive(Debug)]
pub(super) struct Epochs {
    largest: Epoch,
    /// The epoch of the dispatcher that last reported that there was never such an epoch.
    refuted_by: Option<Epoch>,
}

impl Epochs {
    pub(super) fn new(largest: Epoch) -> Self {
        Self {
            largest,
            refuted_by: None,
        }
    }

    pub(super) fn largest(&self) -> Epoch {
        self.largest
    }

    /// Records an epoch; returns whether it is not below the largest seen, and can be an
    /// epoch of a dispatcher.
    pub(super) fn see(&mut self, epoch: Epoch, out: &mut Vec<Output>) -> bool {
        if epoch > self.largest && self.largest.may_reach(epoch) {
            self.largest = epoch;
            out.push(Output::KeepEpoch(epoch));
        }
        epoch == self.largest
    }

    /// Records a dispatcher's report that there was never the epoch `refuted`; returns
    /// whether that is the one followed here, and the report is new. The epoch is
    /// followed anyway.
    pub(super) fn record_refuted(&mut self, by: Epoch, refuted: Epoch) -> bool {
        let is_news = refuted == self.largest && by < refuted && self.refuted_by != Some(by);
        if is_news {
            self.refuted_by = Some(by);
        }
        is_news
    }
}
