//! Results of a run, and the time limits that they must keep.

use std::time::Duration;

use rolecast_common::subjects::Source;

use super::clock::{Instantaneous, nanos};
use super::faults::FAULTS_END;
use super::host::category;
use super::queue::Queue;
use super::{BACKLOG_MAX, FLOW_MAX, LEADER_MAX, RECOVERY_MAX, Run};

#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) run: Run,
    /// The last time at which a role had not all its holders, or nobody led.
    incomplete_at: Instantaneous,
    /// The last time at which nobody led.
    leaderless_at: Instantaneous,
}

impl Results {
    pub(super) fn observe(&mut self, now: Instantaneous, is_led: bool, is_full: bool) {
        if !is_led || !is_full {
            self.incomplete_at = now;
        }
        if !is_led {
            self.leaderless_at = now;
        }
    }

    /// Checks the time limits at the end of a run.
    pub(super) fn finish(mut self, now: Instantaneous, queue: &Queue) -> Result<Run, String> {
        let healed = nanos(FAULTS_END);
        self.run.recovery = Duration::from_nanos(self.incomplete_at.saturating_sub(healed));
        self.run.unled = Duration::from_nanos(self.leaderless_at.saturating_sub(healed));
        if self.run.unled > LEADER_MAX {
            return Err(format!(
                "nobody led {:.1?} after the faults",
                self.run.unled
            ));
        }
        if self.run.recovery > RECOVERY_MAX {
            let recovery = self.run.recovery;
            return Err(format!("not all was well {recovery:.1?} after the faults"));
        }
        self.check_flow(healed, now, queue)?;
        Ok(self.run)
    }

    /// Checks that jobs flow: those that only the dispatcher can delay, and that none is
    /// left of the earlier ones.
    fn check_flow(
        &mut self,
        healed: Instantaneous,
        now: Instantaneous,
        queue: &Queue,
    ) -> Result<(), String> {
        let last = now - nanos(FLOW_MAX);
        let (flow, slowest) = queue.longest(healed, now, |at, source| {
            (healed..last).contains(&at) && is_for_any_node(source)
        });
        let (backlog, oldest) = queue.longest(healed, now, |at, _| at < healed);
        (self.run.flow, self.run.backlog) = (flow, backlog);
        self.run.recorded = queue.recorded();
        if flow > FLOW_MAX {
            return Err(format!("job {slowest:?} was not recorded for {flow:.1?}"));
        }
        if backlog > BACKLOG_MAX {
            return Err(format!(
                "job {oldest:?} was not recorded {backlog:.1?} after the faults"
            ));
        }
        Ok(())
    }
}

fn is_for_any_node(source: &Source) -> bool {
    source.category == category("work")
}
