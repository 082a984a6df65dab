//! The board: the figures of all nodes, indexed so that the best one is at hand.
//!
//! A node has a *slot*. Jobs of the same category that require the same labels are a
//! *class*; each class has a tree of minima over the cost on every node. A cost changes
//! with the node's figures only, so a change marks the node in every class, and a class
//! updates the marked nodes when its best node is requested: the choice is exact, and
//! costs O(log n). One more job can only raise a node's cost, so then the node is updated
//! only once it seems the best.

use rolecast_common::id::Category;
use rolecast_common::label::Requirement;

use super::class::{Class, Classes, KeyState, key};
use super::cost::{self, Amounts, Estimate, Needs, NodeFigures, Outlook};
use super::fit::{Availability, Claim, Fit, Obstacle};
use super::index::{CategoryIndex, ClassIndex, Slot};
use super::jobs::Jobs;
use super::row::Row;

/// All nodes, and the jobs on them.
#[derive(Clone, Debug)]
pub struct Board {
    outlook: Outlook,
    priority_share: f32,
    rows: Vec<Row>,
    free: Vec<Slot>,
    categories: Vec<Jobs>,
    classes: Classes,
    rng: fastrand::Rng,
}

impl Board {
    pub fn new(outlook: Outlook, seed: u64) -> Self {
        Self {
            outlook,
            priority_share: 0.5,
            rows: Vec::new(),
            free: Vec::new(),
            categories: Vec::new(),
            classes: Classes::default(),
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Adds a category; the same name again returns its index.
    pub fn add_category(&mut self, name: &Category, needs: Needs) -> CategoryIndex {
        if let Some(index) = self.category(name) {
            return index;
        }
        let jobs = Jobs::new(name.clone(), needs, self.rows.len());
        self.categories.push(jobs);
        CategoryIndex::new(self.categories.len() - 1)
    }

    pub(crate) fn category(&self, name: &Category) -> Option<CategoryIndex> {
        let mut categories = self.categories.iter();
        categories
            .position(|jobs| jobs.name() == name)
            .map(CategoryIndex::new)
    }

    pub(crate) fn needs(&self, category: CategoryIndex) -> &Needs {
        self.jobs_of(category).needs()
    }

    /// Replaces the needs of the category's jobs; their cost changes everywhere.
    pub(crate) fn set_needs(&mut self, category: CategoryIndex, needs: Needs) {
        self.categories[category.index()].set_needs(needs);
        self.classes.touch_category(category);
    }

    /// Replaces the belief how far others come first on the CPU: 0 to 1.
    pub(crate) fn set_priority_share(&mut self, share: f32) {
        self.priority_share = share;
        self.classes.touch_all();
    }

    pub(crate) fn priority_share(&self) -> f32 {
        self.priority_share
    }

    /// Adds a node.
    pub fn add_node(&mut self, figures: NodeFigures) -> Slot {
        let row = Row::new(figures);
        let slot = self.free.pop().unwrap_or(Slot::new(self.rows.len()));
        if slot.index() == self.rows.len() {
            self.rows.push(row);
        } else {
            self.rows[slot.index()] = row;
        }
        let count = self.rows.len();
        for jobs in &mut self.categories {
            jobs.add_node(slot, count);
        }
        self.classes.add_node(slot, count);
        slot
    }

    /// Removes a node; its slot goes to the next one added.
    pub(crate) fn remove_node(&mut self, slot: Slot) {
        self.rows[slot.index()].clear();
        self.classes.remove_node(slot);
        self.free.push(slot);
    }

    /// Returns the slots of all nodes.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.is_used())
            .map(|(slot, _)| Slot::new(slot))
    }

    /// Whether a node is in the slot.
    pub(crate) fn is_used(&self, slot: Slot) -> bool {
        self.row(slot).is_used()
    }

    /// Returns the number of nodes.
    pub(crate) fn node_count(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    pub(crate) fn figures(&self, slot: Slot) -> &NodeFigures {
        self.row(slot).figures()
    }

    pub(crate) fn jobs(&self, slot: Slot) -> u32 {
        self.row(slot).jobs()
    }

    /// Returns the number of the category's jobs that were sent and have not ended.
    pub(crate) fn total_of(&self, category: CategoryIndex) -> u32 {
        self.jobs_of(category).total()
    }

    /// Applies the changes of a heartbeat or a completion to the node.
    pub fn update(&mut self, slot: Slot, change: impl FnOnce(&mut NodeFigures)) {
        change(self.rows[slot.index()].figures_mut());
        self.classes.touch(slot);
    }

    pub(crate) fn set_availability(&mut self, slot: Slot, availability: Availability) {
        if self.rows[slot.index()].set_availability(availability) {
            self.classes.touch(slot);
        }
    }

    pub fn set_jobs_max(&mut self, slot: Slot, jobs_max: u32) {
        if self.rows[slot.index()].set_jobs_max(jobs_max) {
            self.classes.touch(slot);
        }
    }

    /// Sets the obstacle that keeps the category away from the node; `None` removes it.
    pub(crate) fn set_refused(
        &mut self,
        slot: Slot,
        category: CategoryIndex,
        why: Option<Obstacle>,
    ) {
        if self.categories[category.index()].set_refused(slot, why) {
            self.classes.touch(slot);
        }
    }

    /// Sets whether the node is kept for jobs that must run alone.
    pub(crate) fn set_kept(&mut self, slot: Slot, is_kept: bool) {
        if self.rows[slot.index()].set_kept(is_kept) {
            self.classes.touch(slot);
        }
    }

    /// Recomputes the node's reservations from the present needs of its jobs, and stores
    /// their measured use; `surplus` is the number of cores that they want beyond the
    /// average use of such jobs.
    pub(crate) fn settle(&mut self, slot: Slot, measured: &Amounts, surplus: f32) {
        let categories = self.categories.iter();
        self.rows[slot.index()].settle(slot, categories, measured, surplus);
        self.classes.touch(slot);
    }

    /// Reserves the needs of one more job that is on its way to the node.
    pub fn reserve(&mut self, slot: Slot, category: CategoryIndex) {
        let jobs = &mut self.categories[category.index()];
        jobs.reserve(slot);
        self.rows[slot.index()].reserve(jobs.needs());
        self.classes.raise(slot);
    }

    /// Releases the needs of a job that has ended. `lingers` keeps its memory until the
    /// next heartbeat shows that it is free.
    pub fn release(&mut self, slot: Slot, category: CategoryIndex, lingers: bool) {
        let jobs = &mut self.categories[category.index()];
        jobs.release(slot);
        self.rows[slot.index()].release(jobs.needs(), lingers);
        self.classes.touch(slot);
    }

    /// Sets aside a job that was taken from a node where it may still run: it counts
    /// there, and no longer among the jobs of its category.
    pub(crate) fn set_aside(&mut self, category: CategoryIndex) {
        self.categories[category.index()].set_aside();
    }

    /// Releases a job that was set aside and has ended there.
    pub(crate) fn release_set_aside(&mut self, slot: Slot, category: CategoryIndex) {
        let jobs = &mut self.categories[category.index()];
        jobs.release_set_aside(slot);
        self.rows[slot.index()].release(jobs.needs(), false);
        self.classes.touch(slot);
    }

    /// Returns the class of these jobs, if it has an index.
    pub(crate) fn class(
        &self,
        category: CategoryIndex,
        requirement: &Requirement,
    ) -> Option<ClassIndex> {
        self.classes.find(category, requirement)
    }

    /// Returns the fitness of the node for the class.
    pub(crate) fn fit(&self, class: ClassIndex, slot: Slot) -> Result<Fit, Obstacle> {
        self.classes.get(class).fit(slot)
    }

    /// Adds an index for these jobs; `fit` returns the fitness of each node for them.
    pub fn add_class(
        &mut self,
        category: CategoryIndex,
        requirement: &Requirement,
        fit: impl Fn(Slot) -> Result<Fit, Obstacle>,
    ) -> ClassIndex {
        let class = Class::new(category, requirement.clone(), self.rows.len(), fit);
        self.classes.add(class)
    }

    /// Recomputes the fitness of the node for each class.
    pub(crate) fn refit(
        &mut self,
        slot: Slot,
        fit: impl Fn(CategoryIndex, &Requirement) -> Result<Fit, Obstacle>,
    ) {
        self.classes.refit(slot, fit);
    }

    /// Returns the node where one more job of the class costs least.
    pub fn best(&mut self, class: ClassIndex) -> Option<Slot> {
        self.classes.record_use(class);
        while let Some(slot) = self.classes.get_mut(class).take_listed() {
            self.rate(class, slot);
        }
        loop {
            let (slot, state) = self.classes.get(class).winner()?;
            match state {
                KeyState::Current => return Some(slot),
                KeyState::Risen | KeyState::Listed => self.rate(class, slot),
            }
        }
    }

    /// Returns the same without these nodes.
    pub(crate) fn best_without(
        &mut self,
        class: ClassIndex,
        barred: impl Iterator<Item = Slot> + Clone,
    ) -> Option<Slot> {
        // Marked nodes are updated first, so that an excluded one does not return.
        self.best(class);
        for slot in barred.clone() {
            self.classes.get_mut(class).set(slot, None);
        }
        let best = self.best(class);
        for slot in barred {
            self.classes.get_mut(class).touch(slot);
        }
        best
    }

    /// Updates a node's key in the class.
    fn rate(&mut self, class: ClassIndex, slot: Slot) {
        let class = self.classes.get_mut(class);
        let row = &self.rows[slot.index()];
        let jobs = &self.categories[class.category().index()];
        let (outlook, share) = (self.outlook, self.priority_share);
        let estimate = class
            .fit(slot)
            .and_then(|fit| row.estimate(slot, fit, jobs, outlook, share));
        let key = estimate.ok().map(|found| key(found, self.rng.u32(..)));
        class.set(slot, key);
    }

    /// Returns the estimate for a job of the category on a node that suits it by `fit`,
    /// or the obstacle.
    pub(crate) fn estimate(
        &self,
        slot: Slot,
        category: CategoryIndex,
        fit: Fit,
        outlook: Outlook,
    ) -> Result<Estimate, Obstacle> {
        let (jobs, share) = (self.jobs_of(category), self.priority_share);
        self.row(slot).estimate(slot, fit, jobs, outlook, share)
    }

    /// Returns the same for the job for which memory, or the whole node, is kept free
    /// there.
    pub(super) fn estimate_claimed(
        &self,
        slot: Slot,
        category: CategoryIndex,
        fit: Fit,
        outlook: Outlook,
        claim: Claim,
    ) -> Result<Estimate, Obstacle> {
        let (jobs, share) = (self.jobs_of(category), self.priority_share);
        self.row(slot)
            .estimate_claimed(slot, fit, jobs, outlook, share, claim)
    }

    /// Returns the slow-down by sharing of one more job on the node.
    pub(crate) fn slow_down(&self, slot: Slot, category: CategoryIndex) -> f32 {
        self.slow_down_if(slot, category, self.priority_share)
    }

    /// Returns the same without any other Rolecast job on it.
    pub(crate) fn slow_down_alone(&self, slot: Slot, category: CategoryIndex) -> f32 {
        let figures = NodeFigures {
            reserved: Amounts::default(),
            ..*self.figures(slot)
        };
        let (needs, share) = (self.needs(category), self.priority_share);
        cost::estimate(&figures, needs, 0, self.outlook, share).slow_down
    }

    /// Returns the same if others had priority on the CPU by this share.
    pub(crate) fn slow_down_if(
        &self,
        slot: Slot,
        category: CategoryIndex,
        priority_share: f32,
    ) -> f32 {
        let (figures, needs) = (self.figures(slot), self.needs(category));
        cost::estimate(figures, needs, 0, self.outlook, priority_share).slow_down
    }

    pub(crate) fn outlook(&self) -> Outlook {
        self.outlook
    }

    /// Returns the number of further jobs that the node could start.
    pub(crate) fn free_jobs(&self, slot: Slot, category: CategoryIndex, fit: Fit) -> u32 {
        self.row(slot).free_jobs(slot, fit, self.jobs_of(category))
    }

    /// Returns the obstacle that keeps jobs of the category from a node that suits them.
    pub(crate) fn admit(
        &self,
        slot: Slot,
        category: CategoryIndex,
        fit: Fit,
    ) -> Result<Fit, Obstacle> {
        let jobs = self.jobs_of(category);
        self.row(slot).admit(slot, fit, jobs, self.outlook)
    }

    /// Returns the random number of the node among equals at its last update.
    #[allow(clippy::cast_possible_truncation, reason = "the low half is meant")]
    pub(crate) fn chance(&self, class: ClassIndex, slot: Slot) -> u32 {
        self.classes.get(class).key(slot) as u32
    }

    /// Returns the number of bytes by which the memory of one more job does not fit.
    pub(crate) fn memory_lack(&self, slot: Slot, category: CategoryIndex) -> f32 {
        cost::memory_lack(self.figures(slot), self.needs(category), self.outlook)
    }

    fn row(&self, slot: Slot) -> &Row {
        &self.rows[slot.index()]
    }

    fn jobs_of(&self, category: CategoryIndex) -> &Jobs {
        &self.categories[category.index()]
    }
}
