//! Simulated stream of the jobs of one category and priority, and the names of jobs in it.

use std::collections::VecDeque;

use rolecast_common::assignment::Ack;
use rolecast_common::id::{JobId, Sequence};
use rolecast_common::time::{Time, WallTime};

use crate::policy::JobIndex;

/// Jobs of one category and priority.
#[derive(Default)]
pub(super) struct Stream {
    stored: VecDeque<JobIndex>,
    /// Open pulls: the time when each expires, and the jobs that it still wants.
    pulls: VecDeque<(Time, u32)>,
}

impl Stream {
    /// Takes the oldest job, for the oldest pull.
    pub(super) fn take(&mut self) -> Option<JobIndex> {
        let (_, wanted) = self.pulls.front_mut()?;
        let job = self.stored.pop_front()?;
        *wanted -= 1;
        if *wanted == 0 {
            self.pulls.pop_front();
        }
        Some(job)
    }

    /// Stores a job; a redelivered one has its former position.
    pub(super) fn store(&mut self, job: JobIndex) {
        let at = self.stored.partition_point(|other| *other < job);
        self.stored.insert(at, job);
    }

    /// Opens a pull that wants this many jobs until it expires.
    pub(super) fn pull(&mut self, expires: Time, batch: u32) {
        self.pulls.push_back((expires, batch));
    }

    /// Closes the pulls that have expired, and returns the jobs that each still wanted.
    pub(super) fn expire_pulls(&mut self, now: Time) -> Vec<u32> {
        let mut ended = Vec::new();
        while let Some((expires, undelivered)) = self.pulls.front().copied()
            && expires <= now
        {
            self.pulls.pop_front();
            ended.push(undelivered);
        }
        ended
    }

    /// Returns the time when the first open pull expires.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        self.pulls.front().map(|(expires, _)| *expires)
    }
}

/// Returns the sequence of a job; the stream counts from 1.
fn sequence_of(job: JobIndex) -> u64 {
    job as u64 + 1
}

pub(super) fn index_of(sequence: Sequence) -> JobIndex {
    let index = sequence.get().checked_sub(1);
    let index = index.and_then(|index| JobIndex::try_from(index).ok());
    index.expect("only jobs that were delivered return")
}

pub(super) fn job_id(job: JobIndex) -> JobId {
    JobId::new(&format!("j{job}")).expect("it is a job id")
}

pub(super) fn ack(job: JobIndex, stored: WallTime) -> Ack {
    let (sequence, millis) = (sequence_of(job), stored.as_millis());
    let subject =
        format!("$JS.ACK.ROLECAST_JOBS.simulated.1.{sequence}.{sequence}.{millis}000000.0");
    Ack::parse(&subject).expect("it is an ack subject")
}
