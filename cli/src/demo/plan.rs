//! Which jobs the demonstration submits, and when.

use std::time::Duration;

use rolecast_common::id::JobId;

use super::fleet::{COMPRESS, COUNT, HASH, Kind};

/// The pace of the first half: about two thirds of what two cores can do.
const JOBS_PER_SECOND: u32 = 25;

/// Half of the jobs compress, which takes longest.
const TURN: [Kind; 4] = [COMPRESS, COUNT, COMPRESS, HASH];

/// One job to submit.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) kind: Kind,
    pub(crate) job: JobId,
    /// When, counted from the start; the same for all of the second half.
    pub(crate) at: Duration,
    /// Which piece of the input it works on.
    pub(crate) piece: usize,
}

/// Plans the jobs: the first half at a steady pace, the second half at once.
pub(crate) fn plan(count: u32) -> Vec<Planned> {
    let paced = count / 2;
    (0..count)
        .map(|index| {
            let turn = usize::try_from(index).expect("a count of jobs fits into usize");
            let kind = TURN[turn % TURN.len()];
            let name = format!("{}-{:04}", kind.category, index + 1);
            Planned {
                kind,
                job: JobId::new(&name).expect("a category and a number are an id"),
                at: Duration::from_secs(1) * index.min(paced) / JOBS_PER_SECOND,
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
    fn the_first_half_is_paced_and_the_second_comes_at_once() {
        let plan = plan(300);
        assert_eq!(plan.len(), 300);
        assert_eq!(plan[25].at, Duration::from_secs(1));
        let burst = plan.iter().filter(|job| job.at == plan[299].at).count();
        assert_eq!(burst, 150);
        assert!(plan.is_sorted_by_key(|job| job.at));
    }

    #[test]
    fn every_job_has_its_own_id_and_every_category_jobs() {
        for count in [4, 300] {
            let plan = plan(count);
            let ids: BTreeSet<&JobId> = plan.iter().map(|job| &job.job).collect();
            assert_eq!(ids.len(), plan.len());
            let categories: BTreeSet<&str> = plan.iter().map(|job| job.kind.category).collect();
            assert_eq!(categories.len(), 3);
        }
    }
}
