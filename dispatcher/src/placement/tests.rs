//! Which node is chosen, and that the index chooses as a look at all would.

use proptest::prelude::*;
use rolecast_common::id::Category;
use rolecast_common::label::Requirement;

use super::*;
use crate::forecast::BUCKETS;

const GIB: f32 = 1024.0 * 1024.0 * 1024.0;
const FIT: Fit = Fit {
    rank: 0,
    jobs_max: 100,
};

fn needs() -> Needs {
    let mut stay = [0.0; BUCKETS];
    stay[0] = 1.0;
    Needs {
        average: [1.0, 0.1 * GIB, 0.0, 0.0],
        memory_peak: 0.0,
        duration_s: 0.02,
        stay,
        reach: 1,
        weights: Weights::default(),
    }
}

fn figures(cores: f32) -> Figures {
    Figures::new([cores, 8.0 * GIB, 0.0, 0.0])
}

fn cost(node: &Figures, job: &Needs) -> f32 {
    estimate(node, job, 0, Outlook::Ahead, 0.0).cost
}

fn using(figures: Figures, cores: f32) -> Figures {
    let used = [cores, 0.0, 0.0, 0.0];
    Figures {
        present: used,
        ahead: [used; BUCKETS],
        ..figures
    }
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
    sent.reserved[0] = 3.0;
    for worse in [
        using(idle, 3.0),
        sent,
        Figures { speed: 0.5, ..idle },
        Figures {
            feedback: 2.0,
            ..idle
        },
        Figures {
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
    later.ahead[4] = [4.0, 0.0, 0.0, 0.0];
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
    let mut node = Figures::new([4.0, 8.0 * GIB, 0.0, 1e8]);
    node.present[3] = 2e8;
    let writes = Needs {
        average: [1.0, 0.1 * GIB, 0.0, 1e7],
        ..needs()
    };
    assert!(cost(&node, &writes) > 1.5 * cost(&node, &needs()));
    // A capacity nobody knows is no limit.
    node.capacity[3] = 0.0;
    assert!((cost(&node, &writes) - cost(&node, &needs())).abs() < 1e-3);
}

#[test]
fn memory_is_a_hard_limit_on_the_peak_that_is_predicted() {
    let job = Needs {
        average: [1.0, 2.0 * GIB, 0.0, 0.0],
        memory_peak: 1.0 * GIB,
        reach: 4,
        ..needs()
    };
    let name = Category::new("c").unwrap();
    let admitted = |figures: Figures| {
        let mut board = Board::new(Outlook::Ahead, 0);
        let category = board.add_category(&name, job);
        let slot = board.add_node(figures);
        board.set_jobs_max(slot, 10);
        board.admit(slot, category, FIT)
    };
    let node = figures(4.0);
    assert!(admitted(node).is_ok());
    let mut soon = node;
    soon.ahead[3][1] = 5.0 * GIB;
    assert_eq!(admitted(soon), Err(Obstacle::Memory));
    let mut late = node;
    late.ahead[5][1] = 5.0 * GIB;
    assert!(admitted(late).is_ok(), "it ends before that");
    let beside = Figures {
        memory_excess: 5.0 * GIB,
        ..node
    };
    assert_eq!(admitted(beside), Err(Obstacle::Memory));
    let claimed = Figures {
        memory_claimed: 5.0 * GIB,
        ..node
    };
    assert_eq!(admitted(claimed), Err(Obstacle::Memory));
    let small = Figures::new([4.0, 3.0 * GIB, 0.0, 0.0]);
    assert_eq!(admitted(small), Err(Obstacle::TooSmall));
}

#[test]
fn jobs_sent_between_two_heartbeats_spread() {
    let (mut board, category, class) = board(10);
    let mut counts = [0; 10];
    for _ in 0..100 {
        let slot = board.best(class).unwrap();
        board.reserve(slot, category);
        counts[slot] += 1;
    }
    assert!(
        counts.iter().all(|count| (8..=12).contains(count)),
        "{counts:?}"
    );
}

/// Returns so many idle nodes.
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

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize),
    Release(usize),
    Use(usize, u8),
    Stand(usize, bool),
    Settle(usize),
    Need(u8),
    Share(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0usize..6;
    prop_oneof![
        3 => node.clone().prop_map(Step::Reserve),
        3 => node.clone().prop_map(Step::Release),
        2 => (node.clone(), 0u8..8).prop_map(|(node, cores)| Step::Use(node, cores)),
        1 => (node.clone(), any::<bool>()).prop_map(|(node, open)| Step::Stand(node, open)),
        1 => node.prop_map(Step::Settle),
        1 => (1u8..4).prop_map(Step::Need),
        1 => (0u8..4).prop_map(Step::Share),
    ]
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_look_at_all_and_nothing_goes_below_zero(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let (mut board, category, class) = board(6);
        let mut counts = [0u32; 6];
        for step in steps {
            match step {
                Step::Reserve(slot) => {
                    board.reserve(slot, category);
                    counts[slot] += 1;
                }
                Step::Release(slot) if counts[slot] > 0 => {
                    board.release(slot, category, slot % 2 == 0);
                    counts[slot] -= 1;
                }
                Step::Release(_) => {}
                Step::Use(slot, cores) => {
                    let used = using(figures(4.0), f32::from(cores));
                    board.update(slot, |figures| figures.ahead = used.ahead);
                }
                Step::Stand(slot, is_open) => {
                    let standing = if is_open { Standing::Open } else { Standing::Gone };
                    board.set_standing(slot, standing);
                }
                Step::Settle(slot) => board.settle(slot, [0.0, GIB, 0.0, 0.0]),
                Step::Need(cores) => {
                    let mut needs = needs();
                    needs.average[0] = f32::from(cores);
                    board.set_needs(category, needs);
                }
                Step::Share(quarters) => board.set_priority_share(f32::from(quarters) / 4.0),
            }
            let cost = |slot| board.estimate(slot, category, Ok(FIT), Outlook::Ahead).ok();
            let costs: Vec<_> = (0..6).filter_map(cost).map(|found| found.cost).collect();
            let least = costs.iter().copied().reduce(f32::min);
            let best = board.best(class);
            let found = best.and_then(|slot| {
                board.estimate(slot, category, Ok(FIT), Outlook::Ahead).ok()
            });
            prop_assert_eq!(found.map(|found| found.cost), least);
            for (slot, count) in counts.iter().enumerate() {
                let figures = board.figures(slot);
                prop_assert_eq!(board.jobs(slot), *count);
                prop_assert!(figures.reserved.iter().all(|amount| *amount >= 0.0));
                prop_assert!(figures.memory_spread >= 0.0 && figures.memory_excess >= 0.0);
                if *count == 0 {
                    prop_assert_eq!(figures.reserved, [0.0; RESOURCES]);
                }
            }
            prop_assert_eq!(board.total_of(category), counts.iter().sum::<u32>());
        }
    }

    #[test]
    fn whatever_a_node_says_its_cost_is_a_number(
        cores in prop_oneof![Just(0.0f32), Just(f32::NAN), Just(f32::INFINITY), 0.1f32..1e6],
        used in prop_oneof![Just(-1.0f32), Just(f32::NAN), Just(f32::INFINITY), 0.0f32..1e6],
        speed in prop_oneof![Just(0.0f32), Just(f32::NAN), 0.1f32..10.0],
    ) {
        let node = Figures { speed, ..using(figures(cores), used) };
        prop_assert!(cost(&node, &needs()).is_finite());
    }
}
