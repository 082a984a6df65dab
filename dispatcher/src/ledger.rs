//! Reservation ledger of one node: the jobs sent to it that have not ended.
//!
//! A reservation counts from the moment a job is sent. Without it, every job would go to
//! the node that looked idle in the last heartbeat.
//!
//! A job that was taken from its node because it did not end there is *set aside*: it is
//! not this node's any more, but holds its slot for as long as the node lists it.

use std::collections::BTreeMap;
use std::time::Duration;

use foldhash::HashMap;
use rolecast_common::id::{Attempt, Sequence};
use rolecast_common::time::Time;

use crate::placement::{CategoryIndex, Prediction};

/// A job on its way to a node or running there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reservation {
    /// `None` if the needs of such jobs are unknown.
    pub(crate) category: Option<CategoryIndex>,
    pub(crate) sent: Time,
    /// The conditions predicted for it there; `None` if a former dispatcher sent it.
    pub(crate) prediction: Option<Prediction>,
}

/// The reservations on one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    jobs: HashMap<Sequence, Reservation>,
    /// Keyed by attempt too: the next attempt may also be set aside here.
    set_aside: BTreeMap<(Sequence, Attempt), Reservation>,
    /// Total time that jobs of each category were in hand since `counted`.
    busy: Vec<Duration>,
    counted: Time,
}

impl Ledger {
    /// Reserves what a job needs; returns whether it was not reserved before.
    pub(crate) fn reserve(&mut self, job: Sequence, reservation: Reservation) -> bool {
        let mut is_new = false;
        self.jobs.entry(job).or_insert_with(|| {
            is_new = true;
            reservation
        });
        is_new
    }

    /// Releases a job's reservation; an unknown job changes nothing.
    pub(crate) fn release(&mut self, now: Time, job: Sequence) -> Option<Reservation> {
        let reservation = self.jobs.remove(&job)?;
        count_busy(&mut self.busy, now, self.counted, &reservation);
        Some(reservation)
    }

    /// Sets a job aside whose execution may go on; an unknown job changes nothing.
    pub(crate) fn set_aside(&mut self, job: Sequence, attempt: Attempt) -> Option<Reservation> {
        let reservation = self.jobs.remove(&job)?;
        self.set_aside.insert((job, attempt), reservation);
        Some(reservation)
    }

    /// Frees and returns the jobs that were set aside and have ended there.
    pub(crate) fn free(
        &mut self,
        now: Time,
        mut has_ended: impl FnMut(Sequence, Attempt) -> bool,
    ) -> Vec<Reservation> {
        let mut freed = Vec::new();
        self.set_aside.retain(|(job, attempt), reservation| {
            let has_ended = has_ended(*job, *attempt);
            if has_ended {
                freed.push(*reservation);
            }
            !has_ended
        });
        for reservation in &freed {
            count_busy(&mut self.busy, now, self.counted, reservation);
        }
        freed
    }

    pub(crate) fn has_set_aside(&self) -> bool {
        !self.set_aside.is_empty()
    }

    pub(crate) fn get(&self, job: Sequence) -> Option<&Reservation> {
        self.jobs.get(&job)
    }

    /// Returns the number of taken slots.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.jobs.len() + self.set_aside.len()).unwrap_or(u32::MAX)
    }

    /// Returns the jobs in no particular order, without those set aside.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = Sequence> + '_ {
        self.jobs.keys().copied()
    }

    /// Passes the mean number of jobs of each category since the last call to `visit`,
    /// and returns the time since that call.
    pub(crate) fn take_means(
        &mut self,
        now: Time,
        mut visit: impl FnMut(CategoryIndex, f32),
    ) -> Duration {
        for reservation in self.jobs.values().chain(self.set_aside.values()) {
            count_busy(&mut self.busy, now, self.counted, reservation);
        }
        let passed = now.since(self.counted);
        let span = passed.as_secs_f32();
        self.counted = now;
        for (at, busy) in self.busy.iter_mut().enumerate() {
            let busy = std::mem::take(busy);
            if span > 0.0 && !busy.is_zero() {
                visit(CategoryIndex::new(at), busy.as_secs_f32() / span);
            }
        }
        passed
    }
}

fn count_busy(busy: &mut Vec<Duration>, now: Time, counted: Time, reservation: &Reservation) {
    let Some(category) = reservation.category else {
        return;
    };
    let at = category.index();
    if busy.len() <= at {
        busy.resize(at + 1, Duration::ZERO);
    }
    busy[at] += now.since(reservation.sent.max(counted));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(tenths: u64) -> Time {
        Time::from_start(Duration::from_millis(100 * tenths))
    }

    proptest! {
        #[test]
        fn any_order_of_events_leaves_what_is_held(
            events in proptest::collection::vec((any::<bool>(), 0u64..4, 0usize..3), 0..60),
        ) {
            let mut ledger = Ledger::default();
            let mut held: BTreeMap<u64, Reservation> = BTreeMap::new();
            for (step, (is_reserve, job, category)) in events.into_iter().enumerate() {
                let now = at(u64::try_from(step).unwrap());
                let reservation = Reservation { category: Some(CategoryIndex::new(category)), sent: now, prediction: None };
                let name = Sequence::new(job);
                if is_reserve {
                    prop_assert_eq!(ledger.reserve(name, reservation), !held.contains_key(&job));
                    held.entry(job).or_insert(reservation);
                } else {
                    prop_assert_eq!(ledger.release(now, name), held.remove(&job));
                }
                prop_assert_eq!(ledger.count() as usize, held.len());
            }
        }
    }

    #[test]
    fn means_count_every_job_for_the_time_it_was_in_hand() {
        let mut ledger = Ledger::default();
        ledger.take_means(at(0), |_, _| {});
        let reservation = |category, tenths| Reservation {
            category: Some(CategoryIndex::new(category)),
            sent: at(tenths),
            prediction: None,
        };
        ledger.reserve(Sequence::new(1), reservation(0, 0));
        ledger.reserve(Sequence::new(2), reservation(2, 5));
        ledger.release(at(8), Sequence::new(2));
        let mut means = Vec::new();
        ledger.take_means(at(10), |category, mean| {
            means.push((category.index(), mean));
        });
        assert_eq!(means, [(0, 1.0), (2, 0.3)]);
        means.clear();
        ledger.release(at(15), Sequence::new(1));
        ledger.take_means(at(20), |category, mean| {
            means.push((category.index(), mean));
        });
        assert_eq!(means, [(0, 0.5)]);
    }
}
