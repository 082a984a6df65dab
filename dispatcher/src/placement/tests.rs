//! Who may take a job, and who is best.

use std::time::Duration;

use proptest::prelude::*;
use rolecast_common::id::{Category, NodeId, Role, Sequence};
use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::ForecastMode;

use super::*;
use crate::category::Backoff;
use crate::fleet::tests::{beat, params};
use crate::forecast::Params;

fn policy() -> Policy {
    Policy {
        category: Category::new("ocr").unwrap(),
        declared: true,
        roles: ["follower", "backup"]
            .map(|role| Role::new(role).unwrap())
            .to_vec(),
        profile: Resources {
            cpu: Cores::clamped(1.0),
            memory: Bytes::from_mib(256),
            ..Resources::default()
        },
        duration: Duration::from_secs(1),
        attempts_max: 3,
        backoff: Backoff {
            min: Duration::from_secs(1),
            max: Duration::from_secs(60),
        },
        records_completed: true,
    }
}

/// Builds a fleet of nodes given by name, role and cores used by others.
fn fleet(nodes: &[(&str, &str, f64)]) -> Fleet {
    let mut fleet = Fleet::new(params());
    for (node, role, used) in nodes {
        let mut beat = beat(node, "a", 1);
        beat.roles = vec![Role::new(role).unwrap()];
        beat.usage.total.cpu = Cores::clamped(*used);
        fleet.take(Now::default(), &beat.node, &beat).unwrap();
    }
    fleet
}

fn send(fleet: &mut Fleet, jobs: u64) -> Vec<String> {
    let mut rng = fastrand::Rng::with_seed(1);
    let policy = policy();
    let mut chosen = Vec::new();
    for job in 0..jobs {
        let Ok(node) = place(fleet, &policy, Outlook::Ahead, &mut rng) else {
            break;
        };
        chosen.push(node.to_string());
        let ledger = &mut fleet.get_mut(&node).unwrap().ledger;
        ledger.reserve(Sequence::new(job), &policy.category, policy.profile);
    }
    chosen
}

#[test]
fn between_two_heartbeats_jobs_spread_instead_of_herding() {
    let mut fleet = fleet(&[("n1", "follower", 0.0), ("n2", "follower", 0.1)]);
    let chosen = send(&mut fleet, 6);
    assert_eq!(chosen.iter().filter(|node| *node == "n1").count(), 3);
}

#[test]
fn the_better_role_is_filled_first_but_not_overloaded() {
    let mut fleet = fleet(&[("n1", "backup", 0.0), ("n2", "follower", 1.5)]);
    assert_eq!(send(&mut fleet, 4), ["n2", "n2", "n1", "n1"]);
}

#[test]
fn a_job_that_would_overload_every_node_goes_to_the_least_loaded() {
    let mut fleet = fleet(&[("n1", "follower", 3.9), ("n2", "follower", 3.2)]);
    assert_eq!(send(&mut fleet, 1), ["n2"]);
}

#[test]
fn memory_is_a_hard_limit() {
    let mut fleet = fleet(&[("n1", "follower", 0.0)]);
    let node = fleet.get_mut(&NodeId::new("n1").unwrap()).unwrap();
    let others = Category::new("big").unwrap();
    let needs = Resources {
        memory: Bytes::from_mib(1024 - 255),
        ..Resources::default()
    };
    node.ledger.reserve(Sequence::new(99), &others, needs);
    let mut rng = fastrand::Rng::with_seed(1);
    let shortfall = place(&fleet, &policy(), Outlook::Ahead, &mut rng).unwrap_err();
    assert_eq!(
        (shortfall.memory, shortfall.to_string()),
        (1, "1 without the memory".to_owned())
    );
    assert!(shortfall.is_passing());
}

#[test]
fn every_obstacle_is_named() {
    let mut fleet = fleet(&[
        ("n1", "leader", 0.0),
        ("n2", "follower", 0.0),
        ("n3", "follower", 0.0),
    ]);
    let id = |name| NodeId::new(name).unwrap();
    fleet.get_mut(&id("n2")).unwrap().bounce();
    fleet.get_mut(&id("n3")).unwrap().drain();
    let mut rng = fastrand::Rng::with_seed(1);
    let shortfall = place(&fleet, &policy(), Outlook::Ahead, &mut rng).unwrap_err();
    assert_eq!(
        shortfall.to_string(),
        "1 gone, 1 draining, 1 without a role for it"
    );
    assert!(!shortfall.is_passing());
    let other = Policy {
        category: Category::new("other").unwrap(),
        roles: Vec::new(),
        ..policy()
    };
    assert_eq!(
        place(&fleet, &other, Outlook::Ahead, &mut rng)
            .unwrap_err()
            .not_offered,
        1
    );
}

/// Feeds the nodes heartbeats once a second; `used` tells a node's cores.
fn feed(fleet: &mut Fleet, seconds: u64, used: impl Fn(&str, u64) -> f64) {
    let ids: Vec<NodeId> = fleet.nodes().map(|node| node.id().clone()).collect();
    for second in 0..seconds {
        let elapsed = Duration::from_secs(second);
        let now = Now {
            time: Time::from_start(elapsed),
            wall: WallTime::from_millis(1_700_000_000_000) + elapsed,
        };
        for id in &ids {
            let mut beat = beat(id.as_str(), "a", 2 + second);
            beat.roles = fleet.get(id).unwrap().roles().to_vec();
            beat.usage.total.cpu = Cores::clamped(used(id.as_str(), second));
            fleet.take(now, id, &beat).unwrap();
        }
    }
}

/// A follower that is busy for a minute in three, and idle at the end of `feed`,
/// and a backup that never is.
fn bursting() -> Fleet {
    let mut fleet = fleet(&[("n1", "follower", 0.0), ("n2", "backup", 0.0)]);
    feed(&mut fleet, 3600, |node, second| {
        match (node, second % 180) {
            ("n1", 0..60) => 3.9,
            _ => 0.3,
        }
    });
    fleet
}

fn choice(fleet: &Fleet, policy: &Policy, outlook: Outlook) -> String {
    let mut rng = fastrand::Rng::with_seed(1);
    place(fleet, policy, outlook, &mut rng).unwrap().to_string()
}

#[test]
fn a_job_that_stays_goes_around_a_burst_that_is_expected() {
    let fleet = bursting();
    let long = Policy {
        duration: Duration::from_secs(300),
        ..policy()
    };
    assert_eq!(choice(&fleet, &long, Outlook::Ahead), "n2");
    assert_eq!(choice(&fleet, &long, Outlook::Present), "n1");
}

#[test]
fn without_forecasts_both_outlooks_are_the_present() {
    let mut fleet = Fleet::new(Params {
        mode: ForecastMode::Off,
        ..params()
    });
    let beat = beat("n1", "a", 1);
    fleet.take(Now::default(), &beat.node, &beat).unwrap();
    let node = fleet.nodes().next().unwrap();
    assert!(node.forecast().is_none());
    let ahead = Ahead::covering(Duration::from_secs(900));
    assert_eq!(node.predicted_use(ahead), node.present_use());
}

#[test]
fn a_forecast_of_memory_diverts_and_never_refuses() {
    let mut fleet = fleet(&[("n1", "follower", 0.0), ("n2", "backup", 0.0)]);
    let wide = Policy {
        profile: Resources {
            memory: Bytes::from_mib(1024),
            ..Resources::default()
        },
        ..policy()
    };
    assert_eq!(choice(&fleet, &wide, Outlook::Ahead), "n1");
    let mut now = Now::default();
    for second in 0..1800 {
        now = Now {
            time: now.time + Duration::from_secs(1),
            wall: now.wall + Duration::from_secs(1),
        };
        let mut beat = beat("n1", "a", 2 + second);
        let is_busy = second % 60 < 20;
        beat.usage.total.memory = Bytes::from_mib(if is_busy { 900 } else { 0 });
        fleet.take(now, &beat.node, &beat).unwrap();
    }
    assert_eq!(choice(&fleet, &wide, Outlook::Ahead), "n2");
    fleet.get_mut(&NodeId::new("n2").unwrap()).unwrap().drain();
    assert_eq!(choice(&fleet, &wide, Outlook::Ahead), "n1");
}

proptest! {
    #[test]
    fn a_chosen_node_is_eligible_and_slots_are_never_exceeded(
        nodes in proptest::collection::vec((0usize..3, 0.0f64..5.0), 0..4),
        jobs in 0u64..20,
    ) {
        let roles = ["leader", "backup", "follower"];
        let names = ["n0", "n1", "n2", "n3"];
        let nodes: Vec<(&str, &str, f64)> = nodes
            .iter()
            .enumerate()
            .map(|(index, (role, used))| (names[index], roles[*role], *used))
            .collect();
        let mut fleet = fleet(&nodes);
        let eligible = nodes.iter().filter(|(_, role, _)| *role != "leader").count() as u64;
        let chosen = send(&mut fleet, jobs);
        prop_assert_eq!(chosen.len() as u64, jobs.min(eligible * 4));
        for node in fleet.nodes() {
            prop_assert!(node.jobs() <= node.jobs_max());
            prop_assert!(node.jobs() == 0 || policy().role_rank(node.roles()).is_some());
        }
    }
}
