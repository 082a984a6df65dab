//! Tests of the chosen node, and of the index against a look at all nodes.

use proptest::prelude::*;
use rolecast_common::id::Category;
use rolecast_common::label::Requirement;
use rolecast_common::resource::Resource;
use rolecast_forecast::BUCKETS;

use super::cost::estimate;
use super::*;
use crate::category::Weights;

const GIB: f32 = 1024.0 * 1024.0 * 1024.0;
const FIT: Fit = Fit {
    rank: 0,
    jobs_max: 100,
};

fn needs() -> Needs {
    let mut stay = [0.0; BUCKETS];
    stay[0] = 1.0;
    Needs {
        average: Amounts::new([1.0, 0.1 * GIB, 0.0, 0.0]),
        memory_peak: 0.0,
        memory_declared: 0.0,
        duration_s: 0.02,
        stay,
        reach: 1,
        weights: Weights::default(),
    }
}

fn figures(cores: f32) -> NodeFigures {
    NodeFigures::new(Amounts::new([cores, 8.0 * GIB, 0.0, 0.0]))
}

fn cost(node: &NodeFigures, job: &Needs) -> f32 {
    estimate(node, job, 0, Outlook::Ahead, 0.0).cost
}

fn using(figures: NodeFigures, cores: f32) -> NodeFigures {
    let used = Amounts::new([cores, 0.0, 0.0, 0.0]);
    NodeFigures {
        present: used,
        ahead: Foreseen::new(&[used; BUCKETS]),
        ..figures
    }
}

/// Returns a forecast of so much use in one bucket, and none in the others.
fn only_in(bucket: usize, used: Amounts) -> Foreseen {
    let mut buckets = [Amounts::default(); BUCKETS];
    buckets[bucket] = used;
    Foreseen::new(&buckets)
}

#[test]
fn an_idle_node_costs_a_run_and_the_delay_of_its_neighbours() {
    let found = estimate(&figures(1000.0), &needs(), 0, Outlook::Ahead, 0.0);
    assert!((found.slow_down - 1.0).abs() < 0.03, "{found:?}");
    let full = using(figures(4.0), 7.0);
    let found = estimate(&full, &needs(), 0, Outlook::Ahead, 0.0);
    // 1 + 0.15 of interference and 1 of queueing.
    assert!((found.slow_down - 2.15).abs() < 0.03, "{found:?}");
}

#[test]
fn what_makes_a_node_worse_makes_it_cost_more() {
    let idle = figures(4.0);
    let base = cost(&idle, &needs());
    let mut sent = idle;
    sent.reserved[Resource::Cpu] = 3.0;
    for worse in [
        using(idle, 3.0),
        sent,
        NodeFigures { speed: 0.5, ..idle },
        NodeFigures {
            feedback: 2.0,
            ..idle
        },
        NodeFigures {
            round_trip_s: 0.1,
            ..idle
        },
    ] {
        assert!(cost(&worse, &needs()) > 1.05 * base, "{worse:?}");
    }
    let second = estimate(&idle, &needs(), 1, Outlook::Ahead, 0.0).cost;
    assert!((second - base - 0.25).abs() < 1e-5);
}

#[test]
fn a_long_job_avoids_what_a_short_one_does_not_live_to_see() {
    let mut later = figures(4.0);
    later.ahead = only_in(4, Amounts::new([4.0, 0.0, 0.0, 0.0]));
    let busy = using(figures(4.0), 1.5);
    let mut long = needs();
    long.stay = [0.01, 0.02, 0.07, 0.3, 0.4, 0.2];
    assert!(cost(&later, &needs()) < cost(&busy, &needs()));
    assert!(cost(&later, &long) > cost(&busy, &long));
    let by_heartbeat = |node| estimate(node, &long, 0, Outlook::Present, 0.0).cost;
    assert!(by_heartbeat(&later) < by_heartbeat(&busy));
}

#[test]
fn only_resources_that_the_job_uses_slow_it_down() {
    let mut node = NodeFigures::new(Amounts::new([4.0, 8.0 * GIB, 0.0, 1e8]));
    node.present[Resource::Disk] = 2e8;
    let writes = Needs {
        average: Amounts::new([1.0, 0.1 * GIB, 0.0, 1e7]),
        ..needs()
    };
    assert!(cost(&node, &writes) > 1.5 * cost(&node, &needs()));
    // An unknown capacity is no limit.
    node.capacity[Resource::Disk] = 0.0;
    assert!((cost(&node, &writes) - cost(&node, &needs())).abs() < 1e-3);
}

#[test]
fn memory_is_a_hard_limit_on_the_peak_that_is_predicted() {
    let job = Needs {
        average: Amounts::new([1.0, 2.0 * GIB, 0.0, 0.0]),
        memory_peak: 1.0 * GIB,
        memory_declared: 3.0 * GIB,
        reach: 4,
        ..needs()
    };
    let admitted_as = |figures: NodeFigures, job: Needs| {
        let mut board = Board::new(Outlook::Ahead, 0);
        let category = board.add_category(&Category::new("c").unwrap(), job);
        let slot = board.add_node(figures);
        board.set_jobs_max(slot, 10);
        board.admit(slot, category, FIT)
    };
    let admitted = |figures: NodeFigures| admitted_as(figures, job);
    let node = figures(4.0);
    assert!(admitted(node).is_ok());
    let mut soon = node;
    soon.ahead = only_in(3, Amounts::new([0.0, 5.0 * GIB, 0.0, 0.0]));
    assert_eq!(admitted(soon), Err(Obstacle::Memory));
    let mut late = node;
    late.ahead = only_in(5, Amounts::new([0.0, 5.0 * GIB, 0.0, 0.0]));
    assert!(admitted(late).is_ok(), "it ends before that");
    let beside = NodeFigures {
        memory_excess: 5.0 * GIB,
        ..node
    };
    assert_eq!(admitted(beside), Err(Obstacle::Memory));
    let claimed = NodeFigures {
        memory_claimed: 5.0 * GIB,
        ..node
    };
    assert_eq!(admitted(claimed), Err(Obstacle::Memory));
    let small = NodeFigures::new(Amounts::new([4.0, 3.0 * GIB, 0.0, 0.0]));
    assert_eq!(admitted(small), Err(Obstacle::TooSmall));
    let learned = Needs {
        memory_declared: 0.1 * GIB,
        ..job
    };
    assert_eq!(admitted_as(small, learned), Err(Obstacle::Outgrown));
}

#[test]
fn jobs_sent_between_two_heartbeats_spread() {
    let (mut board, category, class) = board(10);
    let mut counts = [0; 10];
    for _ in 0..100 {
        let slot = board.best(class).unwrap();
        board.reserve(slot, category);
        counts[slot.index()] += 1;
    }
    assert!(
        counts.iter().all(|count| (8..=12).contains(count)),
        "{counts:?}"
    );
}

/// Returns this many idle nodes.
fn board(count: usize) -> (Board, CategoryIndex, ClassIndex) {
    let mut board = Board::new(Outlook::Ahead, 7);
    let category = board.add_category(&Category::new("c").unwrap(), needs());
    for _ in 0..count {
        let slot = board.add_node(figures(4.0));
        board.set_jobs_max(slot, 100);
    }
    let any = Requirement::default();
    let class = board.add_class(category, &any, |_| Ok(FIT));
    (board, category, class)
}

/// Nodes of the property test, and the classes, of a category each.
const NODES: usize = 5;
const CLASSES: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize, usize),
    Release(usize, usize),
    Use(usize, u8),
    Stand(usize, bool),
    Settle(usize),
    Need(usize, u8),
    Share(u8),
    Refuse(usize, usize, bool),
    Limit(usize, u32),
    Refit(usize, usize, Result<Fit, Obstacle>),
    Leave(usize),
    Join(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..NODES;
    let both = (0..NODES, 0..CLASSES);
    let fit = prop_oneof![
        Just(Err(Obstacle::Label)),
        (0u8..2, 0u32..3).prop_map(|(rank, jobs_max)| Ok(Fit { rank, jobs_max })),
    ];
    prop_oneof![
        4 => both.clone().prop_map(|(node, class)| Step::Reserve(node, class)),
        4 => both.clone().prop_map(|(node, class)| Step::Release(node, class)),
        2 => (node.clone(), 0u8..8).prop_map(|(node, cores)| Step::Use(node, cores)),
        1 => (node.clone(), any::<bool>()).prop_map(|(node, open)| Step::Stand(node, open)),
        1 => node.clone().prop_map(Step::Settle),
        1 => (0..CLASSES, 1u8..4).prop_map(|(class, cores)| Step::Need(class, cores)),
        1 => (0u8..4).prop_map(Step::Share),
        1 => (both.clone(), any::<bool>()).prop_map(|((node, class), is)| Step::Refuse(node, class, is)),
        1 => (node.clone(), 0u32..4).prop_map(|(node, limit)| Step::Limit(node, limit)),
        1 => (both, fit).prop_map(|((node, class), fit)| Step::Refit(node, class, fit)),
        1 => node.clone().prop_map(Step::Leave),
        2 => node.prop_map(Step::Join),
    ]
}

/// A board, and the model of its content.
struct Model {
    board: Board,
    classes: [ClassIndex; CLASSES],
    nodes: [Option<Known>; NODES],
}

#[derive(Clone, Copy)]
struct Known {
    slot: Slot,
    counts: [u32; CLASSES],
    fits: [Result<Fit, Obstacle>; CLASSES],
}

impl Model {
    fn new() -> Self {
        let mut board = Board::new(Outlook::Ahead, 7);
        let classes = ["c", "d"].map(|name| {
            let category = board.add_category(&Category::new(name).unwrap(), needs());
            board.add_class(category, &Requirement::default(), |_| Ok(FIT))
        });
        let mut model = Self {
            board,
            classes,
            nodes: [None; NODES],
        };
        (0..NODES - 1).for_each(|node| model.join(node));
        model
    }

    fn join(&mut self, node: usize) {
        if self.nodes[node].is_some() {
            return;
        }
        let slot = self.board.add_node(figures(4.0));
        self.board.refit(slot, |_, _| Ok(FIT));
        self.board.set_jobs_max(slot, 3);
        self.nodes[node] = Some(Known {
            slot,
            counts: [0; CLASSES],
            fits: [Ok(FIT); CLASSES],
        });
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Join(node) => self.join(node),
            Step::Need(class, cores) => {
                let mut needs = needs();
                needs.average[Resource::Cpu] = f32::from(cores);
                self.board.set_needs(CategoryIndex::new(class), needs);
            }
            Step::Share(quarters) => self.board.set_priority_share(f32::from(quarters) / 4.0),
            Step::Reserve(node, _)
            | Step::Release(node, _)
            | Step::Use(node, _)
            | Step::Stand(node, _)
            | Step::Settle(node)
            | Step::Refuse(node, ..)
            | Step::Limit(node, _)
            | Step::Refit(node, ..)
            | Step::Leave(node) => self.change(node, step),
        }
    }

    /// Changes a node that is there.
    fn change(&mut self, node: usize, step: &Step) {
        let (board, Some(known)) = (&mut self.board, &mut self.nodes[node]) else {
            return;
        };
        let slot = known.slot;
        match *step {
            Step::Reserve(_, class) => {
                board.reserve(slot, CategoryIndex::new(class));
                known.counts[class] += 1;
            }
            Step::Release(_, class) if known.counts[class] > 0 => {
                board.release(slot, CategoryIndex::new(class), class == 0);
                known.counts[class] -= 1;
            }
            Step::Use(_, cores) => {
                let used = using(figures(4.0), f32::from(cores));
                board.update(slot, |figures| figures.ahead = used.ahead);
            }
            Step::Stand(_, is_open) => {
                let availability = if is_open {
                    Availability::Open
                } else {
                    Availability::Gone
                };
                board.set_availability(slot, availability);
            }
            Step::Settle(_) => board.settle(slot, &Amounts::new([0.0, GIB, 0.0, 0.0]), 0.5),
            Step::Refuse(_, class, is_refused) => {
                let why = is_refused.then_some(Obstacle::Refused);
                board.set_refused(slot, CategoryIndex::new(class), why);
            }
            Step::Limit(_, limit) => board.set_jobs_max(slot, limit),
            Step::Refit(_, class, fit) => {
                known.fits[class] = fit;
                board.refit(slot, |category, _| known.fits[category.index()]);
            }
            Step::Leave(_) if known.counts == [0; CLASSES] => {
                board.remove_node(slot);
                self.nodes[node] = None;
            }
            Step::Release(..)
            | Step::Leave(_)
            | Step::Need(..)
            | Step::Share(_)
            | Step::Join(_) => {}
        }
    }

    fn check(&mut self) {
        let known: Vec<Known> = self.nodes.iter().flatten().copied().collect();
        for class in 0..CLASSES {
            let category = CategoryIndex::new(class);
            let board = &mut self.board;
            let best = board.best(self.classes[class]);
            let cost = |known: &Known| {
                let found = known.fits[class]
                    .and_then(|fit| board.estimate(known.slot, category, fit, Outlook::Ahead));
                found.ok().map(|found| found.cost)
            };
            let least = known.iter().filter_map(cost).reduce(f32::min);
            let best = best.map(|slot| known.iter().find(|known| known.slot == slot));
            let best = best.map(|known| known.expect("it is there"));
            assert_eq!(best.and_then(cost), least);
            let total: u32 = known.iter().map(|known| known.counts[class]).sum();
            assert_eq!(board.total_of(category), total);
        }
        for node in known {
            let figures = self.board.figures(node.slot);
            let count: u32 = node.counts.iter().sum();
            assert_eq!(self.board.jobs(node.slot), count);
            assert!(figures.reserved.iter().all(|amount| *amount >= 0.0));
            assert!(figures.memory_spread >= 0.0 && figures.memory_excess >= 0.0);
            if count == 0 {
                assert_eq!(figures.reserved, Amounts::default());
            }
        }
    }
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_look_at_all_and_nothing_goes_below_zero(
        steps in proptest::collection::vec(step(), 1..100),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.take(&step);
            model.check();
        }
    }

    #[test]
    fn whatever_a_node_reports_its_cost_is_a_number(
        cores in prop_oneof![Just(0.0f32), Just(f32::NAN), Just(f32::INFINITY), 0.1f32..1e6],
        used in prop_oneof![Just(-1.0f32), Just(f32::NAN), Just(f32::INFINITY), 0.0f32..1e6],
        speed in prop_oneof![Just(0.0f32), Just(f32::NAN), 0.1f32..10.0],
    ) {
        let node = NodeFigures { speed, ..using(figures(cores), used) };
        prop_assert!(cost(&node, &needs()).is_finite());
    }
}
