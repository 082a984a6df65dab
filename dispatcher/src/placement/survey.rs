//! Queries over all nodes: the nodes that can take a job, and those to keep free for it.

use rolecast_common::label::Requirement;
use rolecast_common::resource::Resource;
use rolecast_common::unit::Bytes;

use super::cost::{Estimate, Outlook};
use super::fit::{Fit, Obstacle};
use super::index::{CategoryIndex, Slot};
use super::placer::Placer;
use super::request::{Alone, Request};
use super::shortfall::Shortfall;

impl Placer {
    /// Returns the fitness of each node for such jobs, before any figures. If there is an
    /// index of their class it has the answer, and no description has to be read.
    fn fits<'a>(
        &'a self,
        category: CategoryIndex,
        requirement: &'a Requirement,
    ) -> impl Fn(Slot) -> Result<Fit, Obstacle> + 'a {
        let class = self.board().class(category, requirement);
        let policy = self.policy(category);
        move |slot| match class {
            Some(class) => self.board().fit(class, slot),
            None => self.description(slot).fit(policy, requirement),
        }
    }

    /// Calls `visit` with the estimate for the job on each node, or the obstacle.
    pub(super) fn scan(
        &self,
        job: &Request<'_>,
        outlook: Outlook,
        mut visit: impl FnMut(Slot, Result<Estimate, Obstacle>),
    ) {
        let (board, category) = (self.board(), job.category);
        let fits = self.fits(category, job.requirement);
        for slot in board.slots() {
            let fit = fits(slot);
            let fit = job.bar(slot).map_or(fit, Err);
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
    pub(crate) fn shortfall(&self, job: &Request<'_>) -> Shortfall {
        let mut shortfall = Shortfall::default();
        self.scan(job, self.board().outlook(), |_, estimate| {
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
        self.board().slots().map(move |slot| {
            let fit = fits(slot);
            let admitted = fit.and_then(|fit| self.board().admit(slot, category, fit));
            (slot, admitted)
        })
    }

    /// Returns the obstacle that keeps jobs of the category from each node, if there is
    /// one.
    pub(crate) fn obstacles(
        &self,
        category: CategoryIndex,
    ) -> impl Iterator<Item = Option<Obstacle>> {
        self.admissions(category).map(|(_, fit)| fit.err())
    }

    /// Returns the number of jobs of the category that the nodes could start at once.
    pub(crate) fn free_jobs(&self, category: CategoryIndex) -> u32 {
        let open = self.admissions(category);
        let open = open.filter_map(|(slot, fit)| Some((slot, fit.ok()?)));
        let free = open.map(|(slot, fit)| self.board().free_jobs(slot, category, fit));
        free.fold(0, u32::saturating_add)
    }

    /// Whether a node that is not barred takes such jobs, now or once it has room.
    pub(crate) fn has_other(&self, job: &Request<'_>) -> bool {
        let fits = self.fits(job.category, job.requirement);
        self.board().slots().any(|slot| {
            let fit = fits(slot);
            let admitted = fit.and_then(|fit| self.board().admit(slot, job.category, fit));
            job.bar(slot).is_none() && admitted.err().is_none_or(Obstacle::is_busy)
        })
    }

    /// Returns the obstacle that keeps the job from the node where memory is kept free
    /// for it, if there is one.
    pub(super) fn claim_obstacle(&self, job: &Request<'_>, slot: Slot) -> Option<Obstacle> {
        let fit = self.fit(slot, job.category, job.requirement);
        let fit = job.bar(slot).map_or(fit, Err);
        let (board, claim) = (self.board(), job.kind_of_claim());
        let estimate = fit.and_then(|fit| {
            board.estimate_claimed(slot, job.category, fit, board.outlook(), claim)
        });
        estimate.err()
    }

    /// Whether the job may still fit, later, on the node where memory is kept free for it.
    pub(crate) fn is_claim_useful(&self, job: &Request<'_>, slot: Slot) -> bool {
        self.claim_obstacle(job, slot)
            .is_none_or(Obstacle::is_passing)
    }

    /// Keeps memory free for a waiting job, on the node that lacks the least, so that
    /// smaller jobs do not take it as soon as some becomes free.
    pub(crate) fn claim(&mut self, job: &Request<'_>) -> Option<Slot> {
        let board = self.board();
        let mut least: Option<(f32, Slot)> = None;
        self.scan(job, board.outlook(), |slot, estimate| {
            if estimate != Err(Obstacle::Memory) {
                return;
            }
            let lack = board.memory_lack(slot, job.category);
            let is_free = board.figures(slot).memory_claimed == 0.0;
            if is_free && least.is_none_or(|(least, _)| lack < least) {
                least = Some((lack, slot));
            }
        });
        let (_, slot) = least?;
        let claimed = board.needs(job.category).memory_most();
        self.board_mut()
            .update(slot, |figures| figures.memory_claimed = claimed);
        Some(slot)
    }

    /// Releases the memory kept free on the node.
    pub(crate) fn unclaim(&mut self, slot: Slot) {
        self.board_mut()
            .update(slot, |figures| figures.memory_claimed = 0.0);
    }

    /// Returns the node to keep for a job that must run alone: for a suspect the one with
    /// the fewest jobs, for a job that outgrew its memory the largest one.
    pub(crate) fn node_to_keep(&self, job: &Request<'_>, alone: Alone) -> Option<Slot> {
        let board = self.board();
        let memory = |slot| f64::from(board.figures(slot).capacity[Resource::Memory]);
        let mut best: Option<((u64, u32), Slot)> = None;
        self.scan(job, board.outlook(), |slot, estimate| {
            let suits = match (estimate, alone) {
                (Ok(_) | Err(Obstacle::Full | Obstacle::Memory), _) => true,
                (Err(Obstacle::Outgrown), Alone::Outgrown) => true,
                (Err(_), _) => false,
            };
            let size = match alone {
                Alone::Suspect => 0,
                Alone::Outgrown => Bytes::clamped(memory(slot)).get(),
            };
            // The largest first, then the one with the fewest jobs.
            let order = (u64::MAX - size, board.jobs(slot));
            if suits && best.is_none_or(|(least, _)| order < least) {
                best = Some((order, slot));
            }
        });
        best.map(|(_, slot)| slot)
    }
}
