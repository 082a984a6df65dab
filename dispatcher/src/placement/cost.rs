//! Cost of a job on a node: its predicted completion, in units of its run time alone on a
//! core of speed 1, and the delay it causes others.
//!
//! The stay of a job is cut into buckets of time ahead. In each, the demand for the
//! busiest resource over the node's capacity is its utilization `u`, and a
//! processor-sharing node slows its jobs down by
//!
//! ```text
//! S(u) = 1 + 0.15 min(u, 1)^2 + h(u - 1)     h(x) = (x + sqrt(x^2 + 0.3^2)) / 2
//! ```
//!
//! The first part is the cost of neighbours on one CPU for each other (caches,
//! hyper-threads), the second a smoothed max(0, u - 1): a queue has no cliff, and neither
//! has its cost. The job's own delay is `S`, the delay it adds to others is `u h'(u)`
//! (its marginal cost; without it jobs are selfish and all are slower). Both are averaged
//! over the buckets, weighed by the share of its stay that the job spends in each; there
//! foresight pays.

use std::array;

use rolecast_common::resource::ByResource;
use rolecast_common::resource::Resource::{self, Cpu, Disk, Memory, Network};
use rolecast_common::unit::Resources;
use rolecast_forecast::BUCKETS;

use crate::category::Weights;

/// Amounts of the resources, with seven digits.
pub type Amounts = ByResource<f32>;

/// The largest cost of neighbours for each other. From simulation; 0.05 to 0.3 change the
/// 99th percentile by 2 %.
const INTERFERENCE: f32 = 0.15;
/// Smoothness of the knee of the cost. From simulation: with 0.15 the 99.9th percentile
/// is a tenth higher where others come first.
const KNEE: f32 = 0.3;
/// The least share of a CPU that is left to jobs where others come first.
const SHARE_MIN: f32 = 0.05;
/// The share of the memory that may be promised: beyond it systems begin to
/// thrash before they kill.
const MEMORY_SHARE_MAX: f32 = 0.92;
/// The least share of a stay that is computed: a smaller one hardly shows in the cost,
/// and most categories have such tails, which cost as much to compute as any.
const STAY_MIN: f32 = 1e-4;
/// Number of buckets so near that the last heartbeat is as good as the forecast: the
/// worse of the two counts.
const NEAR: usize = 2;

/// Buckets that are computed at once: as many numbers as a register of any processor
/// holds.
const WIDTH: usize = 4;
/// Number of buckets, rounded up to whole blocks.
const LANES: usize = BUCKETS.next_multiple_of(WIDTH);
/// A number for each of some buckets.
type Block = [f32; WIDTH];

/// The expected use in each bucket, laid out by resource.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Foreseen(ByResource<[f32; LANES]>);

impl Foreseen {
    pub fn new(buckets: &[Amounts; BUCKETS]) -> Self {
        Self(ByResource::from_fn(|resource| {
            array::from_fn(|lane| buckets.get(lane).map_or(0.0, |used| used[resource]))
        }))
    }

    pub(crate) fn buckets(&self) -> [Amounts; BUCKETS] {
        array::from_fn(|bucket| self.0.map(|lanes| lanes[bucket]))
    }
}

/// The figures of a node for a decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeFigures {
    /// Its capacity; a rate of 0 is unknown and counts as endless.
    pub capacity: Amounts,
    /// The use by others in the last heartbeat.
    pub present: Amounts,
    /// The expected use by others, on average over each bucket.
    pub ahead: Foreseen,
    /// The sum of the reservations.
    pub reserved: Amounts,
    /// Bytes by which the memory of its jobs may exceed the reservations: the root of the
    /// sum of their squared deviations.
    pub memory_spread: f32,
    /// The measured memory of its jobs beyond the reservations, and that of jobs that
    /// ended since.
    pub memory_excess: f32,
    /// Memory kept free for a waiting job, in bytes.
    pub memory_claimed: f32,
    /// The speed of a core, relative to a core of speed 1.
    pub speed: f32,
    /// Measured over predicted run time: 1 is as predicted.
    pub feedback: f32,
    /// The round trip to it, in seconds; 0 if unknown.
    pub round_trip_s: f32,
}

impl NodeFigures {
    /// Returns a node with this capacity and no other known figures.
    pub fn new(capacity: Amounts) -> Self {
        Self {
            capacity,
            present: Amounts::default(),
            ahead: Foreseen::default(),
            reserved: Amounts::default(),
            memory_spread: 0.0,
            memory_excess: 0.0,
            memory_claimed: 0.0,
            speed: 1.0,
            feedback: 1.0,
            round_trip_s: 0.0,
        }
    }

    /// Returns the cores that others leave, at the speed of 1.
    pub(crate) fn cores_left(&self) -> f32 {
        (self.capacity[Cpu] - self.present[Cpu]).max(0.0) * self.speed
    }
}

/// The needs of one more job of a category.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Needs {
    /// Average use.
    pub average: Amounts,
    /// Peak of its memory above the average, in bytes.
    pub memory_peak: f32,
    /// Largest declared memory, in bytes.
    pub memory_declared: f32,
    /// Run time alone on a core of speed 1, in seconds.
    pub duration_s: f32,
    /// The share of its stay in each bucket; they sum up to 1.
    pub stay: [f32; BUCKETS],
    /// Number of buckets for which memory has to suffice.
    pub reach: usize,
    pub weights: Weights,
}

impl Needs {
    /// Returns the most memory that a job is expected to use, in bytes.
    pub(crate) fn memory_most(&self) -> f32 {
        self.average[Memory] + self.memory_peak
    }
}

/// The use by others that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// As in the last heartbeats.
    Present,
    /// As forecast for each bucket.
    Ahead,
}

/// The predicted conditions of a job on a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// The cost; the smallest is best.
    pub(crate) cost: f32,
    /// Run time there by sharing, over run time alone.
    pub(crate) slow_down: f32,
}

/// Returns the cost of one more job on a node whose role is the `rank`th of the
/// category's. `priority_share` is the degree to which others come first on the CPU: 0 is
/// fair sharing, 1 strict priority.
pub(crate) fn estimate(
    node: &NodeFigures,
    job: &Needs,
    rank: u8,
    outlook: Outlook,
    priority_share: f32,
) -> Estimate {
    let (mut slow_down, mut others) = (0.0, 0.0);
    for first in (0..LANES).step_by(WIDTH) {
        let stay = array::from_fn(|lane| job.stay.get(first + lane).copied().unwrap_or(0.0));
        if stay.iter().all(|share| *share < STAY_MIN) {
            continue;
        }
        let met = sharing(&utilization(node, job, first, outlook, priority_share));
        slow_down += weigh(&stay, &met.slow_down);
        others += weigh(&stay, &met.marginal);
    }
    let pace = node.feedback / node.speed.max(0.01);
    let weights = &job.weights;
    let away = weights.latency * node.round_trip_s / job.duration_s.max(1e-3);
    let role = weights.role * f32::from(rank);
    let cost = pace * (slow_down + weights.others * others) + away + role;
    Estimate {
        cost: if cost.is_finite() { cost } else { f32::MAX },
        slow_down,
    }
}

/// Returns the number of bytes by which the job's memory does not fit, now and while it
/// runs; it fits if that is not above 0.
pub(super) fn memory_lack(node: &NodeFigures, job: &Needs, outlook: Outlook) -> f32 {
    memory_use(node, job, outlook) - MEMORY_SHARE_MAX * node.capacity[Memory]
}

/// Whether the job's memory would fit if nothing else ran there.
pub(super) fn could_have_memory(node: &NodeFigures, job: &Needs) -> bool {
    job.memory_most() <= MEMORY_SHARE_MAX * node.capacity[Memory]
}

/// Returns the same for the declared memory, since the learned one may be wrong.
pub(super) fn could_have_declared(node: &NodeFigures, job: &Needs) -> bool {
    job.memory_declared <= MEMORY_SHARE_MAX * node.capacity[Memory]
}

/// Returns the memory in use with one more job: averages add up, while the peaks of
/// independent jobs beyond them add up by their squares.
fn memory_use(node: &NodeFigures, job: &Needs, outlook: Outlook) -> f32 {
    let ahead = node.ahead.0[Memory].iter().take(job.reach);
    let others = match outlook {
        Outlook::Present => node.present[Memory],
        Outlook::Ahead => ahead.fold(node.present[Memory], |most, used| larger(most, *used)),
    };
    let jobs = node.reserved[Memory] + job.average[Memory];
    // Squares of bytes are far below the largest number.
    let (spread, peak) = (node.memory_spread, job.memory_peak);
    let spread = (spread * spread + peak * peak).sqrt();
    others + jobs + spread + node.memory_excess + node.memory_claimed
}

/// Returns the use of the resource by others in the buckets from the `first` on.
fn exogenous(node: &NodeFigures, resource: Resource, first: usize, outlook: Outlook) -> Block {
    let present = node.present[resource];
    match outlook {
        Outlook::Present => [present; WIDTH],
        Outlook::Ahead => array::from_fn(|lane| {
            let ahead = node.ahead.0[resource][first + lane];
            larger(ahead, if first + lane < NEAR { present } else { 0.0 })
        }),
    }
}

/// Utilization of the CPU with one more job, and of the busiest resource that it waits
/// for.
struct Utilization {
    cpu: Block,
    busiest: Block,
}

fn utilization(
    node: &NodeFigures,
    job: &Needs,
    first: usize,
    outlook: Outlook,
    priority_share: f32,
) -> Utilization {
    let cores = larger(node.capacity[Cpu], 1e-3);
    let per_core = 1.0 / cores;
    let wanted = node.reserved[Cpu] + job.average[Cpu];
    let used = exogenous(node, Cpu, first, outlook);
    let cpu: Block = used.map(|used| (used + wanted) * per_core);
    let mut busiest = array::from_fn(|lane| {
        let left = larger(cores - used[lane], SHARE_MIN * cores);
        cpu[lane] + priority_share * (wanted / left - cpu[lane])
    });
    for resource in [Network, Disk] {
        let (has, needs) = (node.capacity[resource], job.average[resource]);
        if has > 0.0 && needs > 0.0 {
            let wanted = node.reserved[resource] + needs;
            let used = exogenous(node, resource, first, outlook);
            busiest = array::from_fn(|lane| larger(busiest[lane], (used[lane] + wanted) / has));
        }
    }
    Utilization { cpu, busiest }
}

/// The effects of sharing on jobs.
struct Sharing {
    slow_down: Block,
    /// The delay that one more unit of demand causes the others.
    marginal: Block,
}

fn sharing(utilization: &Utilization) -> Sharing {
    let over = utilization.busiest.map(|busiest| busiest - 1.0);
    let root = over.map(|over| (over * over + KNEE * KNEE).sqrt());
    let neighbours = utilization.cpu.map(|cpu| if cpu < 1.0 { cpu } else { 1.0 });
    Sharing {
        slow_down: array::from_fn(|lane| {
            let interference = INTERFERENCE * neighbours[lane] * neighbours[lane];
            1.0 + interference + 0.5 * (over[lane] + root[lane])
        }),
        marginal: array::from_fn(|lane| {
            utilization.busiest[lane] * 0.5 * (1.0 + over[lane] / root[lane])
        }),
    }
}

fn weigh(stay: &Block, amounts: &Block) -> f32 {
    stay.iter()
        .zip(amounts)
        .map(|(share, amount)| share * amount)
        .sum()
}

/// Returns the larger of two numbers. Unlike `f32::max` it does not handle NaN, which no
/// figure is, and so is one instruction for a whole block.
fn larger(one: f32, other: f32) -> f32 {
    if one > other { one } else { other }
}

/// Returns the amounts as numbers.
#[allow(
    clippy::cast_possible_truncation,
    reason = "placement needs no more than seven digits"
)]
pub fn amounts(resources: Resources) -> Amounts {
    ByResource::<f64>::from(resources).map(|amount| amount as f32)
}

/// Returns the amounts with their units; NaN counts as zero.
pub fn resources(amounts: Amounts) -> Resources {
    amounts.map(f64::from).into()
}
