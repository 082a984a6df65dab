//! Tests of pings: to every node that is there, seldom, and not to all at once; to late
//! ones often.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::{Input, Output, Scheduler};
use super::{heartbeat, machine, node, now, pass};

#[test]
fn each_live_node_is_pinged_about_every_five_seconds_and_not_all_at_once() {
    let mut machine = machine();
    let names: Vec<String> = (0..100).map(|n| format!("n{n}")).collect();
    let mut pinged = BTreeMap::<String, u32>::new();
    let mut numbers = BTreeSet::new();
    for quarter in 0..80_u32 {
        let seconds = f64::from(quarter) / 4.0;
        if quarter % 4 == 0 {
            for name in &names {
                let beat = heartbeat(name, "a", u64::from(quarter) + 1, vec![]);
                tell(&mut machine, seconds, beat);
            }
        }
        let pings = tell(&mut machine, seconds, Input::Turn);
        assert!(pings.len() < 20, "{} at once", pings.len());
        for (name, number) in pings {
            *pinged.entry(name).or_default() += 1;
            assert!(numbers.insert(number), "{number} is there twice");
        }
    }
    assert_eq!(pinged.len(), 100);
    assert!(
        pinged.values().all(|count| (3..=4).contains(count)),
        "{pinged:?}"
    );
    // Late ones are probed more often; at 30 s all are gone, because this many at once get more
    // time.
    assert!(!tell(&mut machine, 28.0, Input::Turn).is_empty());
    tell(&mut machine, 30.0, Input::Turn);
    for quarter in 0..40 {
        let pings = tell(&mut machine, 30.25 + f64::from(quarter) / 4.0, Input::Turn);
        assert_eq!(pings, []);
    }
}

#[test]
fn round_trips_are_averaged_and_those_of_strangers_ignored() {
    let mut machine = machine();
    tell(&mut machine, 0.0, heartbeat("n1", "a", 1, vec![]));
    let round_trip = |machine: &Scheduler| machine.status(now(0.0)).nodes[0].round_trip_us;
    assert_eq!(round_trip(&machine), None);
    for (name, millis, expected) in [("n1", 4, 4000), ("n1", 8, 5000), ("n2", 9, 5000)] {
        let latency = Input::Latency {
            node: node(name),
            round_trip: Duration::from_millis(millis),
        };
        tell(&mut machine, 0.0, latency);
        assert_eq!(round_trip(&machine), Some(expected));
    }
}

fn tell(machine: &mut Scheduler, seconds: f64, input: Input) -> Vec<(String, u64)> {
    let mut out = Vec::new();
    pass(machine, seconds, &mut out);
    machine.handle(now(seconds), input, &mut out);
    let pings = out.into_iter().filter_map(|output| {
        let Output::Ping { node, number } = output else {
            return None;
        };
        Some((node.to_string(), number))
    });
    pings.collect()
}
