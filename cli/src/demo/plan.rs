//! Which jobs the demonstration submits, and when.

use std::time::Duration;

use rolecast_common::id::JobId;

use super::fleet::{COMPRESS, COUNT, HASH, Kind};

/// The pace of the quiet part, in which a node has a load of its own: slow
/// enough that it lasts for three rounds of that load.
const QUIET_JOBS_PER_SECOND: u32 = 5;
/// Its jobs may run on that node.
const QUIET_TURN: [Kind; 2] = [COUNT, HASH];
/// The pace of the busy part: about two thirds of what two cores can do.
const JOBS_PER_SECOND: u32 = 25;
/// Half of its jobs compress, which takes longest.
const TURN: [Kind; 4] = [COMPRESS, COUNT, COMPRESS, HASH];

/// One job to submit.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) kind: Kind,
    pub(crate) job: JobId,
    /// When, counted from the start; the same for all of the last part.
    pub(crate) at: Duration,
    /// Which piece of the input it works on.
    pub(crate) piece: usize,
}

/// Returns how long the quiet part lasts.
pub(crate) fn quiet_length(count: u32) -> Duration {
    Duration::from_secs(1) * quiet_count(count) / QUIET_JOBS_PER_SECOND
}

/// Two fifths of the jobs are quiet.
fn quiet_count(count: u32) -> u32 {
    count * 2 / 5
}

/// Plans the jobs: some quietly, some at a busy pace, the rest at once.
pub(crate) fn plan(count: u32) -> Vec<Planned> {
    let quiet = quiet_count(count);
    let paced = (count - quiet) / 2;
    (0..count)
        .map(|index| {
            let turn = usize::try_from(index).expect("a count of jobs fits into usize");
            let (kind, at) = if index < quiet {
                let at = Duration::from_secs(1) * index / QUIET_JOBS_PER_SECOND;
                (QUIET_TURN[turn % QUIET_TURN.len()], at)
            } else {
                let step = (index - quiet).min(paced);
                let at = quiet_length(count) + Duration::from_secs(1) * step / JOBS_PER_SECOND;
                (TURN[turn % TURN.len()], at)
            };
            let name = format!("{}-{:04}", kind.category, index + 1);
            Planned {
                kind,
                job: JobId::new(&name).expect("a category and a number are an id"),
                at,
                piece: turn,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_begins_quietly_and_ends_at_once() {
        let plan = plan(300);
        assert_eq!(plan.len(), 300);
        assert_eq!(plan[5].at, Duration::from_secs(1));
        assert_eq!(plan[120].at, quiet_length(300));
        assert_eq!(plan[145].at, quiet_length(300) + Duration::from_secs(1));
        let burst = plan.iter().filter(|job| job.at == plan[299].at).count();
        assert_eq!(burst, 90);
        assert!(plan.is_sorted_by_key(|job| job.at));
    }

    #[test]
    fn every_job_has_its_own_id_and_every_category_jobs() {
        for count in [8, 300] {
            let plan = plan(count);
            let ids: BTreeSet<&JobId> = plan.iter().map(|job| &job.job).collect();
            assert_eq!(ids.len(), plan.len());
            let categories: BTreeSet<&str> = plan.iter().map(|job| job.kind.category).collect();
            assert_eq!(categories.len(), 3);
        }
    }
}
