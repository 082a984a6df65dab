//! Rules that are compared with ours: no moves, a naive rule, and rules that know the
//! future.

use super::trace::{NODES, STEPS, Trace};
use super::world::{Beat, DUTY, Rule, Truth, jobs_beside};

/// Leaves the role where it is.
pub(crate) struct Off;

impl Rule for Off {
    fn hear(&mut self, _step: usize, _node: usize, _beat: &Beat) {}

    fn decide(&mut self, _step: usize, holder: usize) -> usize {
        holder
    }

    fn changed(&mut self, _step: usize) {}
}

/// Moves to the least used node when a heartbeat is over the threshold.
#[derive(Default)]
pub(crate) struct Naive {
    used: [f64; NODES],
}

impl Naive {
    const THRESHOLD: f64 = 0.9;
}

impl Rule for Naive {
    fn hear(&mut self, _step: usize, node: usize, beat: &Beat) {
        self.used[node] = beat.used;
    }

    fn decide(&mut self, _step: usize, holder: usize) -> usize {
        if self.used[holder] <= Self::THRESHOLD {
            return holder;
        }
        (0..NODES)
            .min_by(|a, b| self.used[*a].total_cmp(&self.used[*b]))
            .unwrap_or(holder)
    }

    fn changed(&mut self, _step: usize) {}
}

/// Knows how long each bottleneck lasts, and the load of the other nodes until it is over:
/// when the role's operations miss, it moves the role if this saves more until then than a
/// change costs. It does not know what follows, because no rule could learn that. It needs
/// no evidence: it acts after the first quarter of a second in which operations miss.
pub(crate) struct Clairvoyant {
    missed: Vec<[f64; NODES]>,
    cost_s: f64,
    /// Whether it foresees bottlenecks: those of the next two seconds too.
    is_early: bool,
}

impl Clairvoyant {
    /// Seconds without misses after which a bottleneck is over.
    const CALM_S: usize = 3;

    pub(crate) fn new(trace: &Trace, truth: Truth, is_early: bool) -> Self {
        Self {
            missed: by_step(trace, truth),
            cost_s: truth.cost_s,
            is_early,
        }
    }
}

impl Rule for Clairvoyant {
    fn hear(&mut self, _step: usize, _node: usize, _beat: &Beat) {}

    fn decide(&mut self, step: usize, holder: usize) -> usize {
        if !self.is_early && self.missed[step][holder] == 0.0 {
            return holder;
        }
        let mut sums = [0.0_f64; NODES];
        let mut calm = 0;
        for missed in &self.missed[step + 1..] {
            calm = if missed[holder] > 0.0 { 0 } else { calm + 1 };
            if calm == Self::CALM_S * STEPS {
                break;
            }
            for (sum, missed) in sums.iter_mut().zip(missed) {
                *sum += missed / STEPS as f64;
            }
        }
        let best = (0..NODES).min_by(|a, b| sums[*a].total_cmp(&sums[*b]));
        let best = best.unwrap_or(holder);
        if sums[holder] - sums[best] > self.cost_s {
            return best;
        }
        holder
    }

    fn changed(&mut self, _step: usize) {}
}

/// Follows the best possible plan, by dynamic programming over every second and holder:
/// no rule can do better, and none that does not know the times and nodes of the next
/// bottlenecks can do as well. It assumes that jobs are where they will be once shed;
/// their state until then is not in the plan.
pub(crate) struct Planned {
    /// The next holder, by second and holder.
    plan: Vec<[u8; NODES]>,
}

impl Planned {
    pub(crate) fn new(trace: &Trace, truth: Truth) -> Self {
        let seconds = by_second(trace, truth);
        let stall = usize::max(1, whole(truth.cost_s / 2.0));
        let mut ahead = vec![[0.0_f64; NODES]; seconds.len() + stall + 1];
        let mut plan = vec![[0; NODES]; seconds.len()];
        for (second, missed) in seconds.iter().enumerate().rev() {
            let after = ahead[second + stall];
            let best = (0..NODES)
                .min_by(|a, b| after[*a].total_cmp(&after[*b]))
                .unwrap_or(0);
            for node in 0..NODES {
                let stay = missed[node] + ahead[second + 1][node];
                let change = truth.cost_s + after[best];
                let to = if change < stay { best } else { node };
                plan[second][node] = u8::try_from(to).unwrap_or(0);
                ahead[second][node] = stay.min(change);
            }
        }
        Self { plan }
    }
}

impl Rule for Planned {
    fn hear(&mut self, _step: usize, _node: usize, _beat: &Beat) {}

    fn decide(&mut self, step: usize, holder: usize) -> usize {
        // The plan of a second is for its end: a decision takes effect then.
        let plan = self.plan.get(step / STEPS + 1);
        plan.map_or(holder, |plan| usize::from(plan[holder]))
    }

    fn changed(&mut self, _step: usize) {}
}

fn by_second(trace: &Trace, truth: Truth) -> Vec<[f64; NODES]> {
    let seconds = trace.demand.chunks(STEPS);
    seconds.map(|steps| missed(steps, truth)).collect()
}

fn by_step(trace: &Trace, truth: Truth) -> Vec<[f64; NODES]> {
    let steps = trace.demand.chunks(1);
    steps.map(|step| missed(step, truth)).collect()
}

/// Returns the bad seconds of one second on each node, if it held the role.
fn missed(steps: &[[f32; NODES]], truth: Truth) -> [f64; NODES] {
    std::array::from_fn(|node| {
        let each = steps.iter().map(|demand| {
            let own = f64::from(demand[node]) + DUTY;
            truth.missed(own + jobs_beside(own))
        });
        each.sum::<f64>() / steps.len() as f64
    })
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cost is some seconds"
)]
fn whole(seconds: f64) -> usize {
    seconds.round() as usize
}
