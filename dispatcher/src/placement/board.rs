//! The board: the figures of all nodes, indexed so that the best one is at hand.
//!
//! A node has a *slot*. Jobs of the same category that require the same labels are a
//! *class*; each class has a tree of minima over the cost on every node. A cost changes
//! with the node's figures only, so a change marks the node in every class, and a class
//! updates the marked nodes when it is asked: the choice is exact, and costs O(log n).
//! One more job can only raise a node's cost, so then the node is updated only once it
//! seems the best.

use rolecast_common::id::Category;
use rolecast_common::label::Requirement;

use super::class::{Class, State, key};
use super::cost::{self, Amounts, CPU, Estimate, Figures, MEMORY, Needs, Outlook, RESOURCES};
use super::fit::{Claim, Fit, Obstacle, Standing};
use super::row::{Jobs, Row};

/// The index of a node on the board.
pub type Slot = usize;
/// The index of a category, in the order in which they were added.
pub type CategoryIndex = usize;

/// Number of classes kept; beyond it the least recently asked one is dropped.
const CLASSES_MAX: usize = 256;

/// The index of a class, which can be asked for its best node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassIndex(usize);

/// All nodes, and the jobs on them.
#[derive(Clone, Debug)]
pub struct Board {
    outlook: Outlook,
    priority_share: f32,
    rows: Vec<Row>,
    free: Vec<Slot>,
    categories: Vec<Jobs>,
    classes: Vec<Class>,
    /// Number of requests for a best node.
    asked: u64,
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
            classes: Vec::new(),
            asked: 0,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Adds a category; the same name again returns its index.
    pub fn add_category(&mut self, name: &Category, needs: Needs) -> CategoryIndex {
        if let Some(index) = self.category(name) {
            return index;
        }
        self.categories.push(Jobs {
            name: name.clone(),
            needs,
            counts: vec![0; self.rows.len()],
            total: 0,
            refused: vec![None; self.rows.len()],
        });
        self.categories.len() - 1
    }

    pub fn category(&self, name: &Category) -> Option<CategoryIndex> {
        self.categories.iter().position(|jobs| jobs.name == *name)
    }

    pub fn needs(&self, category: CategoryIndex) -> &Needs {
        &self.categories[category].needs
    }

    /// Replaces the needs of the category's jobs; their cost changes everywhere.
    pub fn set_needs(&mut self, category: CategoryIndex, needs: Needs) {
        self.categories[category].needs = needs;
        for class in &mut self.classes {
            if class.category == category {
                class.touch_all();
            }
        }
    }

    /// Replaces the belief how far others come first on the CPU: 0 to 1.
    pub fn set_priority_share(&mut self, share: f32) {
        self.priority_share = share;
        self.classes.iter_mut().for_each(Class::touch_all);
    }

    pub fn priority_share(&self) -> f32 {
        self.priority_share
    }

    /// Adds a node.
    pub fn add_node(&mut self, figures: Figures) -> Slot {
        let row = Row {
            figures,
            standing: Standing::Open,
            is_used: true,
            jobs: 0,
            jobs_max: 0,
            is_kept: false,
            memory_variance: 0.0,
        };
        let slot = self.free.pop().unwrap_or(self.rows.len());
        if slot == self.rows.len() {
            self.rows.push(row);
        } else {
            self.rows[slot] = row;
        }
        let count = self.rows.len();
        for jobs in &mut self.categories {
            jobs.counts.resize(count, 0);
            jobs.refused.resize(count, None);
            jobs.counts[slot] = 0;
            jobs.refused[slot] = None;
        }
        for class in &mut self.classes {
            class.grow(count);
            class.fits[slot] = Err(Obstacle::NotOffered);
        }
        slot
    }

    /// Removes a node; its slot goes to the next one added.
    pub fn remove_node(&mut self, slot: Slot) {
        self.rows[slot].standing = Standing::Gone;
        self.rows[slot].is_used = false;
        self.rows[slot].figures.memory_claimed = 0.0;
        self.rows[slot].is_kept = false;
        self.touch(slot);
        for class in &mut self.classes {
            class.fits[slot] = Err(Obstacle::Gone);
        }
        self.free.push(slot);
    }

    /// Returns the slots of all nodes.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.is_used).map(|(slot, _)| slot)
    }

    pub fn figures(&self, slot: Slot) -> &Figures {
        &self.rows[slot].figures
    }

    pub fn jobs(&self, slot: Slot) -> u32 {
        self.rows[slot].jobs
    }

    /// Returns the number of the category's jobs that were sent and have not ended.
    pub fn total_of(&self, category: CategoryIndex) -> u32 {
        self.categories[category].total
    }

    pub fn count_of(&self, slot: Slot, category: CategoryIndex) -> u32 {
        self.categories[category].counts[slot]
    }

    /// Applies the changes of a heartbeat or a completion to the node.
    pub fn update(&mut self, slot: Slot, change: impl FnOnce(&mut Figures)) {
        change(&mut self.rows[slot].figures);
        self.touch(slot);
    }

    pub fn set_standing(&mut self, slot: Slot, standing: Standing) {
        if std::mem::replace(&mut self.rows[slot].standing, standing) != standing {
            self.touch(slot);
        }
    }

    pub fn set_jobs_max(&mut self, slot: Slot, jobs_max: u32) {
        if std::mem::replace(&mut self.rows[slot].jobs_max, jobs_max) != jobs_max {
            self.touch(slot);
        }
    }

    /// Sets the obstacle that keeps the category away from the node; `None` removes it.
    pub fn set_refused(&mut self, slot: Slot, category: CategoryIndex, why: Option<Obstacle>) {
        let refused = &mut self.categories[category].refused[slot];
        if std::mem::replace(refused, why) != why {
            self.touch(slot);
        }
    }

    /// Sets whether the node is kept for jobs that must run alone.
    pub fn set_kept(&mut self, slot: Slot, is_kept: bool) {
        if std::mem::replace(&mut self.rows[slot].is_kept, is_kept) != is_kept {
            self.touch(slot);
        }
    }

    /// Recomputes the node's reservations from the present needs of its jobs, and stores
    /// their measured use; `surplus` is the number of cores that they want beyond the
    /// average use of such jobs.
    pub fn settle(&mut self, slot: Slot, measured: Amounts, surplus: f32) {
        let mut reserved: Amounts = [0.0; RESOURCES];
        let mut variance = 0.0;
        for jobs in &self.categories {
            let count = count(jobs.counts[slot]);
            for (sum, average) in reserved.iter_mut().zip(jobs.needs.average) {
                *sum += count * average;
            }
            variance += count * jobs.needs.memory_peak * jobs.needs.memory_peak;
        }
        let row = &mut self.rows[slot];
        if row.jobs > 0 {
            reserved[CPU] = (reserved[CPU] + surplus).max(0.0);
        }
        row.figures.reserved = reserved;
        row.figures.memory_excess = (measured[MEMORY] - reserved[MEMORY]).max(0.0);
        row.memory_variance = variance;
        row.figures.memory_spread = variance.sqrt();
        self.touch(slot);
    }

    /// Reserves the needs of one more job that is on its way to the node.
    pub fn reserve(&mut self, slot: Slot, category: CategoryIndex) {
        let jobs = &mut self.categories[category];
        jobs.counts[slot] += 1;
        jobs.total += 1;
        let row = &mut self.rows[slot];
        row.jobs += 1;
        for (sum, average) in row.figures.reserved.iter_mut().zip(jobs.needs.average) {
            *sum += average;
        }
        row.memory_variance += jobs.needs.memory_peak * jobs.needs.memory_peak;
        row.figures.memory_spread = row.memory_variance.sqrt();
        for class in &mut self.classes {
            class.raise(slot);
        }
    }

    /// Releases the needs of a job that has ended. `lingers` keeps its memory until the
    /// next heartbeat shows that it is free.
    pub fn release(&mut self, slot: Slot, category: CategoryIndex, lingers: bool) {
        let jobs = &mut self.categories[category];
        let row = &mut self.rows[slot];
        jobs.counts[slot] = jobs.counts[slot].saturating_sub(1);
        jobs.total = jobs.total.saturating_sub(1);
        row.jobs = row.jobs.saturating_sub(1);
        for (sum, average) in row.figures.reserved.iter_mut().zip(jobs.needs.average) {
            *sum = (*sum - average).max(0.0);
        }
        row.memory_variance -= jobs.needs.memory_peak * jobs.needs.memory_peak;
        row.memory_variance = row.memory_variance.max(0.0);
        if row.jobs == 0 {
            // Rounding must leave nothing behind on an idle node.
            row.figures.reserved = [0.0; RESOURCES];
            row.memory_variance = 0.0;
        }
        row.figures.memory_spread = row.memory_variance.sqrt();
        if lingers {
            row.figures.memory_excess += jobs.needs.average[MEMORY];
        }
        self.touch(slot);
    }

    /// Sets aside a job that was taken from a node where it may still run: it counts
    /// there, and no longer among the jobs of its category.
    pub fn set_aside(&mut self, category: CategoryIndex) {
        let jobs = &mut self.categories[category];
        jobs.total = jobs.total.saturating_sub(1);
    }

    /// Releases a job that was set aside and has ended there.
    pub fn free(&mut self, slot: Slot, category: CategoryIndex) {
        self.categories[category].total += 1;
        self.release(slot, category, false);
    }

    /// Returns the class of these jobs, if it has an index.
    pub fn class(&self, category: CategoryIndex, requirement: &Requirement) -> Option<ClassIndex> {
        let is_same =
            |class: &Class| class.category == category && class.requirement == *requirement;
        self.classes.iter().position(is_same).map(ClassIndex)
    }

    /// Returns the fitness of the node for the class.
    pub fn fit(&self, class: ClassIndex, slot: Slot) -> Result<Fit, Obstacle> {
        self.classes[class.0].fits[slot]
    }

    /// Adds an index for these jobs; `fit` returns the fitness of each node for them.
    pub fn add_class(
        &mut self,
        category: CategoryIndex,
        requirement: &Requirement,
        fit: impl Fn(Slot) -> Result<Fit, Obstacle>,
    ) -> ClassIndex {
        let mut class = Class::new(category, requirement.clone());
        class.grow(self.rows.len());
        for slot in 0..self.rows.len() {
            class.fits[slot] = fit(slot);
            class.touch(slot);
        }
        if self.classes.len() < CLASSES_MAX {
            self.classes.push(class);
            return ClassIndex(self.classes.len() - 1);
        }
        let oldest = (0..self.classes.len()).min_by_key(|at| self.classes[*at].asked);
        let oldest = oldest.expect("there are many classes");
        self.classes[oldest] = class;
        ClassIndex(oldest)
    }

    /// Recomputes the fitness of the node for each class.
    pub fn refit(
        &mut self,
        slot: Slot,
        fit: impl Fn(CategoryIndex, &Requirement) -> Result<Fit, Obstacle>,
    ) {
        for class in &mut self.classes {
            class.fits[slot] = fit(class.category, &class.requirement);
            class.touch(slot);
        }
    }

    /// Returns the node where one more job of the class costs least.
    pub fn best(&mut self, class: ClassIndex) -> Option<Slot> {
        self.asked += 1;
        self.classes[class.0].asked = self.asked;
        while let Some(slot) = self.classes[class.0].take_listed() {
            self.rate(class, slot);
        }
        loop {
            let (slot, state) = self.classes[class.0].winner()?;
            match state {
                State::Current => return Some(slot),
                State::Risen | State::Listed => self.rate(class, slot),
            }
        }
    }

    /// Returns the same without these nodes.
    pub fn best_without(
        &mut self,
        class: ClassIndex,
        barred: impl Iterator<Item = Slot> + Clone,
    ) -> Option<Slot> {
        // Marked nodes are updated first, so that an excluded one does not return.
        self.best(class);
        for slot in barred.clone() {
            self.classes[class.0].set(slot, None);
        }
        let best = self.best(class);
        for slot in barred {
            self.classes[class.0].touch(slot);
        }
        best
    }

    /// Updates a node's key in the class.
    fn rate(&mut self, class: ClassIndex, slot: Slot) {
        let class = &mut self.classes[class.0];
        let (row, jobs) = (&self.rows[slot], &self.categories[class.category]);
        let fit = class.fits[slot].and_then(|fit| row.admit(slot, fit, jobs, self.outlook));
        let key = fit.ok().map(|fit| {
            let share = self.priority_share;
            let estimate = cost::estimate(&row.figures, &jobs.needs, fit.rank, self.outlook, share);
            key(estimate, self.rng.u32(..))
        });
        class.set(slot, key);
    }

    /// Returns the estimate for a job of the category on a node that suits it by `fit`,
    /// or the obstacle.
    pub fn estimate(
        &self,
        slot: Slot,
        category: CategoryIndex,
        fit: Result<Fit, Obstacle>,
        outlook: Outlook,
    ) -> Result<Estimate, Obstacle> {
        let (row, jobs) = (&self.rows[slot], &self.categories[category]);
        let fit = fit.and_then(|fit| row.admit(slot, fit, jobs, outlook))?;
        let share = self.priority_share;
        Ok(cost::estimate(
            &row.figures,
            &jobs.needs,
            fit.rank,
            outlook,
            share,
        ))
    }

    /// Returns the same for the job for which memory, or the whole node, is kept free
    /// there.
    pub fn estimate_claimed(
        &self,
        slot: Slot,
        category: CategoryIndex,
        fit: Result<Fit, Obstacle>,
        outlook: Outlook,
        claim: Claim,
    ) -> Result<Estimate, Obstacle> {
        let (mut row, jobs) = (self.rows[slot].clone(), &self.categories[category]);
        row.figures.memory_claimed = 0.0;
        let fit = fit.and_then(|fit| match claim {
            Claim::Memory => row.admit(slot, fit, jobs, outlook),
            Claim::Node => {
                row.is_kept = false;
                row.admit(slot, fit, jobs, outlook)
            }
            Claim::EmptyNode => row.admit_alone(slot, fit, jobs),
        })?;
        let (figures, share) = (&row.figures, self.priority_share);
        let rank = fit.rank;
        Ok(cost::estimate(figures, &jobs.needs, rank, outlook, share))
    }

    /// Returns the slow-down by sharing of one more job on the node.
    pub fn slow_down(&self, slot: Slot, category: CategoryIndex) -> f32 {
        self.slow_down_if(slot, category, self.priority_share)
    }

    /// Returns the same without any other Rolecast job on it.
    pub fn slow_down_alone(&self, slot: Slot, category: CategoryIndex) -> f32 {
        let needs = &self.categories[category].needs;
        let figures = Figures {
            reserved: [0.0; RESOURCES],
            ..self.rows[slot].figures
        };
        cost::estimate(&figures, needs, 0, self.outlook, self.priority_share).slow_down
    }

    /// Returns the same if others came first on the CPU by this share.
    pub fn slow_down_if(&self, slot: Slot, category: CategoryIndex, priority_share: f32) -> f32 {
        let needs = &self.categories[category].needs;
        let figures = &self.rows[slot].figures;
        cost::estimate(figures, needs, 0, self.outlook, priority_share).slow_down
    }

    pub fn outlook(&self) -> Outlook {
        self.outlook
    }

    /// Returns the number of further jobs that the node could start.
    pub fn free_jobs(&self, slot: Slot, category: CategoryIndex, fit: Fit) -> u32 {
        let row = &self.rows[slot];
        let total = row.jobs_max.saturating_sub(row.jobs);
        let counts = &self.categories[category].counts;
        total.min(fit.jobs_max.saturating_sub(counts[slot]))
    }

    /// Returns the obstacle that keeps jobs of the category from a node that suits them.
    pub fn admit(&self, slot: Slot, category: CategoryIndex, fit: Fit) -> Result<Fit, Obstacle> {
        self.rows[slot].admit(slot, fit, &self.categories[category], self.outlook)
    }

    /// Returns the random number of the node among equals at its last update.
    #[allow(clippy::cast_possible_truncation, reason = "the low half is meant")]
    pub fn chance(&self, class: ClassIndex, slot: Slot) -> u32 {
        self.classes[class.0].key(slot) as u32
    }

    /// Returns the number of bytes by which the memory of one more job does not fit.
    pub fn memory_lack(&self, slot: Slot, category: CategoryIndex) -> f32 {
        let needs = &self.categories[category].needs;
        cost::memory_lack(&self.rows[slot].figures, needs, self.outlook)
    }

    fn touch(&mut self, slot: Slot) {
        for class in &mut self.classes {
            // If it does not suit the class, its figures do not matter.
            if class.fits[slot].is_ok() {
                class.touch(slot);
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "jobs are counted in thousands")]
fn count(jobs: u32) -> f32 {
    jobs as f32
}
