//! Classes of jobs: the tree of the nodes over the cost of one class, and its outdated
//! keys.

use rolecast_common::label::Requirement;

use super::cost::Estimate;
use super::fit::{Fit, Obstacle};
use super::index::{CategoryIndex, ClassIndex, Slot};
use super::tree::{NEVER, Tree};

/// Number of classes kept; beyond it the least recently used one is dropped.
const CLASSES_MAX: usize = 256;

/// The relation of a node's key to its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyState {
    Current,
    /// The cost may be above it.
    Risen,
    /// The cost may be anything.
    Listed,
}

/// Jobs of the same category that require the same labels.
#[derive(Clone, Debug)]
pub(super) struct Class {
    category: CategoryIndex,
    requirement: Requirement,
    fits: Vec<Result<Fit, Obstacle>>,
    tree: Tree,
    states: Vec<KeyState>,
    /// The number of the last request for its best node.
    used: u64,
    /// The slots in [`KeyState::Listed`].
    listed: Vec<u32>,
}

impl Class {
    /// Returns the class with the fitness of this many nodes for it.
    pub(super) fn new(
        category: CategoryIndex,
        requirement: Requirement,
        node_count: usize,
        fit: impl Fn(Slot) -> Result<Fit, Obstacle>,
    ) -> Self {
        let mut class = Self {
            category,
            requirement,
            fits: Vec::new(),
            tree: Tree::default(),
            states: Vec::new(),
            used: 0,
            listed: Vec::new(),
        };
        class.grow(node_count);
        for slot in (0..node_count).map(Slot::new) {
            class.set_fit(slot, fit(slot));
        }
        class
    }

    pub(super) fn category(&self) -> CategoryIndex {
        self.category
    }

    /// Returns the fitness of the node.
    pub(super) fn fit(&self, slot: Slot) -> Result<Fit, Obstacle> {
        self.fits[slot.index()]
    }

    fn set_fit(&mut self, slot: Slot, fit: Result<Fit, Obstacle>) {
        self.fits[slot.index()] = fit;
        self.touch(slot);
    }

    fn grow(&mut self, node_count: usize) {
        self.fits.resize(node_count, Err(Obstacle::NotOffered));
        self.states.resize(node_count, KeyState::Current);
        let more = node_count.saturating_sub(self.listed.len());
        self.listed.reserve(more);
        self.tree.grow(node_count);
    }

    fn touch_all(&mut self) {
        (0..self.states.len()).for_each(|slot| self.touch(Slot::new(slot)));
    }

    /// Marks a node whose cost may have changed.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "there are fewer nodes than 2^32"
    )]
    pub(super) fn touch(&mut self, slot: Slot) {
        let state = &mut self.states[slot.index()];
        if std::mem::replace(state, KeyState::Listed) != KeyState::Listed {
            self.listed.push(slot.index() as u32);
        }
    }

    /// Marks a node whose cost cannot have fallen.
    fn raise(&mut self, slot: Slot) {
        let state = &mut self.states[slot.index()];
        if *state == KeyState::Current {
            *state = KeyState::Risen;
        }
    }

    /// Removes and returns one of the nodes whose cost may be anything.
    pub(super) fn take_listed(&mut self) -> Option<Slot> {
        self.listed.pop().map(|slot| Slot::new(slot as usize))
    }

    /// Updates a key; `None` keeps the node from winning.
    pub(super) fn set(&mut self, slot: Slot, key: Option<u64>) {
        self.states[slot.index()] = KeyState::Current;
        self.tree.set(slot.index(), key.unwrap_or(NEVER));
    }

    pub(super) fn key(&self, slot: Slot) -> u64 {
        self.tree.key(slot.index())
    }

    /// Returns the node with the smallest key.
    pub(super) fn winner(&self) -> Option<(Slot, KeyState)> {
        let slot = self.tree.winner()?;
        Some((Slot::new(slot), self.states[slot]))
    }
}

/// The classes that have an index.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes {
    all: Vec<Class>,
    /// Number of requests for a best node.
    requests: u64,
}

impl Classes {
    pub(super) fn find(
        &self,
        category: CategoryIndex,
        requirement: &Requirement,
    ) -> Option<ClassIndex> {
        let is_same =
            |class: &Class| class.category == category && class.requirement == *requirement;
        self.all.iter().position(is_same).map(ClassIndex::new)
    }

    /// Adds a class, in the place of the least recently used one if there are too many.
    pub(super) fn add(&mut self, class: Class) -> ClassIndex {
        if self.all.len() < CLASSES_MAX {
            self.all.push(class);
            return ClassIndex::new(self.all.len() - 1);
        }
        let oldest = (0..self.all.len()).min_by_key(|at| self.all[*at].used);
        let oldest = oldest.expect("there are many classes");
        self.all[oldest] = class;
        ClassIndex::new(oldest)
    }

    pub(super) fn get(&self, class: ClassIndex) -> &Class {
        &self.all[class.index()]
    }

    pub(super) fn get_mut(&mut self, class: ClassIndex) -> &mut Class {
        &mut self.all[class.index()]
    }

    /// Records a request for the best node of the class.
    pub(super) fn record_use(&mut self, class: ClassIndex) {
        self.requests += 1;
        self.all[class.index()].used = self.requests;
    }

    /// Adds a node, which is one of this many; its fitness is still to be set.
    pub(super) fn add_node(&mut self, slot: Slot, node_count: usize) {
        for class in &mut self.all {
            class.grow(node_count);
            class.fits[slot.index()] = Err(Obstacle::NotOffered);
        }
    }

    pub(super) fn remove_node(&mut self, slot: Slot) {
        self.touch(slot);
        for class in &mut self.all {
            class.fits[slot.index()] = Err(Obstacle::Gone);
        }
    }

    /// Recomputes the fitness of the node for each class.
    pub(super) fn refit(
        &mut self,
        slot: Slot,
        fit: impl Fn(CategoryIndex, &Requirement) -> Result<Fit, Obstacle>,
    ) {
        for class in &mut self.all {
            let fit = fit(class.category, &class.requirement);
            class.set_fit(slot, fit);
        }
    }

    /// Marks all nodes in all classes.
    pub(super) fn touch_all(&mut self) {
        self.all.iter_mut().for_each(Class::touch_all);
    }

    /// Marks all nodes in the classes of the category.
    pub(super) fn touch_category(&mut self, category: CategoryIndex) {
        let classes = self.all.iter_mut();
        let classes = classes.filter(|class| class.category == category);
        classes.for_each(Class::touch_all);
    }

    /// Marks a node whose cost may have changed.
    pub(super) fn touch(&mut self, slot: Slot) {
        for class in &mut self.all {
            // If it does not suit the class, its figures do not matter.
            if class.fits[slot.index()].is_ok() {
                class.touch(slot);
            }
        }
    }

    /// Marks a node whose cost cannot have fallen.
    pub(super) fn raise(&mut self, slot: Slot) {
        self.all.iter_mut().for_each(|class| class.raise(slot));
    }
}

/// Returns the order of nodes as a number: the cost, then chance.
pub(crate) fn key(estimate: Estimate, chance: u32) -> u64 {
    // The bit patterns of non-negative numbers are in the order of the numbers.
    u64::from(estimate.cost.max(0.0).to_bits()) << 32 | u64::from(chance)
}
