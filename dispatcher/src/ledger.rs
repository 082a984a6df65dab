//! What was sent to a node and has not ended: it counts from the moment it is sent.
//!
//! Without it, everything goes to the node that looked idle in the last heartbeat.

use std::collections::BTreeMap;

use rolecast_common::id::{Category, Sequence};
use rolecast_common::unit::Resources;

/// The reservations on one node.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    jobs: BTreeMap<Sequence, (Category, Resources)>,
    by_category: BTreeMap<Category, u32>,
    total: Resources,
}

impl Ledger {
    /// Reserves what a job needs; the same job again changes nothing.
    pub fn reserve(&mut self, job: Sequence, category: &Category, needs: Resources) {
        let before = self.jobs.insert(job, (category.clone(), needs));
        if let Some((category, needs)) = before {
            self.jobs.insert(job, (category, needs));
            return;
        }
        *self.by_category.entry(category.clone()).or_default() += 1;
        self.total = self.total + needs;
    }

    /// Releases a job's reservation; an unknown job changes nothing.
    pub fn release(&mut self, job: Sequence) {
        let Some((category, needs)) = self.jobs.remove(&job) else {
            return;
        };
        if let Some(count) = self.by_category.get_mut(&category) {
            *count = count.saturating_sub(1);
        }
        self.total = self.total.minus(needs);
        // Sums of floating-point numbers drift; an empty ledger holds nothing.
        if self.jobs.is_empty() {
            self.total = Resources::default();
        }
    }

    /// Returns what all reservations add up to.
    pub fn total(&self) -> Resources {
        self.total
    }

    pub fn count(&self) -> u32 {
        u32::try_from(self.jobs.len()).unwrap_or(u32::MAX)
    }

    pub fn count_of(&self, category: &Category) -> u32 {
        self.by_category.get(category).copied().unwrap_or(0)
    }

    /// Returns the jobs in the order they were submitted.
    pub fn jobs(&self) -> impl Iterator<Item = Sequence> + '_ {
        self.jobs.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rolecast_common::unit::{Bytes, Cores};

    use super::*;

    proptest! {
        #[test]
        fn any_order_of_events_leaves_the_sum_of_what_is_held(
            events in proptest::collection::vec((any::<bool>(), 0u64..4, 0u32..3), 0..60),
        ) {
            let category = Category::new("c").unwrap();
            let mut ledger = Ledger::default();
            let mut held: BTreeMap<u64, u32> = BTreeMap::new();
            for (is_reserve, job, size) in events {
                if is_reserve {
                    let needs = Resources {
                        cpu: Cores::clamped(f64::from(size) / 3.0),
                        memory: Bytes::new(u64::from(size)),
                        ..Resources::default()
                    };
                    ledger.reserve(Sequence::new(job), &category, needs);
                    held.entry(job).or_insert(size);
                } else {
                    ledger.release(Sequence::new(job));
                    held.remove(&job);
                }
                let sum: u32 = held.values().sum();
                prop_assert_eq!(ledger.total().memory, Bytes::new(u64::from(sum)));
                prop_assert!((ledger.total().cpu.get() - f64::from(sum) / 3.0).abs() < 1e-9);
                prop_assert_eq!(ledger.count() as usize, held.len());
                prop_assert_eq!(ledger.count_of(&category) as usize, held.len());
            }
        }
    }
}
