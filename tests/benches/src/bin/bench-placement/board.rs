//! Board benchmark: all nodes, indexed by the cost of a job there.

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use rolecast_common::label::Requirement;
use rolecast_dispatcher::placement::{
    Board, CategoryIndex, ClassIndex, Fit, Foreseen, NodeFigures, Obstacle, Outlook, Slot, amounts,
};
use rolecast_dispatcher::profile::Learner;
use rolecast_forecast::BUCKETS;
use rolecast_tests::cpu;

use super::ALLOCATOR;
use super::hosts::{Host, KINDS, Mix};

/// Decisions of a round.
const ROUND: usize = 100_000;
/// Times that each node's figures change in a round.
const UPDATES: usize = 4;

/// A board during its work.
pub(crate) struct Measured {
    board: Board,
    hosts: Vec<Host>,
    classes: Vec<ClassIndex>,
    /// Nodes of the jobs of each category.
    in_hand: Vec<Vec<Slot>>,
    rng: Rng,
    second: u32,
}

impl Measured {
    pub(crate) fn new(nodes: u32, seed: u64) -> anyhow::Result<Self> {
        let hosts: Result<Vec<Host>, _> =
            (0..nodes).map(|number| Host::new(number, seed)).collect();
        let mut measured = Self {
            board: Board::new(Outlook::Ahead, seed),
            hosts: hosts?,
            classes: Vec::new(),
            in_hand: vec![Vec::new(); KINDS.len()],
            rng: Rng::with_seed(seed),
            second: 0,
        };
        for host in &measured.hosts {
            let slot = measured
                .board
                .add_node(NodeFigures::new(amounts(host.beat.capacity)));
            measured.board.set_jobs_max(slot, host.beat.jobs_max);
        }
        measured.add_classes()?;
        measured.update();
        measured.fill(nodes)?;
        Ok(measured)
    }

    fn add_classes(&mut self) -> anyhow::Result<()> {
        for kind in &KINDS {
            let policy = kind.policy()?;
            let learner = Learner::new(policy.profile, policy.weights);
            let category = self.board.add_category(&policy.category, *learner.needs());
            let fit = |slot: Slot| {
                let beat = &self.hosts[slot.index()].beat;
                let rank = policy.role_rank(&beat.roles).ok_or(Obstacle::Role)?;
                Ok(Fit {
                    rank: u8::try_from(rank).unwrap_or(u8::MAX),
                    jobs_max: beat.jobs_max,
                })
            };
            let class = self.board.add_class(category, &Requirement::default(), fit);
            self.classes.push(class);
        }
        Ok(())
    }

    fn fill(&mut self, nodes: u32) -> anyhow::Result<()> {
        for (category, kind) in KINDS.iter().enumerate() {
            for _ in 0..kind.in_hand(nodes) {
                let slot = self.board.best(self.classes[category]);
                let slot = slot.context("a new fleet has room")?;
                self.board.reserve(slot, CategoryIndex::new(category));
                self.in_hand[category].push(slot);
            }
        }
        Ok(())
    }

    /// Returns the CPU time of one decision, in nanoseconds: the choice, and the changes
    /// of the board as the job is sent and as another one ends.
    pub(crate) fn decide(&mut self, mix: Mix) -> anyhow::Result<f64> {
        let categories = mix.draw(ROUND, &mut self.rng);
        let allocated = ALLOCATOR.total_allocated();
        let begun = cpu::time();
        let sent: usize = categories
            .iter()
            .map(|category| self.place(*category))
            .sum();
        let spent = cpu::time() - begun;
        let allocated = ALLOCATOR.total_allocated() - allocated;
        ensure!(
            allocated == 0,
            "{allocated} bytes were allocated for {ROUND} decisions"
        );
        ensure!(sent == ROUND, "of {ROUND} jobs {sent} were sent");
        Ok(spent.as_secs_f64() * 1e9 / ROUND as f64)
    }

    /// Places a job and ends another of its category; returns the number of placed jobs.
    fn place(&mut self, category: usize) -> usize {
        let Some(slot) = self.board.best(self.classes[category]) else {
            return 0;
        };
        let index = CategoryIndex::new(category);
        self.board.reserve(slot, index);
        let place = self.rng.usize(..self.in_hand[category].len());
        let ended = std::mem::replace(&mut self.in_hand[category][place], slot);
        self.board.release(ended, index, false);
        1
    }

    /// Returns the CPU time of new figures of a node, in nanoseconds, including each
    /// class' index.
    pub(crate) fn update(&mut self) -> f64 {
        let mut spent = 0.0;
        for _ in 0..UPDATES {
            self.second += 1;
            let second = self.second;
            let beats = self.hosts.iter_mut().map(|host| host.beat(second).usage);
            let present: Vec<_> = beats.map(|usage| amounts(usage.total)).collect();
            let begun = cpu::time();
            for (slot, present) in present.into_iter().enumerate() {
                self.board.update(Slot::new(slot), |figures| {
                    figures.present = present;
                    figures.ahead = Foreseen::new(&[present; BUCKETS]);
                });
            }
            for class in &self.classes {
                std::hint::black_box(self.board.best(*class));
            }
            spent += (cpu::time() - begun).as_secs_f64();
        }
        spent * 1e9 / (UPDATES * self.hosts.len()) as f64
    }
}
