//! Tests of learning the needs of jobs.

use std::time::Duration;

use rolecast_common::resource::Resource;
use rolecast_common::unit::{Bytes, Cores, Resources};

use super::*;

const MIB: f64 = 1024.0 * 1024.0;

fn learner() -> Learner {
    let average = Resources {
        cpu: Cores::clamped(1.0),
        memory: Bytes::from_mib(64),
        ..Resources::default()
    };
    let declared = Profile {
        average,
        peak: average,
        duration: Duration::from_secs(1),
    };
    Learner::new(declared, Weights::default())
}

/// A run of two cores for four seconds on a core of speed 1.
fn seen() -> Observation {
    Observation {
        run_s: 4.0,
        cpu_s: 8.0,
        memory: 256.0 * MIB,
        network_bytes: 4e6,
        disk_bytes: 0.0,
        speed: 1.0,
        slow_down: 1.0,
        capacity: Resources {
            cpu: Cores::clamped(8.0),
            memory: Bytes::from_mib(4096),
            ..Resources::default()
        },
    }
}

fn is_near(found: f32, expected: f64) -> bool {
    (f64::from(found) / expected - 1.0).abs() < 0.1
}

#[test]
fn what_is_declared_holds_until_jobs_report_better() {
    let mut learner = learner();
    assert_eq!(learner.needs().average[Resource::Cpu], 1.0);
    learner.observe(&seen());
    assert!(
        learner.needs().average[Resource::Cpu] < 1.5,
        "one job is not believed"
    );
    for _ in 0..300 {
        learner.observe(&seen());
    }
    let needs = learner.needs();
    assert!(is_near(needs.average[Resource::Cpu], 2.0), "{needs:?}");
    assert!(
        is_near(needs.average[Resource::Memory], 256.0 * MIB),
        "{needs:?}"
    );
    assert!(is_near(needs.average[Resource::Network], 1e6), "{needs:?}");
    assert!(is_near(needs.duration_s, 4.0), "{needs:?}");
}

#[test]
fn the_node_and_its_load_are_factored_out() {
    let mut learner = learner();
    for _ in 0..300 {
        // Twice as fast, but three times as long because of others.
        learner.observe(&Observation {
            run_s: 6.0,
            cpu_s: 4.0,
            speed: 2.0,
            slow_down: 3.0,
            ..seen()
        });
    }
    assert!(
        is_near(learner.needs().duration_s, 4.0),
        "{:?}",
        learner.needs()
    );
    assert!(
        is_near(learner.needs().average[Resource::Cpu], 2.0),
        "{:?}",
        learner.needs()
    );
}

#[test]
fn long_jobs_weigh_the_buckets_they_live_through() {
    let mut learner = learner();
    for _ in 0..100 {
        learner.observe(&Observation {
            run_s: 64.0,
            cpu_s: 64.0,
            ..seen()
        });
    }
    let stay = learner.needs().stay;
    for (share, expected) in stay.iter().zip([0.5, 1.5, 6.0, 24.0, 32.0, 0.0]) {
        assert!(
            (f64::from(*share) - expected / 64.0).abs() < 1e-6,
            "{stay:?}"
        );
    }
    assert_eq!(learner.needs().reach, BUCKETS);
}

#[test]
fn a_rare_peak_of_memory_is_reserved_for() {
    let mut learner = learner();
    for job in 0..200 {
        let memory = if job % 10 == 0 { 1024.0 } else { 128.0 } * MIB;
        learner.observe(&Observation { memory, ..seen() });
    }
    let needs = learner.needs();
    let peak = f64::from(needs.average[Resource::Memory] + needs.memory_peak);
    assert!((1024.0 * MIB..1150.0 * MIB).contains(&peak), "{peak}");
}

#[test]
fn nonsense_is_limited_or_left_out_and_counted() {
    let mut learner = learner();
    let before = *learner.needs();
    for nonsense in [
        Observation {
            run_s: 0.0,
            ..seen()
        },
        Observation {
            run_s: f64::INFINITY,
            ..seen()
        },
        Observation {
            cpu_s: f64::NAN,
            ..seen()
        },
        Observation {
            memory: -1.0,
            ..seen()
        },
    ] {
        learner.observe(&nonsense);
    }
    assert_eq!(*learner.needs(), before);
    for _ in 0..100 {
        learner.observe(&Observation {
            cpu_s: 1e12,
            memory: 1e18,
            ..seen()
        });
    }
    let view = learner.view();
    assert_eq!((view.learned.jobs, view.learned.clamped), (100, 104));
    assert!(learner.needs().average[Resource::Cpu] <= 8.1);
    assert!(view.learned.memory_p95 <= 1.1 * 4096.0 * MIB);
}

#[test]
fn heartbeats_correct_an_average_that_is_wrong_by_half() {
    let mut learner = learner();
    for _ in 0..400 {
        // Six jobs that use two cores each were expected to use one.
        let expected = 6.0 * learner.needs().average[Resource::Cpu];
        learner.calibrate(&Amounts::new([12.0 - expected, 0.0, 0.0, 0.0]), 6.0, 36.0);
    }
    assert!(
        is_near(learner.needs().average[Resource::Cpu], 2.0),
        "{:?}",
        learner.needs()
    );
    // A heartbeat may be nonsense.
    learner.calibrate(
        &Amounts::new([f32::NAN, f32::INFINITY, 0.0, 0.0]),
        6.0,
        36.0,
    );
    assert!(
        is_near(learner.needs().average[Resource::Cpu], 2.0),
        "{:?}",
        learner.needs()
    );
}

#[test]
fn memory_that_jobs_have_not_filled_yet_is_not_promised_to_others() {
    let mut learner = learner();
    for _ in 0..100 {
        learner.calibrate(&Amounts::new([0.0, -1e8, 0.0, 0.0]), 2.0, 4.0);
    }
    assert!(is_near(
        learner.needs().average[Resource::Memory],
        64.0 * MIB
    ));
    learner.calibrate(&Amounts::new([0.0, 1e9, 0.0, 0.0]), 2.0, 4.0);
    assert!(f64::from(learner.needs().average[Resource::Memory]) > 64.0 * MIB);
}

#[test]
fn bytes_that_no_device_moves_are_limited() {
    let mut learner = learner();
    for _ in 0..300 {
        learner.observe(&Observation {
            network_bytes: 1e18,
            disk_bytes: 1e18,
            capacity: Resources {
                disk: rolecast_common::unit::BytesPerSecond::clamped(1e8),
                ..seen().capacity
            },
            ..seen()
        });
    }
    let needs = learner.needs();
    // The capacity of its network is unknown: the limit is that of any machine.
    assert!(needs.average[Resource::Network] <= 1.1e11, "{needs:?}");
    assert!(needs.average[Resource::Disk] <= 1.05e8, "{needs:?}");
    assert_eq!(learner.view().learned.clamped, 300);
}

#[test]
fn memory_is_learned_from_the_outcomes_that_report_it() {
    let mut learner = learner();
    for job in 0..400 {
        let memory = if job % 4 == 0 { 256.0 * MIB } else { 0.0 };
        learner.observe(&Observation { memory, ..seen() });
    }
    let needs = learner.needs();
    assert!(
        is_near(needs.average[Resource::Memory], 256.0 * MIB),
        "{needs:?}"
    );
    // Hundreds of outcomes, but few that report it: the declared peak stands.
    let mut learner = self::learner();
    learner.declared.peak.memory = Bytes::from_mib(1024);
    for job in 0..400 {
        let memory = if job % 20 == 0 { 256.0 * MIB } else { 0.0 };
        learner.observe(&Observation { memory, ..seen() });
    }
    let needs = learner.needs();
    let peak = needs.average[Resource::Memory] + needs.memory_peak;
    assert!(is_near(peak, 1024.0 * MIB), "{needs:?}");
}

#[test]
fn heartbeats_raise_the_peak_of_memory_only_once_the_average_exceeds_it() {
    let mut learner = learner();
    learner.declared.peak.memory = Bytes::from_mib(128);
    learner.refresh();
    let mut last = 0.0;
    for _ in 0..400 {
        learner.calibrate(&Amounts::new([0.0, 1e9, 0.0, 0.0]), 2.0, 4.0);
        let needs = *learner.needs();
        let peak = needs.average[Resource::Memory] + needs.memory_peak;
        let expected = (128.0 * MIB).max(f64::from(needs.average[Resource::Memory]));
        assert!((f64::from(peak) / expected - 1.0).abs() < 1e-5, "{needs:?}");
        assert!(needs.average[Resource::Memory] >= last);
        last = needs.average[Resource::Memory];
        learner.refresh();
        let again = learner.needs();
        assert!(
            (again.average[Resource::Memory] / needs.average[Resource::Memory] - 1.0).abs() < 1e-4
        );
        assert!((again.memory_peak - needs.memory_peak).abs() < 1e-3 * peak);
    }
    assert!(is_near(last, 8.0 * 64.0 * MIB), "{last}");
}
