//! Progress of the demonstration.

use std::collections::{BTreeMap, BTreeSet};

use rolecast_common::id::{JobId, NodeId};

use super::plan::Planned;

/// Submitted and ended jobs, and the jobs in hand of each node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Jobs of each category: planned, submitted, ended.
    pub(crate) categories: BTreeMap<&'static str, Counts>,
    open: BTreeMap<JobId, &'static str>,
    in_hand: BTreeMap<NodeId, usize>,
    dead_nodes: BTreeSet<NodeId>,
}

/// Progress of one category.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) planned: u64,
    pub(crate) submitted: u64,
    pub(crate) ended: u64,
}

impl Progress {
    pub(crate) fn new(plan: &[Planned]) -> Self {
        let mut progress = Self::default();
        for planned in plan {
            let category = planned.tool.category;
            progress.categories.entry(category).or_default().planned += 1;
            progress.open.insert(planned.job.clone(), category);
        }
        progress
    }

    pub(crate) fn submitted(&mut self, category: &'static str) {
        self.categories.entry(category).or_default().submitted += 1;
    }

    /// Records that a job has ended; the same job again has no effect.
    pub(crate) fn ended(&mut self, job: &JobId) {
        if let Some(category) = self.open.remove(job) {
            self.categories.entry(category).or_default().ended += 1;
        }
    }

    pub(crate) fn heartbeat(&mut self, node: &NodeId, jobs: usize) {
        if !self.dead_nodes.contains(node) {
            self.in_hand.insert(node.clone(), jobs);
        }
    }

    pub(crate) fn killed(&mut self, node: &NodeId) {
        self.dead_nodes.insert(node.clone());
        self.in_hand.remove(node);
    }

    /// Returns the jobs that have not ended, as far as is known.
    pub(crate) fn open(&self) -> impl Iterator<Item = &JobId> {
        self.open.keys()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.categories.values() {
            total.planned += counts.planned;
            total.submitted += counts.submitted;
            total.ended += counts.ended;
        }
        total
    }

    /// Returns the jobs in hand of each node: `ash 2, elm killed, fir 4`.
    pub(crate) fn nodes(&self) -> String {
        let mut nodes: BTreeMap<&NodeId, String> = BTreeMap::new();
        for (node, jobs) in &self.in_hand {
            nodes.insert(node, format!("{node} {jobs}"));
        }
        for node in &self.dead_nodes {
            nodes.insert(node, format!("{node} killed"));
        }
        let texts: Vec<String> = nodes.into_values().collect();
        texts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::plan::plan;

    #[test]
    fn a_job_ends_once() {
        let plan = plan(4);
        let mut progress = Progress::new(&plan);
        for _ in 0..2 {
            progress.ended(&plan[0].job);
        }
        assert_eq!(progress.total().ended, 1);
        assert_eq!(progress.open().count(), 3);
        assert!(!progress.is_done());
        for planned in &plan {
            progress.submitted(planned.tool.category);
            progress.ended(&planned.job);
        }
        assert!(progress.is_done());
        let total = progress.total();
        assert_eq!((total.planned, total.submitted, total.ended), (4, 4, 4));
    }

    #[test]
    fn a_killed_node_has_nothing_in_hand() {
        let mut progress = Progress::new(&[]);
        let node = |name: &str| NodeId::new(name).unwrap();
        progress.heartbeat(&node("oak"), 2);
        progress.heartbeat(&node("elm"), 3);
        progress.killed(&node("elm"));
        progress.heartbeat(&node("elm"), 3);
        assert_eq!(progress.nodes(), "elm killed, oak 2");
    }
}
