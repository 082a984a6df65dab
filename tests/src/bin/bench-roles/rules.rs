//! The rules that are compared with ours: none, a naive one, and one that knows
//! the future.

use super::trace::{NODES, STEPS, Trace};
use super::world::{Beat, DUTY, Rule, Truth, jobs_beside};

/// Leaves the role where it is.
pub(crate) struct Off;

impl Rule for Off {
    fn hear(&mut self, _second: usize, _node: usize, _beat: &Beat) {}

    fn decide(&mut self, _second: usize, holder: usize) -> usize {
        holder
    }

    fn changed(&mut self, _second: usize) {}
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
    fn hear(&mut self, _second: usize, node: usize, beat: &Beat) {
        self.used[node] = beat.used;
    }

    fn decide(&mut self, _second: usize, holder: usize) -> usize {
        if self.used[holder] <= Self::THRESHOLD {
            return holder;
        }
        (0..NODES)
            .min_by(|a, b| self.used[*a].total_cmp(&self.used[*b]))
            .unwrap_or(holder)
    }

    fn changed(&mut self, _second: usize) {}
}

/// Follows the best plan there is for a future that is known, by dynamic
/// programming over every second and holder. It supposes that jobs are where they
/// will be once shed; what they are until then is not in the plan.
pub(crate) struct Clairvoyant {
    /// Where to be next, by second and holder.
    plan: Vec<[u8; NODES]>,
}

impl Clairvoyant {
    pub(crate) fn new(trace: &Trace, truth: Truth) -> Self {
        let seconds: Vec<[f64; NODES]> = trace
            .demand
            .chunks(STEPS)
            .map(|steps| missed(steps, truth))
            .collect();
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

impl Rule for Clairvoyant {
    fn hear(&mut self, _second: usize, _node: usize, _beat: &Beat) {}

    fn decide(&mut self, second: usize, holder: usize) -> usize {
        // What is decided takes effect from the next second on.
        let plan = self.plan.get(second + 1);
        plan.map_or(holder, |plan| usize::from(plan[holder]))
    }

    fn changed(&mut self, _second: usize) {}
}

/// Returns the bad seconds of one second on each node, would it hold the role.
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
