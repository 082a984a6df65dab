//! Comparison of round-robin and Rolecast: waiting and run times of their jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use rolecast_common::id::JobId;
use rolecast_common::wire::Record;

use super::fleet::FLEET;
use super::plan::{Planned, Way};
use crate::view::job::waited;

/// The longest time that is distinguished, in microseconds: an hour.
const LENGTH_MAX_US: u64 = 3_600_000_000;

/// Times of the compared jobs, from their records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) lengths: BTreeMap<(&'static str, Way), Lengths>,
    pub(crate) tolls: BTreeMap<Way, Toll>,
}

/// Times of the jobs of a category, in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Lengths {
    pub(crate) wait: Histogram<u64>,
    pub(crate) run: Histogram<u64>,
    /// Waiting and running together.
    pub(crate) both: Histogram<u64>,
}

/// Jobs, and those of them that ran on nodes with own work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Toll {
    pub(crate) jobs: u64,
    pub(crate) loaded: u64,
}

impl Comparison {
    pub(crate) fn new(plan: &[Planned], records: &BTreeMap<JobId, Record>) -> Self {
        let mut comparison = Self::default();
        for planned in plan {
            if let (Some(way), Some(record)) = (planned.way, records.get(&planned.job)) {
                comparison.add(planned.tool.category, way, record);
            }
        }
        comparison
    }

    fn add(&mut self, category: &'static str, way: Way, record: &Record) {
        let toll = self.tolls.entry(way).or_default();
        toll.jobs += 1;
        let mut loaded = FLEET.iter().filter(|member| member.load.is_some());
        let node = record.node.as_ref().map(|node| node.as_str());
        toll.loaded += u64::from(loaded.any(|member| Some(member.node) == node));
        if let Some(waited) = waited(record) {
            let lengths = self.lengths.entry((category, way));
            let lengths = lengths.or_insert_with(Lengths::new);
            let waited_us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
            lengths.wait.saturating_record(waited_us);
            lengths.run.saturating_record(record.run_us);
            lengths
                .both
                .saturating_record(waited_us.saturating_add(record.run_us));
        }
    }
}

impl Lengths {
    fn new() -> Self {
        let histogram =
            || Histogram::new_with_bounds(1, LENGTH_MAX_US, 3).expect("the bounds are in range");
        Self {
            wait: histogram(),
            run: histogram(),
            both: histogram(),
        }
    }

    /// Returns the three with their names.
    pub(crate) fn parts(&self) -> [(&'static str, &Histogram<u64>); 3] {
        [
            ("wait", &self.wait),
            ("run", &self.run),
            ("both", &self.both),
        ]
    }
}

/// Returns the value that this share of all does not exceed.
pub(crate) fn quantile(histogram: &Histogram<u64>, share: f64) -> Duration {
    Duration::from_micros(histogram.value_at_quantile(share))
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::NodeId;

    use super::*;
    use crate::demo::plan::plan;
    use crate::view::job::tests::completed;

    #[test]
    fn each_job_counts_for_its_way_and_the_rest_for_none() {
        let plan = plan(480);
        let of = |way| plan.iter().find(|job| job.way == way).unwrap();
        let mut records = BTreeMap::new();
        for (way, node) in [
            (Some(Way::RoundRobin), "elm"),
            (Some(Way::Rolecast), "oak"),
            (None, "fir"),
        ] {
            let record = Record {
                node: NodeId::new(node).ok(),
                ..completed()
            };
            records.insert(of(way).job.clone(), record);
        }
        let comparison = Comparison::new(&plan, &records);
        let toll = |loaded| Toll { jobs: 1, loaded };
        let expected = [(Way::RoundRobin, toll(1)), (Way::Rolecast, toll(0))];
        assert_eq!(comparison.tolls, BTreeMap::from(expected));
        let lengths = &comparison.lengths[&("compress", Way::Rolecast)];
        let [wait, run, both] = lengths.parts().map(|(_, lengths)| quantile(lengths, 0.5));
        assert!((119..=121).contains(&wait.as_millis()), "{wait:?}");
        assert!(both >= wait + run - Duration::from_millis(1), "{both:?}");
    }
}
