//! Property tests: the bounds hold for any readings in heartbeats.

use proptest::prelude::*;

use super::*;

fn any_reading() -> impl Strategy<Value = Reading> {
    let cores = || {
        prop_oneof![
            4 => (0.0..12.0).prop_map(Cores::clamped),
            1 => Just(Cores::clamped(f64::MAX)),
            1 => Just(Cores::ZERO),
        ]
    };
    let slow_down = prop_oneof![Just(1.0), 0.5..4.0_f32, Just(f32::NAN), Just(f32::MAX)];
    (
        cores(),
        cores(),
        cores(),
        cores(),
        proptest::option::of(0.0..1.0),
        slow_down,
    )
        .prop_map(
            |(used, jobs, upper, ahead_upper, pressure, slow_down)| Reading {
                capacity: Cores::clamped(10.0),
                used,
                jobs,
                upper,
                ahead_upper,
                pressure: pressure.map(Share::clamped),
                slow_down,
            },
        )
}

fn all_finite(assessment: &Assessment) -> bool {
    let figures = [
        assessment.benefit_core_s,
        assessment.cost_core_s,
        assessment.regret_s,
        assessment.needed_s,
        assessment.change_s,
        assessment.episode.elapsed_s,
        assessment.episode.remaining_s,
        assessment.recent_changes,
        assessment.holder.load,
        assessment.holder.missed,
        assessment.target.map_or(0.0, |target| target.load),
        assessment.target.map_or(0.0, |target| target.missed),
    ];
    figures.into_iter().all(f64::is_finite)
}

/// A stretch in which the readings of all nodes are constant: its length, and the nodes
/// that send heartbeats.
type Stretch = (u64, [Option<Reading>; 3]);

fn any_stretch() -> impl Strategy<Value = Stretch> {
    let reading = || proptest::option::weighted(0.9, any_reading());
    (1..90_u64, [reading(), reading(), reading()])
}

proptest! {
    #[test]
    fn whatever_is_read_bounds_hold_and_targets_are_known_to_be_well(
        stretches in proptest::collection::vec(any_stretch(), 1..60),
        is_committed in any::<bool>(),
    ) {
        let bound = 3;
        let mut judge = Judge::new(Settings {
            change_cost: Duration::from_secs(2),
            term: Duration::from_secs(60),
            changes_per_hour: bound,
            ..settings()
        });
        let names: Vec<NodeId> = (0..3).map(|n| NodeId::new(&format!("n{n}")).unwrap()).collect();
        let (mut second, mut holder) = (0, 0);
        let mut heard = [None::<(u64, Reading)>; 3];
        let mut moves: Vec<u64> = Vec::new();
        for (length, readings) in stretches {
            for _ in 0..length {
                second += 1;
                let now = Time::from_start(Duration::from_secs(second));
                for (node, reading) in readings.iter().enumerate() {
                    if let Some(reading) = reading {
                        judge.observe(now, &names[node], reading);
                        heard[node] = Some((second, *reading));
                    }
                }
                let verdict = judge.decide(now, &names[holder], &names);
                prop_assert!(all_finite(verdict.assessment()), "{verdict:?}");
                let (Verdict::Move { to, .. } | Verdict::Restore { to, .. }) = verdict else {
                    continue;
                };
                let node = names.iter().position(|name| *name == to).unwrap();
                prop_assert_ne!(node, holder);
                let (at, reading) = heard[node].expect("the target sent readings");
                prop_assert!(second - at < 3, "stale");
                let own = (reading.used.get() - reading.jobs.get()).max(0.0) / 10.0;
                prop_assert!(own < node::LIMIT, "hot: {own}");
                moves.push(second);
                let recent = moves.iter().filter(|at| second - **at < 3600).count();
                prop_assert!(recent <= bound as usize, "{moves:?}");
                if is_committed {
                    holder = node;
                    judge.record(
                        now,
                        &Change {
                            purpose: Purpose::Relief,
                            from: None,
                            to: Some(to),
                            is_done: true,
                            ended: Duration::ZERO,
                            length: Duration::from_secs(1),
                        },
                    );
                }
            }
        }
    }
}
