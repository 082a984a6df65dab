//! Scans of all nodes for a kind of jobs.

use rolecast_common::label::Requirement;

use super::Fleet;
use super::candidate::Candidate;
use crate::placement::{CategoryIndex, Estimate, Fit, Obstacle, Outlook, Shortfall, Slot};

impl Fleet {
    /// Returns the fitness of each node for such jobs, before any figures. If there is an
    /// index of their class it has the answer, and no node has to be looked up.
    pub(super) fn fits<'a>(
        &'a self,
        category: CategoryIndex,
        requirement: &'a Requirement,
    ) -> impl Fn(Slot) -> Result<Fit, Obstacle> + 'a {
        let class = self.board.class(category, requirement);
        let policy = self.policy(category);
        move |slot| match class {
            Some(class) => self.board.fit(class, slot),
            None => match self.nodes.get(&self.ids[slot.index()]) {
                Some(node) => node.fit(policy, requirement),
                None => Err(Obstacle::Gone),
            },
        }
    }

    /// Calls `visit` with the estimate for the job on each node, or the obstacle.
    pub(super) fn scan(
        &self,
        job: &Candidate<'_>,
        outlook: Outlook,
        mut visit: impl FnMut(Slot, Result<Estimate, Obstacle>),
    ) {
        let fits = self.fits(job.category, job.requirement);
        for slot in self.board.slots() {
            let fit = fits(slot);
            let fit = job.bar(slot).map_or(fit, Err);
            let (board, category) = (&self.board, job.category);
            let estimate = fit.and_then(|fit| match job.claim == Some(slot) {
                true => {
                    let claim = job.kind_of_claim();
                    board.estimate_claimed(slot, category, fit, outlook, claim)
                }
                false => board.estimate(slot, category, fit, outlook),
            });
            visit(slot, estimate);
        }
    }

    /// Returns which nodes can take the job, and what keeps it from the others.
    pub fn shortfall(&self, job: &Candidate<'_>) -> Shortfall {
        let mut shortfall = Shortfall::default();
        self.scan(job, self.board.outlook(), |_, estimate| {
            shortfall.count(estimate.map(|_| ()));
        });
        shortfall
    }

    /// Returns the fitness of each node for jobs of the category without a requirement,
    /// or the obstacle.
    fn admissions(
        &self,
        category: CategoryIndex,
    ) -> impl Iterator<Item = (Slot, Result<Fit, Obstacle>)> {
        static NONE: Requirement = Requirement::NONE;
        let fits = self.fits(category, &NONE);
        self.board.slots().map(move |slot| {
            let fit = fits(slot);
            (
                slot,
                fit.and_then(|fit| self.board.admit(slot, category, fit)),
            )
        })
    }

    /// Returns the obstacle that keeps jobs of the category from each node, if there is
    /// one.
    pub fn obstacles(&self, category: CategoryIndex) -> impl Iterator<Item = Option<Obstacle>> {
        self.admissions(category).map(|(_, fit)| fit.err())
    }

    /// Returns the number of jobs of the category that the nodes could start at once.
    pub fn free_jobs(&self, category: CategoryIndex) -> u32 {
        let open = self.admissions(category);
        let open = open.filter_map(|(slot, fit)| Some((slot, fit.ok()?)));
        let free = open.map(|(slot, fit)| self.board.free_jobs(slot, category, fit));
        free.fold(0, u32::saturating_add)
    }

    /// Whether a node that is not barred takes such jobs, now or once it has room.
    pub fn has_other(&self, job: &Candidate<'_>) -> bool {
        let fits = self.fits(job.category, job.requirement);
        self.board.slots().any(|slot| {
            let is_barred = job.barred.iter().any(|(at, _)| *at == slot);
            let admitted = fits(slot).and_then(|fit| self.board.admit(slot, job.category, fit));
            !is_barred && admitted.err().is_none_or(Obstacle::is_busy)
        })
    }
}
