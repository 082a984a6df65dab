//! Demand of others on each node: a calm base, and unforeseeable bottlenecks.

use fastrand::Rng;
use rolecast_simulator::random::normal;

/// Steps in a second of the fluid world.
pub(crate) const STEPS: usize = 4;
/// Nodes that may hold the role.
pub(crate) const NODES: usize = 5;
/// Time constant of the drift of the base, in seconds, and its size.
const WANDER_S: f64 = 20.0;
const WANDER: f64 = 0.03;
/// Spread of the lengths of bottlenecks of one kind: the deviation of their logarithm.
const LENGTH_SPREAD: f64 = 0.25;

/// Kinds of bottlenecks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// About 5 s, thirty times an hour on each node.
    Short,
    /// Six times an hour: 60 % last 5 s, 30 % 40 s, 10 % ten minutes.
    Mixed,
    /// Seven minutes, once an hour.
    Long,
    /// Every node is hot 10 of 25 s, one after the other.
    Flap,
    /// All nodes are hot together, six times an hour.
    Global,
}

impl Kind {
    pub(crate) const ALL: [Kind; 5] = [
        Kind::Short,
        Kind::Mixed,
        Kind::Long,
        Kind::Flap,
        Kind::Global,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Short => "short",
            Kind::Mixed => "mixed",
            Kind::Long => "long",
            Kind::Flap => "flap",
            Kind::Global => "global",
        }
    }

    fn per_hour(self) -> f64 {
        match self {
            Kind::Short => 30.0,
            Kind::Mixed | Kind::Global => 6.0,
            Kind::Long => 1.0,
            Kind::Flap => 0.0,
        }
    }

    fn usual_length_s(self, rng: &mut Rng) -> f64 {
        match self {
            Kind::Mixed | Kind::Global => match rng.f64() {
                dice if dice < 0.6 => 5.0,
                dice if dice < 0.9 => 40.0,
                _ => 600.0,
            },
            Kind::Long => 420.0,
            Kind::Short | Kind::Flap => 5.0,
        }
    }
}

/// The demand of others on each node at each step, as a share of its CPU.
pub(crate) struct Trace {
    pub(crate) demand: Vec<[f32; NODES]>,
}

impl Trace {
    /// Draws this many seconds.
    pub(crate) fn draw(kind: Kind, seed: u64, seconds: usize) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ kind as u64);
        let mut demand = vec![[0.0; NODES]; seconds * STEPS];
        for node in 0..NODES {
            base(&mut demand, node, &mut rng);
        }
        match kind {
            Kind::Flap => flap(&mut demand),
            Kind::Global => global(&mut demand, &mut rng),
            Kind::Short | Kind::Mixed | Kind::Long => {
                for node in 0..NODES {
                    bottlenecks(kind, &mut demand, &mut rng, |at, extra| at[node] += extra);
                }
            }
        }
        Self { demand }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "shares are small")]
fn base(demand: &mut [[f32; NODES]], node: usize, rng: &mut Rng) {
    let level = 0.1 + 0.15 * rng.f64();
    let keep = (-1.0 / (WANDER_S * STEPS as f64)).exp();
    let kick = WANDER * (1.0 - keep * keep).sqrt();
    let mut wander = 0.0;
    for at in demand {
        wander = keep * wander + kick * normal(rng);
        at[node] = (level + wander).max(0.02) as f32;
    }
}

fn flap(demand: &mut [[f32; NODES]]) {
    for (step, at) in demand.iter_mut().enumerate() {
        for (node, load) in at.iter_mut().enumerate() {
            if (step / STEPS + node * 5) % 25 < 10 {
                *load += 0.9;
            }
        }
    }
}

fn global(demand: &mut [[f32; NODES]], rng: &mut Rng) {
    bottlenecks(Kind::Global, demand, rng, |at, extra| {
        at.iter_mut().for_each(|load| *load += extra.max(0.9));
    });
}

/// Draws bottlenecks one after the other; each adds 0.7 to 1.2 of a CPU.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "steps are few and shares small"
)]
fn bottlenecks(
    kind: Kind,
    demand: &mut [[f32; NODES]],
    rng: &mut Rng,
    mut add: impl FnMut(&mut [f32; NODES], f32),
) {
    let mut at_s = 0.0;
    loop {
        at_s += -(1.0 - rng.f64()).ln() * 3600.0 / kind.per_hour();
        let length_s = kind.usual_length_s(rng) * (LENGTH_SPREAD * normal(rng)).exp();
        let extra = (0.7 + 0.5 * rng.f64()) as f32;
        let first = (at_s * STEPS as f64) as usize;
        at_s += length_s;
        let last = ((at_s * STEPS as f64) as usize).min(demand.len());
        if first >= demand.len() {
            return;
        }
        demand[first..last].iter_mut().for_each(|at| add(at, extra));
    }
}
