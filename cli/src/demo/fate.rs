//! Outcomes of the jobs that the killed worker had in hand.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{Attempt, JobId, NodeId};
use rolecast_common::time::WallTime;
use rolecast_common::wire::Record;

/// A worker that was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(crate) node: NodeId,
    pub(crate) at: WallTime,
    /// The jobs in hand by its last heartbeat.
    pub(crate) in_hand: Vec<JobId>,
}

/// The outcome of one of its jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its outcome arrived before the worker died.
    EndedBefore,
    EndedElsewhere {
        node: NodeId,
        attempt: Attempt,
        /// Counted from the kill.
        after: Duration,
    },
    /// There is no record of it.
    Lost,
}

/// Returns the fate of each job the worker had: those of its last heartbeat, and those
/// that the dispatcher had sent since and recorded as lost with it.
pub(crate) fn fates(kill: &Kill, records: &BTreeMap<JobId, Record>) -> Vec<(JobId, Fate)> {
    let was_lost = |record: &Record| {
        let mut losses = record.losses.iter();
        losses.any(|lost| lost.node == kill.node && lost.at_ms >= kill.at)
    };
    let mut jobs = kill.in_hand.clone();
    for (job, record) in records {
        if was_lost(record) && !jobs.contains(job) {
            jobs.push(job.clone());
        }
    }
    jobs.sort();
    let fate = |job: JobId| {
        let fate = match records.get(&job) {
            Some(record) => fate(kill, record),
            None => Fate::Lost,
        };
        (job, fate)
    };
    jobs.into_iter().map(fate).collect()
}

fn fate(kill: &Kill, record: &Record) -> Fate {
    match (&record.node, record.attempt) {
        (Some(node), Some(attempt)) if *node != kill.node => Fate::EndedElsewhere {
            node: node.clone(),
            attempt,
            after: record.finished_ms.since(kill.at),
        },
        (Some(_) | None, _) => Fate::EndedBefore,
    }
}

#[cfg(test)]
mod tests {
    use rolecast_common::wire::LostAttempt;

    use super::*;
    use crate::view::job::tests::completed;

    #[test]
    fn every_job_of_the_dead_worker_is_accounted_for() {
        let kill = Kill {
            node: node("elm"),
            at: WallTime::from_millis(1000),
            in_hand: vec![job("ended"), job("moved"), job("gone")],
        };
        let mut records = BTreeMap::new();
        records.insert(job("ended"), ended_on("elm", vec![]));
        records.insert(job("moved"), ended_on("oak", vec![]));
        let lost = LostAttempt {
            attempt: Attempt::FIRST,
            node: node("elm"),
            at_ms: WallTime::from_millis(4000),
            ran_ms: 500,
            companions: Some(2),
        };
        records.insert(job("sent"), ended_on("oak", vec![lost.clone()]));
        let earlier = LostAttempt {
            at_ms: WallTime::from_millis(900),
            ..lost
        };
        records.insert(job("other"), ended_on("oak", vec![earlier]));
        let elsewhere = Fate::EndedElsewhere {
            node: node("oak"),
            attempt: Attempt::new(2),
            after: Duration::from_secs(5),
        };
        let expected = vec![
            (job("ended"), Fate::EndedBefore),
            (job("gone"), Fate::Lost),
            (job("moved"), elsewhere.clone()),
            (job("sent"), elsewhere),
        ];
        assert_eq!(fates(&kill, &records), expected);
    }

    fn job(id: &str) -> JobId {
        JobId::new(id).unwrap()
    }

    fn node(id: &str) -> NodeId {
        NodeId::new(id).unwrap()
    }

    fn ended_on(name: &str, losses: Vec<LostAttempt>) -> Record {
        Record {
            node: Some(node(name)),
            losses,
            finished_ms: WallTime::from_millis(6000),
            ..completed()
        }
    }
}
