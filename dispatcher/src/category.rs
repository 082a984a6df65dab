//! Policy of a category of jobs: needs, permitted roles and limits.

use std::time::Duration;

use rolecast_common::id::{Category, Role};
use rolecast_common::unit::Resources;

/// The policy of one category.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub category: Category,
    /// Whether the configuration names it; otherwise it has the default profile.
    pub declared: bool,
    /// The roles that may run it, best first; empty means any.
    pub roles: Vec<Role>,
    /// The declared needs of one job.
    pub profile: Profile,
    /// Weights of the terms of a job's cost beside the predicted slow-down.
    pub weights: Weights,
    /// The slow-down above which its jobs wait for a better moment.
    pub patience: Patience,
    /// The longest wait without a node that could ever take the job; then it is dead.
    pub wait_max: Duration,
    /// The most jobs that run at once on all nodes together; `None` is no limit.
    pub running_max: Option<u32>,
    /// The longest time that one attempt may run; `None` is no limit.
    pub time_limit: Option<Duration>,
    /// The number of failed attempts after which the job is dead.
    pub attempts_max: u32,
    pub backoff: Backoff,
    /// Whether completed jobs are recorded; dead and expired ones always are.
    pub records_completed: bool,
}

impl Policy {
    /// Returns the rank of a node with these roles for the category, 0 being best, or
    /// `None` if it may not run it.
    pub fn role_rank(&self, roles: &[Role]) -> Option<usize> {
        if self.roles.is_empty() {
            return Some(0);
        }
        self.roles.iter().position(|role| roles.contains(role))
    }
}

/// The needs of one job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// Average use while it runs.
    pub average: Resources,
    /// Largest use.
    pub peak: Resources,
    /// Run time alone on a core of speed 1.
    pub duration: Duration,
}

/// Weights of the terms of a job's cost beside the predicted slow-down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Weight of each step down in the category's list of roles: 0.25 is worth a quarter
    /// of the job's run time.
    pub role: f32,
    /// Weight of the round trip to the node, relative to the run time.
    pub latency: f32,
    /// Weight of the delay that the job causes others.
    pub others: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            role: 0.25,
            latency: 1.0,
            others: 1.5,
        }
    }
}

/// The slow-down above which a category's jobs are held.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Patience {
    /// By their run time.
    #[default]
    ByDuration,
    /// Above this slow-down.
    Above(f32),
    Never,
}

/// Exponential backoff between attempts, with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub min: Duration,
    pub max: Duration,
}

impl Backoff {
    /// Returns the delay after this many failures; `jitter` is from 0 to 1.
    ///
    /// A part of the delay is random, so that jobs that failed together do not return
    /// together; it is never below the least, nor above the most.
    pub fn delay(self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        let longest = self.min.saturating_mul(1 << doublings).min(self.max);
        let shortest = self.min.max(longest / 2);
        // The first delay cannot be halved, so its random part is added.
        let longest = longest.max(self.min.mul_f64(1.5)).min(self.max);
        let random = longest.saturating_sub(shortest);
        shortest + random.mul_f64(jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_its_maximum() {
        let backoff = Backoff {
            min: Duration::from_secs(1),
            max: Duration::from_secs(60),
        };
        let delays = |jitter| [1, 2, 3, 7, u32::MAX].map(|n| backoff.delay(n, jitter).as_millis());
        assert_eq!(delays(1.0), [1500, 2000, 4000, 60_000, 60_000]);
        assert_eq!(delays(0.0), [1000, 1000, 2000, 30_000, 30_000]);
    }

    #[test]
    fn no_delay_is_below_the_least_or_above_the_most() {
        for (min, max) in [(20, 300), (20, 20), (20, 25), (0, 0)] {
            let backoff = Backoff {
                min: Duration::from_secs(min),
                max: Duration::from_secs(max),
            };
            for failures in 0..12 {
                for jitter in [-1.0, 0.0, 0.3, 1.0, 7.0] {
                    let delay = backoff.delay(failures, jitter);
                    assert!(
                        delay >= backoff.min && delay <= backoff.max,
                        "{failures} {jitter}: {delay:?}"
                    );
                }
            }
        }
    }
}
