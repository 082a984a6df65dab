//! Plan of the comparison: its scenarios, loads and policies.

use rolecast_simulator::world::Sharing;

/// Our policy, with forecasts.
pub(crate) const OURS: &str = "rolecast";
/// Our policy without forecasts.
pub(crate) const LAST: &str = "rolecast-last";
pub(crate) const NO_FEEDBACK: &str = "rolecast-no-feedback";
/// The strongest simple policy, which ours must never lose to.
pub(crate) const SIMPLE: &str = "least-in-flight-weighted+memory";
pub(crate) const ORACLE: &str = "oracle";

const BOTH: &[Sharing] = &[Sharing::Fair, Sharing::Priority];

/// The best policy of each of the field's ways, in `mixed`: pushing by count, by probes
/// and by latency, and pulling by slots and by the host's own CPU.
const PEERS: &[&str] = &[
    SIMPLE,
    "prequal+memory",
    "p2c-peak-ewma+memory",
    "pull-percat",
    "pull-cpu",
    LAST,
    OURS,
    ORACLE,
];

/// The loads of `mixed`, at which our policy is compared with all others. The last is the
/// scenario `overload`.
pub(crate) const MIXED_LOADS: &[f64] = &[0.5, 0.7, 0.85, 0.95, OVERLOAD];
pub(crate) const OVERLOAD: f64 = 1.05;
/// The loads of `compact`, where forecasts should help.
pub(crate) const COMPACT_LOADS: &[f64] = &[0.5, 0.6, 0.7];
const LOADS: &[f64] = &[0.7, 0.85];
/// The load of scenarios that are run once only.
const LOAD: &[f64] = &[0.7];
/// The load of `fresh` and `stale`, for the interval between them.
const STALE_LOAD: &[f64] = &[0.75];

/// Scenarios in which nothing can be foreseen, or all forecasts are wrong.
pub(crate) const UNFORESEEN: &[&str] = &["bursty", "compact-rnd", "shifted"];
const FORESEEN: &[&str] = &[
    "calm",
    "compact-j3",
    "compact-j10",
    "cron",
    "drift",
    "fast",
    "memspike",
    "periodic",
    "series",
    "spikes",
];
/// Variants of `mixed`, at loads of their own.
const VARIANTS: &[&str] = &[
    "fresh",
    "stale",
    "half-declared",
    "double-declared",
    "wrong-capacity",
];

/// A scenario and the settings of its runs.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    /// A file in `tests/scenarios`.
    pub(crate) scenario: &'static str,
    /// Empty for those of the scenario.
    pub(crate) loads: Vec<f64>,
    pub(crate) sharings: &'static [Sharing],
    pub(crate) policies: Vec<&'static str>,
    pub(crate) seeds: u32,
    pub(crate) times: Option<Times>,
}

/// Times instead of the scenario's, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Time before jobs arrive; a day of the scenarios is 1800.
    pub(crate) history_s: f64,
    /// Time while they arrive.
    pub(crate) length_s: f64,
}

/// Three days to learn from, and jobs for a quarter of an hour.
const FULL: Times = Times {
    history_s: 5400.0,
    length_s: 900.0,
};
/// Two days and ten minutes, where forecasts matter less.
const SHORT: Times = Times {
    history_s: 3600.0,
    length_s: 600.0,
};
const QUICK: Times = Times {
    history_s: 3600.0,
    length_s: 360.0,
};

/// Returns all comparisons, with this many seeds each.
pub(crate) fn full(seeds: u32) -> Vec<Comparison> {
    let comparison = |scenario, loads: &[f64], policies: &[&'static str]| Comparison {
        scenario,
        loads: loads.to_vec(),
        sharings: BOTH,
        policies: policies.to_vec(),
        seeds,
        times: Some(FULL),
    };
    let once = |scenario, loads: &[f64]| Comparison {
        seeds: seeds.div_ceil(2),
        times: Some(SHORT),
        ..comparison(scenario, loads, &[SIMPLE, OURS])
    };
    let mut plan = vec![
        Comparison {
            times: Some(SHORT),
            ..comparison("mixed", MIXED_LOADS, PEERS)
        },
        Comparison {
            sharings: &[Sharing::Priority],
            ..comparison("compact", COMPACT_LOADS, &[SIMPLE, LAST, OURS, ORACLE])
        },
        Comparison {
            policies: vec![SIMPLE, NO_FEEDBACK, OURS],
            ..once("hidden", LOADS)
        },
    ];
    for scenario in UNFORESEEN {
        plan.push(Comparison {
            policies: vec![SIMPLE, LAST, OURS],
            ..once(scenario, LOAD)
        });
    }
    plan.extend(FORESEEN.iter().map(|scenario| once(scenario, LOAD)));
    plan.push(once("mixed", STALE_LOAD));
    plan.extend(VARIANTS.iter().map(|scenario| once(scenario, &[])));
    // Ten hosts are simulated fast, and differ much from seed to seed.
    plan.push(Comparison {
        seeds: 2 * seeds,
        ..once("small", &[])
    });
    // A thousand hosts: its own times are short, and one seed is enough.
    plan.push(Comparison {
        sharings: &[Sharing::Priority],
        seeds: 1,
        times: None,
        ..once("large", &[])
    });
    plan
}

/// Returns a few comparisons that take a minute or two.
pub(crate) fn quick() -> Vec<Comparison> {
    let comparison = |scenario, loads: &[f64], policies: &[&'static str]| Comparison {
        scenario,
        loads: loads.to_vec(),
        sharings: &[Sharing::Priority],
        policies: policies.to_vec(),
        seeds: 1,
        times: Some(QUICK),
    };
    vec![
        comparison("mixed", &[0.7], PEERS),
        comparison("compact", &[0.6], &[SIMPLE, LAST, OURS, ORACLE]),
        comparison("bursty", &[0.7], &[SIMPLE, LAST, OURS]),
        Comparison {
            sharings: &[Sharing::Fair],
            ..comparison("mixed", &[OVERLOAD], &[SIMPLE, OURS])
        },
    ]
}
