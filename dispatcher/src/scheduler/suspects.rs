//! The search for a job that takes its nodes down, among those that went down together.
//!
//! 1. The jobs that one death of a node took are *suspects*, unless it is the first loss
//!    of each and other nodes die at the same time. They are cut into two *batches*, and
//!    jobs of different batches do not run on one node at a time.
//! 2. If a node dies again under suspects, they explain it: those that were there are
//!    halved again, the others of their group are cleared, and other jobs there are not
//!    suspected. From the second round on a batch shares its node with no other job.
//! 3. A suspect that ends, with any outcome, or that clearly outlives what it was
//!    suspected of, is cleared.
//! 4. So of `n` jobs one that takes its node down each time is alone on it at its
//!    `log2(n) + 1`st loss, or its third, if that is later. After some losses alone, soon
//!    after its start, it is the culprit.

use std::time::Duration;

use rolecast_common::wire::LostAttempt;

/// Losses in a row alone on its node after which a job is blamed for them. Guessed: with
/// two, hosts that fail by themselves would be blamed on their jobs too often.
pub(super) const ALONE_MAX: usize = 3;
/// Longest time of a job alone before its node died for which it is blamed; after a
/// longer one it is as likely the victim of a host that dies for its own reasons.
/// Guessed.
const SOON: Duration = Duration::from_secs(120);
/// Losses of any kind after which a job is given up: by then the delays between them
/// add up to more than a quarter of an hour.
const LOSSES_MAX: usize = 20;
/// Factor and addition to the run time before its loss after which a running suspect is
/// cleared. Guessed: load and jitter may double a run.
const OUTLIVED_TIMES: u32 = 2;
const OUTLIVED_MORE: Duration = Duration::from_secs(10);

/// The suspicion that a job took its node down, and the jobs that share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// The jobs of the first death.
    pub group: u64,
    /// The jobs among them that may run on one node.
    pub batch: u64,
    /// Number of times that the group was cut, from 1.
    pub round: u32,
}

impl Suspicion {
    /// Whether its node must have no other jobs.
    pub fn is_exclusive(&self) -> bool {
        self.round > 1
    }
}

/// Returns the suspicion of each job that one death took, given the former suspicion of
/// each. `name` is another number for each death.
pub(super) fn suspect(lost: &[Option<Suspicion>], name: u64) -> Vec<Option<Suspicion>> {
    let before = lost.iter().flatten().max_by_key(|before| before.round);
    let is_suspect = |before: &Option<Suspicion>, any: Option<&Suspicion>| match any {
        // A former suspect explains the death.
        Some(_) => before.is_some(),
        None => true,
    };
    let count = lost
        .iter()
        .filter(|suspicion| is_suspect(suspicion, before))
        .count();
    let (group, round) = before.map_or((name, 1), |before| (before.group, before.round + 1));
    let mut place = 0;
    lost.iter()
        .map(|suspicion| {
            if !is_suspect(suspicion, before) {
                return None;
            }
            place += 1;
            // The two batches of a death have neighbouring numbers.
            let half = u64::from(place > count.div_ceil(2));
            let batch = name.wrapping_mul(2).wrapping_add(half);
            Some(Suspicion {
                group,
                batch,
                round,
            })
        })
        .collect()
}

/// Returns the reason why a job with these losses is given up, if it is.
pub(super) fn verdict(losses: &[LostAttempt]) -> Option<String> {
    let count = losses.len();
    let is_alone = |lost: &&LostAttempt| {
        lost.companions == Some(0) && Duration::from_millis(lost.ran_ms) <= SOON
    };
    let alone = losses.iter().rev().take_while(is_alone).count();
    if alone >= ALONE_MAX {
        return Some(format!(
            "took its node down {count} times, alone on it the last {alone} times"
        ));
    }
    (count >= LOSSES_MAX).then(|| format!("lost its node {count} times"))
}

/// Whether a suspect that has run for this long is cleared.
pub(super) fn has_outlived(losses: &[LostAttempt], ran: Duration) -> bool {
    let last = losses.last().map_or(0, |lost| lost.ran_ms);
    ran > Duration::from_millis(last) * OUTLIVED_TIMES + OUTLIVED_MORE
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::{Attempt, NodeId};
    use rolecast_common::time::WallTime;

    use super::*;

    #[test]
    fn of_any_number_of_jobs_one_is_left_after_log2_more_losses() {
        for count in 1usize..=64 {
            for culprit in 0..count {
                let mut lost = vec![None; count];
                let mut at = culprit;
                let mut rounds: u32 = 0;
                loop {
                    rounds += 1;
                    let found = suspect(&lost, u64::from(rounds));
                    if lost.len() == 1 {
                        break;
                    }
                    let batch = found[at].unwrap().batch;
                    let kept = |other: &Option<Suspicion>| other.is_some_and(|o| o.batch == batch);
                    at = found[..at].iter().filter(|other| kept(other)).count();
                    lost = found.into_iter().filter(kept).collect();
                }
                let bound = count.next_power_of_two().ilog2() + 1;
                assert!(rounds <= bound, "{rounds} losses of {count} jobs");
            }
        }
    }

    #[test]
    fn who_was_suspected_before_explains_a_death() {
        let first = suspect(&[None, None], 7);
        let (one, other) = (first[0].unwrap(), first[1].unwrap());
        assert_ne!(one.batch, other.batch);
        assert!(one.group == other.group && !one.is_exclusive());
        let second = suspect(&[None, Some(one), None], 8);
        assert_eq!((second[0], second[2]), (None, None));
        let found = second[1].unwrap();
        assert!(found.group == one.group && found.is_exclusive());
    }

    #[test]
    fn only_losses_alone_and_soon_are_a_jobs_own_and_all_are_bounded() {
        let alone = lost(Some(0), 50);
        let together = lost(Some(3), 50);
        let late = lost(Some(0), 3_600_000);
        let unsent = lost(None, 50);
        let judged = |losses: &[&LostAttempt]| {
            let losses: Vec<LostAttempt> = losses.iter().copied().cloned().collect();
            verdict(&losses)
        };
        assert_eq!(judged(&[&alone, &alone]), None);
        assert_eq!(judged(&[&alone, &alone, &together]), None);
        for other in [&together, &late, &unsent] {
            assert_eq!(judged(&[&alone, &alone, other, &alone]), None);
            assert_eq!(judged(&[other; LOSSES_MAX - 1]), None);
            let reason = judged(&[other; LOSSES_MAX]).unwrap();
            assert_eq!(reason, "lost its node 20 times");
        }
        let reason = judged(&[&together, &alone, &alone, &alone]).unwrap();
        let expected = "took its node down 4 times, alone on it the last 3 times";
        assert_eq!(reason, expected);
    }

    #[test]
    fn a_suspect_that_runs_much_longer_than_before_is_cleared() {
        let losses = [lost(Some(1), 5000)];
        assert!(!has_outlived(&losses, Duration::from_secs(20)));
        assert!(has_outlived(&losses, Duration::from_secs(21)));
    }

    fn lost(companions: Option<u32>, ran_ms: u64) -> LostAttempt {
        LostAttempt {
            attempt: Attempt::FIRST,
            node: NodeId::new("n1").unwrap(),
            at_ms: WallTime::default(),
            ran_ms,
            companions,
        }
    }
}
