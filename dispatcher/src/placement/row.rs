//! The figures of one node on the board, and the check whether it can take a job of a
//! category.

use rolecast_common::resource::Resource;

use super::cost::{self, Amounts, Estimate, Needs, NodeFigures, Outlook};
use super::fit::{Availability, Claim, Fit, Obstacle};
use super::index::Slot;
use super::jobs::Jobs;

/// One node, or a free place for one.
#[derive(Clone, Debug)]
pub(super) struct Row {
    figures: NodeFigures,
    availability: Availability,
    /// Whether a node is there: its slot may be free.
    is_used: bool,
    jobs: u32,
    jobs_max: u32,
    /// Whether it is kept for jobs that must run alone.
    is_kept: bool,
    /// The sum of the squared deviations of its jobs' memory.
    memory_variance: f32,
}

impl Row {
    pub(super) fn new(figures: NodeFigures) -> Self {
        Self {
            figures,
            availability: Availability::Open,
            is_used: true,
            jobs: 0,
            jobs_max: 0,
            is_kept: false,
            memory_variance: 0.0,
        }
    }

    /// Removes the node; its place is free.
    pub(super) fn clear(&mut self) {
        self.availability = Availability::Gone;
        self.is_used = false;
        self.figures.memory_claimed = 0.0;
        self.is_kept = false;
    }

    pub(super) fn is_used(&self) -> bool {
        self.is_used
    }

    pub(super) fn figures(&self) -> &NodeFigures {
        &self.figures
    }

    pub(super) fn figures_mut(&mut self) -> &mut NodeFigures {
        &mut self.figures
    }

    pub(super) fn jobs(&self) -> u32 {
        self.jobs
    }

    /// Sets the state of the node; returns whether it changed.
    pub(super) fn set_availability(&mut self, availability: Availability) -> bool {
        std::mem::replace(&mut self.availability, availability) != availability
    }

    /// Sets the most jobs that it runs at a time; returns whether that changed.
    pub(super) fn set_jobs_max(&mut self, jobs_max: u32) -> bool {
        std::mem::replace(&mut self.jobs_max, jobs_max) != jobs_max
    }

    /// Sets whether it is kept for jobs that must run alone; returns whether that changed.
    pub(super) fn set_kept(&mut self, is_kept: bool) -> bool {
        std::mem::replace(&mut self.is_kept, is_kept) != is_kept
    }

    /// Recomputes the reservations from the jobs of all categories on the node.
    pub(super) fn settle<'a>(
        &mut self,
        slot: Slot,
        categories: impl Iterator<Item = &'a Jobs>,
        measured: &Amounts,
        surplus: f32,
    ) {
        let mut reserved = Amounts::default();
        let mut variance = 0.0;
        for jobs in categories {
            let count = number(jobs.count(slot));
            let needs = jobs.needs();
            for (sum, average) in reserved.iter_mut().zip(needs.average) {
                *sum += count * average;
            }
            variance += count * needs.memory_peak * needs.memory_peak;
        }
        if self.jobs > 0 {
            reserved[Resource::Cpu] = (reserved[Resource::Cpu] + surplus).max(0.0);
        }
        self.figures.reserved = reserved;
        self.figures.memory_excess =
            (measured[Resource::Memory] - reserved[Resource::Memory]).max(0.0);
        self.memory_variance = variance;
        self.figures.memory_spread = variance.sqrt();
    }

    /// Reserves the needs of one more job.
    pub(super) fn reserve(&mut self, needs: &Needs) {
        self.jobs += 1;
        for (sum, average) in self.figures.reserved.iter_mut().zip(needs.average) {
            *sum += average;
        }
        self.memory_variance += needs.memory_peak * needs.memory_peak;
        self.figures.memory_spread = self.memory_variance.sqrt();
    }

    /// Releases the needs of a job. `lingers` keeps its memory until the next heartbeat.
    pub(super) fn release(&mut self, needs: &Needs, lingers: bool) {
        self.jobs = self.jobs.saturating_sub(1);
        for (sum, average) in self.figures.reserved.iter_mut().zip(needs.average) {
            *sum = (*sum - average).max(0.0);
        }
        self.memory_variance -= needs.memory_peak * needs.memory_peak;
        self.memory_variance = self.memory_variance.max(0.0);
        if self.jobs == 0 {
            // Rounding must leave nothing behind on an idle node.
            self.figures.reserved = Amounts::default();
            self.memory_variance = 0.0;
        }
        self.figures.memory_spread = self.memory_variance.sqrt();
        if lingers {
            self.figures.memory_excess += needs.average[Resource::Memory];
        }
    }

    /// Returns the number of further jobs of the category that it could start.
    pub(super) fn free_jobs(&self, slot: Slot, fit: Fit, jobs: &Jobs) -> u32 {
        let total = self.jobs_max.saturating_sub(self.jobs);
        total.min(fit.jobs_max.saturating_sub(jobs.count(slot)))
    }

    /// Returns the estimate for one more job of the category, or the obstacle.
    pub(super) fn estimate(
        &self,
        slot: Slot,
        fit: Fit,
        jobs: &Jobs,
        outlook: Outlook,
        priority_share: f32,
    ) -> Result<Estimate, Obstacle> {
        let fit = self.admit(slot, fit, jobs, outlook)?;
        Ok(self.estimate_admitted(fit, jobs, outlook, priority_share))
    }

    /// Returns the same for the job for which memory, or the whole node, is kept free
    /// there.
    pub(super) fn estimate_claimed(
        &self,
        slot: Slot,
        fit: Fit,
        jobs: &Jobs,
        outlook: Outlook,
        priority_share: f32,
        claim: Claim,
    ) -> Result<Estimate, Obstacle> {
        let mut row = self.clone();
        row.figures.memory_claimed = 0.0;
        let fit = match claim {
            Claim::Memory => row.admit(slot, fit, jobs, outlook),
            Claim::Node => {
                row.is_kept = false;
                row.admit(slot, fit, jobs, outlook)
            }
            Claim::EmptyNode => row.admit_alone(slot, fit, jobs),
        }?;
        Ok(row.estimate_admitted(fit, jobs, outlook, priority_share))
    }

    fn estimate_admitted(
        &self,
        fit: Fit,
        jobs: &Jobs,
        outlook: Outlook,
        priority_share: f32,
    ) -> Estimate {
        let needs = jobs.needs();
        cost::estimate(&self.figures, needs, fit.rank, outlook, priority_share)
    }

    /// Returns the obstacle that keeps one more job of the category away.
    pub(super) fn admit(
        &self,
        slot: Slot,
        fit: Fit,
        jobs: &Jobs,
        outlook: Outlook,
    ) -> Result<Fit, Obstacle> {
        self.check_availability()?;
        if !cost::could_have_memory(&self.figures, jobs.needs()) {
            return Err(self.too_small(jobs));
        }
        if let Some(why) = jobs.refused(slot) {
            return Err(why);
        }
        if self.is_kept {
            return Err(Obstacle::Kept);
        }
        if self.jobs >= self.jobs_max || jobs.count(slot) >= fit.jobs_max {
            return Err(Obstacle::Full);
        }
        if cost::memory_lack(&self.figures, jobs.needs(), outlook) > 0.0 {
            return Err(Obstacle::Memory);
        }
        Ok(fit)
    }

    /// Admits a job that has the empty node for itself, whatever memory it needs as
    /// learned.
    fn admit_alone(&self, slot: Slot, fit: Fit, jobs: &Jobs) -> Result<Fit, Obstacle> {
        self.check_availability()?;
        if !cost::could_have_declared(&self.figures, jobs.needs()) {
            return Err(Obstacle::TooSmall);
        }
        if let Some(why) = jobs.refused(slot) {
            return Err(why);
        }
        if self.jobs > 0 || fit.jobs_max == 0 || self.jobs_max == 0 {
            return Err(Obstacle::Full);
        }
        Ok(fit)
    }

    fn check_availability(&self) -> Result<(), Obstacle> {
        match self.availability {
            Availability::Gone => Err(Obstacle::Gone),
            Availability::Draining => Err(Obstacle::Draining),
            Availability::Open => Ok(()),
        }
    }

    fn too_small(&self, jobs: &Jobs) -> Obstacle {
        if cost::could_have_declared(&self.figures, jobs.needs()) {
            Obstacle::Outgrown
        } else {
            Obstacle::TooSmall
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "jobs are counted in thousands")]
fn number(jobs: u32) -> f32 {
    jobs as f32
}
