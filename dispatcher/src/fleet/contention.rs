//! Contention on a node: the joint use of its jobs against the averages of their categories,
//! and the use that others would have if they had the CPU to themselves.
//!
//! On a full node neither jobs nor others show what they need, only what they get. Jobs
//! want at least that, and others that share fairly with them get an equally small part of
//! what they want.

use std::time::Duration;

use rolecast_common::resource::Resource;
use rolecast_common::unit::{Cores, Resources};
use rolecast_common::wire::Usage;

use crate::placement::{Amounts, amounts};

/// Use of the CPU above which a node does not show what its jobs need, only what they
/// get.
const CALIBRATION_USE_MAX: f64 = 0.9;
/// Time until half of the use beyond the average of a node's jobs, when it was last
/// visible, is assumed to have ended. Guessed: between seconds and minutes.
const SURPLUS_HALF_LIFE: Duration = Duration::from_secs(7);
/// Cores by which the use of jobs may be off for other reasons than being squeezed.
const SQUEEZE_PRIOR: f32 = 0.1;
/// The largest factor by which others are assumed to be squeezed.
const SQUEEZE_MAX: f32 = 4.0;

/// Whether the node's CPU is so busy that it shows only what its jobs get.
pub(super) fn is_full(usage: &Usage, capacity: Resources) -> bool {
    usage.total.cpu.get() > CALIBRATION_USE_MAX * capacity.cpu.get()
}

/// The joint use of a node's jobs since its last heartbeat.
#[derive(Debug)]
pub(super) struct JointUse {
    jobs: Amounts,
    /// Their use beyond the averages of their categories.
    error: Amounts,
    /// The sum of the squares of the numbers of jobs.
    squares: f32,
}

impl JointUse {
    /// Compares the use with the mean number of jobs of each category and their average
    /// use.
    pub(super) fn new(used: Resources, counts: impl Iterator<Item = (f32, Amounts)>) -> Self {
        let jobs = amounts(used);
        let (mut error, mut squares) = (jobs, 0.0);
        for (count, average) in counts {
            for (left, needed) in error.iter_mut().zip(average) {
                *left -= count * needed;
            }
            squares += count * count;
        }
        Self {
            jobs,
            error,
            squares,
        }
    }

    pub(super) fn error(&self) -> &Amounts {
        &self.error
    }

    pub(super) fn squares(&self) -> f32 {
        self.squares
    }

    /// Returns the cores that jobs use beyond average.
    pub(super) fn surplus(&self) -> f32 {
        self.error[Resource::Cpu]
    }

    /// Returns the cores that jobs want beyond average on a full node, which they wanted
    /// `before` when it was visible, so long ago.
    pub(super) fn hidden_surplus(&self, before: f32, passed: Duration) -> f32 {
        let halves = passed.as_secs_f32() / SURPLUS_HALF_LIFE.as_secs_f32();
        self.error[Resource::Cpu].max(before * (-halves).exp2())
    }

    /// Returns the cores that others want on a full node, who get this many. They share
    /// fairly, except for the share by which they have priority.
    pub(super) fn wanted_by_others(&self, got: Cores, surplus: f32, priority_share: f32) -> Cores {
        let wanted = self.jobs[Resource::Cpu] - self.error[Resource::Cpu] + surplus;
        let fair = 1.0 - priority_share;
        let squeeze = 1.0 + fair * (squeeze(wanted, self.jobs[Resource::Cpu]) - 1.0);
        Cores::clamped(got.get() * f64::from(squeeze))
    }
}

/// Returns the ratio of what jobs want to what they get.
fn squeeze(wanted: f32, got: f32) -> f32 {
    ((wanted + SQUEEZE_PRIOR) / (got + SQUEEZE_PRIOR)).clamp(1.0, SQUEEZE_MAX)
}
