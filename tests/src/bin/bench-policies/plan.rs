//! What is compared with what: which scenarios, at which loads, by which policies.

/// Ours, with forecasts and all.
pub(crate) const OURS: &str = "rolecast";
/// Ours without forecasts.
pub(crate) const LAST: &str = "rolecast-last";
pub(crate) const NO_FEEDBACK: &str = "rolecast-no-feedback";
/// The strongest simple policy, that we must never lose to.
pub(crate) const SIMPLE: &str = "least-in-flight-weighted+memory";
pub(crate) const ORACLE: &str = "oracle";

pub(crate) const FAIR: &str = "fair";
pub(crate) const PRIORITY: &str = "priority";
const BOTH: &[&str] = &[FAIR, PRIORITY];

/// The loads of `mixed`, at which we are compared with all others.
pub(crate) const MIXED_LOADS: &[f64] = &[0.5, 0.7, 0.85, 0.95];
/// The loads of `compact`, where forecasts are to pay.
pub(crate) const COMPACT_LOADS: &[f64] = &[0.5, 0.6, 0.7];
const LOADS: &[f64] = &[0.7, 0.85];

/// Scenarios in which nothing can be foreseen, or all that is foreseen is wrong.
pub(crate) const UNFORESEEN: &[&str] = &["bursty", "compact-rnd", "shifted"];
const FORESEEN: &[&str] = &[
    "calm",
    "compact",
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
    "small",
];

/// A scenario and how it is run.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    /// A file in `tests/scenarios`.
    pub(crate) scenario: &'static str,
    /// None: those of the scenario.
    pub(crate) loads: Vec<f64>,
    pub(crate) sharings: &'static [&'static str],
    pub(crate) policies: Vec<&'static str>,
    pub(crate) seeds: u32,
    pub(crate) times: Option<Times>,
}

/// Times instead of the scenario's, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Before jobs arrive; a day of the scenarios is 1800.
    pub(crate) history: u32,
    /// While they do.
    pub(crate) length: u32,
}

/// Three days to learn from, and jobs for a quarter of an hour.
const FULL: Times = Times {
    history: 5400,
    length: 900,
};
/// Two days and ten minutes, where only a large difference matters.
const SHORT: Times = Times {
    history: 3600,
    length: 600,
};
const QUICK: Times = Times {
    history: 3600,
    length: 360,
};

/// Returns all comparisons, with so many seeds each.
pub(crate) fn full(seeds: u32) -> Vec<Comparison> {
    let comparison = |scenario, loads: &[f64], policies: &[&'static str]| Comparison {
        scenario,
        loads: loads.to_vec(),
        sharings: BOTH,
        policies: policies.to_vec(),
        seeds,
        times: Some(FULL),
    };
    let mut plan = vec![
        comparison("mixed", MIXED_LOADS, &["all"]),
        Comparison {
            sharings: &[PRIORITY],
            ..comparison("compact", COMPACT_LOADS, &[SIMPLE, LAST, OURS, ORACLE])
        },
        comparison("overload", &[], &[SIMPLE, OURS]),
        comparison("hidden", LOADS, &[SIMPLE, NO_FEEDBACK, OURS]),
    ];
    for scenario in UNFORESEEN {
        plan.push(comparison(scenario, LOADS, &[SIMPLE, LAST, OURS]));
    }
    let of_others = FORESEEN.iter().map(|scenario| (scenario, LOADS));
    let of_variants = VARIANTS.iter().map(|scenario| (scenario, &[][..]));
    for (scenario, loads) in of_others.chain(of_variants) {
        plan.push(Comparison {
            seeds: seeds.div_ceil(2),
            times: Some(SHORT),
            ..comparison(scenario, loads, &[SIMPLE, OURS])
        });
    }
    // A thousand hosts: its own times are short, and one seed is enough.
    plan.push(Comparison {
        seeds: 1,
        times: None,
        ..comparison("large", &[], &[SIMPLE, OURS])
    });
    plan
}

/// Returns a few comparisons that take a minute or two.
pub(crate) fn quick() -> Vec<Comparison> {
    let comparison = |scenario, loads: &[f64], policies: &[&'static str]| Comparison {
        scenario,
        loads: loads.to_vec(),
        sharings: &[PRIORITY],
        policies: policies.to_vec(),
        seeds: 1,
        times: Some(QUICK),
    };
    vec![
        comparison("mixed", &[0.7], &["all"]),
        comparison("compact", &[0.6], &[SIMPLE, LAST, OURS, ORACLE]),
        comparison("bursty", &[0.7], &[SIMPLE, LAST, OURS]),
        Comparison {
            sharings: &[FAIR],
            ..comparison("overload", &[], &[SIMPLE, OURS])
        },
    ]
}
