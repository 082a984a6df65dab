//! Ledger of a row: jobs acknowledged, records stored, and runs that workers recorded.

use std::collections::{BTreeMap, BTreeSet};

/// Jobs by their id; the id begins with the lane.
pub(super) type Job = String;

/// Acknowledged jobs, with the time of the acknowledgement, in milliseconds of the wall
/// clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Acked(BTreeMap<Job, i64>);

impl Acked {
    pub(super) fn add(&mut self, job: Job, at: i64) {
        self.0.entry(job).or_insert(at);
    }

    /// Forgets jobs that were stored before a moment: the store was lost with all in it.
    pub(super) fn forget_before(&mut self, moment: i64) {
        self.0.retain(|_, at| *at >= moment);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.0.keys()
    }
}

/// A record as it is stored in the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// Its sequence, and the number of its stream, if the first one has been lost.
    pub stream: u32,
    pub sequence: u64,
    pub job: Job,
    pub status: &'static str,
    pub reason: String,
    /// The time when the server stored it, in milliseconds of the wall clock.
    pub at: i64,
}

/// All records that were ever observed in the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    by_place: BTreeMap<(u32, u64), Stored>,
}

impl Records {
    /// Adds a record; the same position twice is the same record.
    pub(super) fn add(&mut self, stored: Stored) {
        let place = (stored.stream, stored.sequence);
        self.by_place.entry(place).or_insert(stored);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Stored> {
        self.by_place.values()
    }

    pub(super) fn jobs(&self) -> BTreeSet<&Job> {
        self.all().map(|stored| &stored.job).collect()
    }

    /// Returns the jobs that have a second record in one stream.
    pub(super) fn overwritten(&self) -> Vec<&Job> {
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for stored in self.all() {
            if !seen.insert((stored.stream, &stored.job)) {
                found.push(&stored.job);
            }
        }
        found
    }

    /// Returns the records of jobs that did not complete. Jobs of the load do not fail.
    pub(super) fn false_dead(&self) -> Vec<&Stored> {
        self.all()
            .filter(|stored| stored.status != "completed")
            .collect()
    }
}

/// Records of one process of a worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// `start` or `end`, a job, an attempt.
    pub text: String,
    /// Whether the process was killed: runs that it had begun ended with it.
    pub is_killed: bool,
}

/// Counts executions that were not needed: more than one of a job, without those that
/// were cut short by the death of their worker.
pub(super) fn duplicate_runs(runs: &[Run]) -> usize {
    let mut whole: BTreeMap<&str, usize> = BTreeMap::new();
    for run in runs {
        let open = open_runs(&run.text);
        for (what, job, attempt) in lines(&run.text) {
            let is_cut = run.is_killed && open.contains(&(job, attempt));
            if what == "start" && !is_cut {
                *whole.entry(job).or_default() += 1;
            }
        }
    }
    whole.values().map(|count| count.saturating_sub(1)).sum()
}

/// Counts runs that have begun and not ended.
pub(super) fn running(runs: &[Run]) -> usize {
    let open = |run: &Run| open_runs(&run.text).len();
    runs.iter().filter(|run| !run.is_killed).map(open).sum()
}

fn open_runs(text: &str) -> BTreeSet<(&str, &str)> {
    let mut open = BTreeSet::new();
    for (what, job, attempt) in lines(text) {
        if what == "start" {
            open.insert((job, attempt));
        } else {
            open.remove(&(job, attempt));
        }
    }
    open
}

fn lines(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(sequence: u64, job: &str, status: &'static str) -> Stored {
        Stored {
            stream: 0,
            sequence,
            job: job.to_owned(),
            status,
            reason: String::new(),
            at: 0,
        }
    }

    fn run(text: &str, is_killed: bool) -> Run {
        Run {
            text: text.to_owned(),
            is_killed,
        }
    }

    #[test]
    fn a_second_record_is_found_and_the_same_one_read_twice_is_not() {
        let mut records = Records::default();
        records.add(stored(1, "a", "completed"));
        records.add(stored(1, "a", "completed"));
        records.add(stored(2, "b", "dead"));
        assert_eq!(records.overwritten(), Vec::<&Job>::new());
        assert_eq!(records.false_dead().len(), 1);
        records.add(stored(3, "a", "completed"));
        assert_eq!(records.overwritten(), ["a"]);
        // In a new stream it is not a second one.
        let mut other = stored(1, "b", "completed");
        other.stream = 1;
        records.add(other);
        assert_eq!(records.overwritten(), ["a"]);
    }

    #[test]
    fn a_run_that_was_cut_short_by_a_kill_is_no_duplicate() {
        let killed = run("start a 1\nend a 1\nstart b 1\n", true);
        let second = run("start b 2\nend b 2\n", false);
        assert_eq!(duplicate_runs(&[killed.clone(), second.clone()]), 0);
        // Of a worker that lives, it counts; and so does a run of a job that had ended.
        let alive = run("start b 1\n", false);
        assert_eq!(duplicate_runs(&[alive, second.clone()]), 1);
        let again = run("start a 1\nend a 1\n", false);
        assert_eq!(duplicate_runs(&[killed, second, again]), 1);
    }

    #[test]
    fn running_are_those_that_began_and_did_not_end() {
        let alive = run("start a 1\nend a 1\nstart b 1\nstart c 1\n", false);
        let killed = run("start d 1\n", true);
        assert_eq!(running(&[alive, killed]), 2);
    }

    #[test]
    fn jobs_of_a_store_that_was_lost_are_forgotten() {
        let mut acked = Acked::default();
        acked.add("a".to_owned(), 10);
        acked.add("b".to_owned(), 20);
        acked.forget_before(15);
        assert_eq!(acked.jobs().collect::<Vec<_>>(), ["b"]);
        assert_eq!(acked.len(), 1);
    }
}
