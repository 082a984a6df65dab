//! Streams of jobs and of their records, and the failed attempts.
//!
//! As in JetStream: a job is delivered to a pull, again when it is not acknowledged in
//! time, and when it was given back; an acknowledgement of any delivery counts. A pull
//! that has nothing to deliver shows life now and then, and ends when it expires. No
//! notice is sent for a pull whose process is gone, or that was lost with the leader of
//! the queue.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::assignment::Ack;
use rolecast_common::id::{JobId, Sequence};
use rolecast_common::options::Options;
use rolecast_common::subjects::Source;
use rolecast_dispatcher::scheduler::{Delivery, History, Input, PULL_BEAT, PULL_EXPIRES, Recorded};

use super::clock::{Instantaneous, WALL_START_MS, nanos};
use super::dispatcher::ACK_WAIT;
use super::message::{AckKind, Requester};

/// The time to acknowledge while it is lowered for a moment, as in the shell.
const ACK_WAIT_LOWERED: Duration = Duration::from_millis(500);

/// A job that is stored.
#[derive(Debug)]
struct Stored {
    source: Source,
    job: JobId,
    at: Instantaneous,
    delivered: u64,
    /// The time of its redelivery; `None` before the first delivery.
    due: Option<Instantaneous>,
}

#[derive(Debug)]
struct Pull {
    requester: Requester,
    source: Source,
    left: u32,
    expires: Instantaneous,
    /// The time when it shows life, unless something is delivered before.
    beat: Instantaneous,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    jobs: BTreeMap<Sequence, Stored>,
    pulls: Vec<Pull>,
    last: u64,
    pub(super) away_until: Instantaneous,
    /// The time when each job was recorded.
    records: BTreeMap<Sequence, Instantaneous>,
    /// The time when each job was published.
    published: BTreeMap<Sequence, (Instantaneous, Source)>,
    pub(super) histories: BTreeMap<Sequence, History>,
}

impl Queue {
    pub(super) fn publish(&mut self, now: Instantaneous, source: Source) {
        self.last += 1;
        let sequence = Sequence::new(self.last);
        self.published.insert(sequence, (now, source.clone()));
        let stored = Stored {
            source,
            job: JobId::new(&format!("q{}", self.last)).expect("it is a job id"),
            at: now,
            delivered: 0,
            due: None,
        };
        self.jobs.insert(sequence, stored);
    }

    pub(super) fn pull(
        &mut self,
        now: Instantaneous,
        requester: Requester,
        source: Source,
        batch: u32,
    ) {
        self.pulls.push(Pull {
            requester,
            source,
            left: batch,
            expires: now + nanos(PULL_EXPIRES),
            beat: now + nanos(PULL_BEAT),
        });
    }

    /// Returns the results of pulls by now. Those of requesters that are gone are dropped.
    pub(super) fn deliver(
        &mut self,
        now: Instantaneous,
        is_there: impl Fn(&Requester) -> bool,
    ) -> Vec<(Requester, Input)> {
        let mut results = Vec::new();
        self.pulls.retain(|pull| is_there(&pull.requester));
        if now < self.away_until {
            return results;
        }
        for (sequence, stored) in &mut self.jobs {
            if stored.due.is_some_and(|due| now < due) {
                continue;
            }
            let wants = |pull: &&mut Pull| {
                pull.source == stored.source && pull.left > 0 && now < pull.expires
            };
            if let Some(pull) = self.pulls.iter_mut().find(wants) {
                pull.left -= 1;
                pull.beat = now + nanos(PULL_BEAT);
                stored.delivered += 1;
                stored.due = Some(now + nanos(ACK_WAIT));
                let delivery = stored.delivery(*sequence);
                results.push((pull.requester, Input::Delivered(delivery)));
            }
        }
        for pull in self.pulls.iter_mut().filter(|pull| now >= pull.beat) {
            pull.beat = now + nanos(PULL_BEAT);
            let source = pull.source.clone();
            results.push((pull.requester, Input::PullAlive { source }));
        }
        self.pulls.retain(|pull| {
            let is_over = now >= pull.expires;
            if is_over && pull.left > 0 {
                let (source, undelivered) = (pull.source.clone(), pull.left);
                let end = Input::PullEnded {
                    source,
                    undelivered,
                };
                results.push((pull.requester, end));
            }
            !is_over && pull.left > 0
        });
        results
    }

    /// Gives the queue another leader, which has no pull.
    pub(super) fn send_away(&mut self, until: Instantaneous) {
        self.away_until = until.max(self.away_until);
        self.pulls.clear();
    }

    /// Redelivers every job that nobody reported as worked on within the last moment, as
    /// when the time to acknowledge is lowered for a while. This also shortens the delay
    /// of jobs that were given back with one.
    pub(super) fn recover(&mut self, now: Instantaneous) {
        let lowered = nanos(ACK_WAIT) - nanos(ACK_WAIT_LOWERED);
        for stored in self.jobs.values_mut() {
            if stored.due.is_some_and(|due| due <= now + lowered) {
                stored.due = Some(now);
            }
        }
    }

    /// Takes an answer to a delivery; a job leaves only when it is recorded.
    pub(super) fn acknowledge(
        &mut self,
        now: Instantaneous,
        sequence: Sequence,
        kind: AckKind,
    ) -> Result<(), String> {
        let Some(stored) = self.jobs.get_mut(&sequence) else {
            return Ok(());
        };
        match kind {
            AckKind::Done if self.records.contains_key(&sequence) => {
                self.jobs.remove(&sequence);
            }
            AckKind::Done => {
                return Err(format!("job {sequence} is acknowledged and not recorded"));
            }
            AckKind::InProgress if stored.due.is_some() => stored.due = Some(now + nanos(ACK_WAIT)),
            AckKind::GiveBack(delay) if stored.due.is_some() => {
                stored.due = Some(now + nanos(delay));
            }
            // It was never delivered.
            AckKind::InProgress | AckKind::GiveBack(_) => {}
        }
        Ok(())
    }

    pub(super) fn recorded(&self) -> u64 {
        u64::try_from(self.records.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn record(&mut self, now: Instantaneous, sequence: Sequence) -> Recorded {
        if self.records.contains_key(&sequence) {
            return Recorded::Already;
        }
        self.records.insert(sequence, now);
        Recorded::Stored
    }

    /// Returns the longest time until a job of these categories was recorded, or until
    /// now if it was not; time before `from` does not count.
    pub(super) fn longest(
        &self,
        from: Instantaneous,
        now: Instantaneous,
        counts: impl Fn(Instantaneous, &Source) -> bool,
    ) -> (Duration, Option<Sequence>) {
        let counted = self.published.iter();
        let counted = counted.filter(|(_, (at, source))| counts(*at, source));
        let times = counted.map(|(sequence, (at, _))| {
            let end = self.records.get(sequence).copied().unwrap_or(now);
            let taken = end.saturating_sub((*at).max(from));
            (Duration::from_nanos(taken), Some(*sequence))
        });
        times.max().unwrap_or_default()
    }
}

impl Stored {
    fn delivery(&self, sequence: Sequence) -> Delivery {
        let consumer = self.source.consumer();
        let stored = WALL_START_MS * 1_000_000 + self.at;
        let delivered = self.delivered;
        let ack = format!("$JS.ACK.ROLECAST_JOBS.{consumer}.{delivered}.{sequence}.1.{stored}.0");
        Delivery {
            source: self.source.clone(),
            ack: Ack::parse(&ack).expect("it is an ack subject"),
            job: self.job.clone(),
            options: Ok(Options::new(self.job.clone())),
        }
    }
}
