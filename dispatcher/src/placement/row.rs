//! The figures of one node and of one category on the board, and the check whether the
//! node can take a job of the category.

use rolecast_common::id::Category;

use super::board::Slot;
use super::cost::{self, Figures, Needs, Outlook};
use super::fit::{Fit, Obstacle, Standing};

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) figures: Figures,
    pub(super) standing: Standing,
    /// Whether a node is there: its slot may be free.
    pub(super) is_used: bool,
    pub(super) jobs: u32,
    pub(super) jobs_max: u32,
    /// Whether it is kept for jobs that must run alone.
    pub(super) is_kept: bool,
    /// The sum of the squared deviations of its jobs' memory.
    pub(super) memory_variance: f32,
}

#[derive(Clone, Debug)]
pub(super) struct Jobs {
    pub(super) name: Category,
    pub(super) needs: Needs,
    /// The number of jobs that were sent to each node and have not ended.
    pub(super) counts: Vec<u32>,
    pub(super) total: u32,
    /// The obstacle that keeps the category out of each node for a while.
    pub(super) refused: Vec<Option<Obstacle>>,
}

impl Row {
    pub(super) fn admit(
        &self,
        slot: Slot,
        fit: Fit,
        jobs: &Jobs,
        outlook: Outlook,
    ) -> Result<Fit, Obstacle> {
        self.check_standing()?;
        if !cost::could_have_memory(&self.figures, &jobs.needs) {
            return Err(self.too_small(jobs));
        }
        if let Some(why) = jobs.refused[slot] {
            return Err(why);
        }
        if self.is_kept {
            return Err(Obstacle::Kept);
        }
        if self.jobs >= self.jobs_max || jobs.counts[slot] >= fit.jobs_max {
            return Err(Obstacle::Full);
        }
        if cost::memory_lack(&self.figures, &jobs.needs, outlook) > 0.0 {
            return Err(Obstacle::Memory);
        }
        Ok(fit)
    }

    /// Admits a job that has the empty node for itself, whatever memory it needs as
    /// learned.
    pub(super) fn admit_alone(&self, slot: Slot, fit: Fit, jobs: &Jobs) -> Result<Fit, Obstacle> {
        self.check_standing()?;
        if !cost::could_have_declared(&self.figures, &jobs.needs) {
            return Err(Obstacle::TooSmall);
        }
        if let Some(why) = jobs.refused[slot] {
            return Err(why);
        }
        if self.jobs > 0 || fit.jobs_max == 0 || self.jobs_max == 0 {
            return Err(Obstacle::Full);
        }
        Ok(fit)
    }

    fn check_standing(&self) -> Result<(), Obstacle> {
        match self.standing {
            Standing::Gone => Err(Obstacle::Gone),
            Standing::Draining => Err(Obstacle::Draining),
            Standing::Open => Ok(()),
        }
    }

    fn too_small(&self, jobs: &Jobs) -> Obstacle {
        if cost::could_have_declared(&self.figures, &jobs.needs) {
            Obstacle::Outgrown
        } else {
            Obstacle::TooSmall
        }
    }
}
