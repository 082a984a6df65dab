//! Plan of the demonstration: its jobs, their times, and the way their nodes are chosen.
//!
//! First round-robin and Rolecast are compared, in blocks: the same jobs at the same
//! moments of the same work that nodes have of their own, once with the nodes chosen in
//! turn, once by Rolecast. Then Rolecast alone has a busy part and a burst.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::JobId;

use super::fleet::{COMPRESS, COUNT, FLEET, HASH, Load, Tool, is_eligible};

/// The way the nodes of the compared jobs are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    RoundRobin,
    Rolecast,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::RoundRobin, Self::Rolecast];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Rolecast => "Rolecast",
        }
    }
}

/// The blocks in order; mirrored, so that a drift of the machine affects both ways alike.
const BLOCKS: [Way; 4] = [
    Way::RoundRobin,
    Way::Rolecast,
    Way::Rolecast,
    Way::RoundRobin,
];
/// The pace in a block: about half of what two cores can do beside the own work of the
/// nodes.
const COMPARED_JOBS_PER_SECOND: u32 = 12;
/// The pace of the busy part: about two thirds of what two cores can do.
const JOBS_PER_SECOND: u32 = 25;
/// Half of the jobs compress, which takes longest.
const TURN: [Tool; 4] = [COMPRESS, COUNT, COMPRESS, HASH];

/// One job to submit.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) tool: Tool,
    pub(crate) job: JobId,
    /// The time of submission, counted from the start; the same for all of the last part.
    pub(crate) at: Duration,
    /// The piece of the input that it works on.
    pub(crate) piece: usize,
    /// The way it is counted for; `None` after the comparison.
    pub(crate) way: Option<Way>,
    /// The node that it requires.
    pub(crate) node: Option<&'static str>,
}

/// Returns the number of jobs of a block: seven tenths of all are compared.
fn block_count(count: u32) -> u32 {
    count * 7 / 40
}

/// Returns the length of a block: its last eighth submits no jobs, so that none is left
/// when the next begins.
fn block_length(count: u32) -> Duration {
    Duration::from_secs(1) * block_count(count) * 8 / 7 / COMPARED_JOBS_PER_SECOND
}

/// Returns the length of the comparison.
fn compared_length(count: u32) -> Duration {
    block_length(count) * 4
}

/// Returns whether a node should be busy with its own work, so long after the start: only
/// in the comparison, and periodic work in the second half of each block.
pub(crate) fn is_loaded(load: Load, elapsed: Duration, count: u32) -> bool {
    if elapsed >= compared_length(count) {
        return false;
    }
    let block = block_length(count).as_micros();
    match load {
        Load::Constant => true,
        Load::Periodic => elapsed.as_micros() % block >= block / 2,
    }
}

/// Plans the jobs.
pub(crate) fn plan(count: u32) -> Vec<Planned> {
    let mut plan = Vec::new();
    let mut turns = BTreeMap::new();
    for (start, way) in (0..).zip(BLOCKS) {
        for index in 0..block_count(count) {
            let at = block_length(count) * start
                + Duration::from_secs(1) * index / COMPARED_JOBS_PER_SECOND;
            let tool = tool(index);
            let node = match way {
                Way::RoundRobin => Some(next_node(tool, &mut turns)),
                Way::Rolecast => None,
            };
            let number = plan.len() + 1;
            plan.push(Planned {
                way: Some(way),
                node,
                ..planned(index, number, at)
            });
        }
    }
    let busy = count - block_count(count) * 4;
    for index in 0..busy {
        // Half of them at a pace, the others together.
        let step = index.min(busy / 2);
        let at = compared_length(count) + Duration::from_secs(1) * step / JOBS_PER_SECOND;
        let number = plan.len() + 1;
        plan.push(planned(index, number, at));
    }
    plan
}

fn planned(index: u32, number: usize, at: Duration) -> Planned {
    let tool = tool(index);
    let name = format!("{}-{number:04}", tool.category);
    Planned {
        tool,
        job: JobId::new(&name).expect("a category and a number are an id"),
        at,
        piece: place(index),
        way: None,
        node: None,
    }
}

fn tool(index: u32) -> Tool {
    TURN[place(index) % TURN.len()]
}

fn place(index: u32) -> usize {
    usize::try_from(index).expect("a count of jobs fits into usize")
}

/// Returns the node whose turn it is, of those that may run the job.
fn next_node(tool: Tool, turns: &mut BTreeMap<&'static str, usize>) -> &'static str {
    let nodes = FLEET.iter().map(|member| member.node);
    let eligible: Vec<_> = nodes
        .filter(|node| is_eligible(tool.category, node))
        .collect();
    let turn = turns.entry(tool.category).or_default();
    *turn += 1;
    eligible[*turn % eligible.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn both_ways_get_the_same_jobs_at_the_same_moments_of_the_load() {
        let plan = plan(480);
        let jobs = |way: Way| {
            let compared = plan.iter().filter(|job| job.way == Some(way));
            let mut jobs: Vec<_> = compared
                .map(|job| {
                    let within = job.at.as_micros() % block_length(480).as_micros();
                    let is_loaded = is_loaded(Load::Periodic, job.at, 480);
                    (within, job.tool.category, job.piece, is_loaded)
                })
                .collect();
            jobs.sort_unstable();
            jobs
        };
        assert_eq!(jobs(Way::RoundRobin).len(), 168);
        assert_eq!(jobs(Way::RoundRobin), jobs(Way::Rolecast));
        let loaded = jobs(Way::Rolecast).iter().filter(|job| job.3).count();
        assert!((60..108).contains(&loaded), "{loaded}");
        assert!(!is_loaded(Load::Constant, compared_length(480), 480));
    }

    #[test]
    fn round_robin_takes_turns_among_those_that_may() {
        let mut counts = BTreeMap::<_, u32>::new();
        for job in plan(480) {
            assert_eq!(job.node.is_some(), job.way == Some(Way::RoundRobin));
            if let Some(node) = job.node {
                assert!(is_eligible(job.tool.category, node));
                *counts.entry((job.tool.category, node)).or_default() += 1;
            }
        }
        assert_eq!(counts[&("compress", "oak")], counts[&("compress", "elm")]);
        assert_eq!(counts[&("count", "elm")], counts[&("count", "fir")]);
        assert_eq!(counts.len(), 8);
    }

    #[test]
    fn it_ends_at_once() {
        let plan = plan(480);
        assert_eq!(plan.len(), 480);
        assert!(plan.is_sorted_by_key(|job| job.at));
        let burst = plan.iter().filter(|job| job.at == plan[479].at).count();
        assert_eq!(burst, 72);
    }

    #[test]
    fn every_job_has_its_own_id_and_every_category_jobs() {
        for count in [4, 8, 480] {
            let plan = plan(count);
            let ids: BTreeSet<&JobId> = plan.iter().map(|job| &job.job).collect();
            assert_eq!(ids.len(), plan.len());
            let categories: BTreeSet<&str> = plan.iter().map(|job| job.tool.category).collect();
            assert_eq!(categories.len(), 3);
        }
    }
}
