//! Key-value store with compare-and-set: each request takes effect at one moment.
//!
//! Each key is in a bucket of its own, which does not answer while it is away. What is
//! written then may be lost, be stored unanswered, or be stored when the bucket is back.

use fastrand::Rng;
use rolecast_common::wire::{LeaseRecord, RoleDocument};
use rolecast_dispatcher::lease::{Entry, Written};
use rolecast_dispatcher::scheduler::Input;

use super::checks::Checks;
use super::clock::Instantaneous;
use super::faults::{Bucket, Harm};
use super::message::{Request, RequestKind, Requester, Response};
use super::queue::Queue;

/// One key and its bucket.
#[derive(Debug)]
pub(super) struct Key<T> {
    /// The newest revision of the bucket.
    last: u64,
    /// The revision of the key, 0 if there is no value.
    revision: u64,
    value: Option<T>,
    is_deleted: bool,
    away_until: Instantaneous,
}

impl<T> Default for Key<T> {
    fn default() -> Self {
        Self {
            last: 0,
            revision: 0,
            value: None,
            is_deleted: false,
            away_until: 0,
        }
    }
}

impl<T: Clone> Key<T> {
    pub(super) fn read(&self) -> Option<(u64, T)> {
        self.value.clone().map(|value| (self.revision, value))
    }

    pub(super) fn write(&mut self, revision: u64, value: T) -> Written {
        if revision != self.revision {
            return Written::Conflict;
        }
        self.last += 1;
        self.revision = self.last;
        self.value = Some(value);
        self.is_deleted = false;
        Written::Done(self.revision)
    }
}

/// Fate of a request while its bucket is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The bucket is there.
    Answered,
    Lost,
    /// It takes effect, and nobody receives the answer.
    Unanswered,
    /// It arrives when the bucket is back.
    Late(Instantaneous),
}

/// The keys that dispatchers share, and the jobs.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) lease: Key<LeaseRecord>,
    pub(super) roles: Key<RoleDocument>,
    pub(super) queue: Queue,
}

impl Store {
    pub(super) fn lease(&self) -> Entry {
        let key = &self.lease;
        let revision = key.revision;
        match key.read() {
            Some((revision, record)) => Entry::Record { revision, record },
            None if key.last == 0 => Entry::Missing,
            None if key.is_deleted => Entry::Deleted { revision },
            None => Entry::Unreadable { revision },
        }
    }

    pub(super) fn harm(&mut self, harm: Harm) {
        let key = &mut self.lease;
        if key.last == 0 {
            return;
        }
        key.value = None;
        key.last += 1;
        key.is_deleted = harm != Harm::Damage;
        key.revision = match harm {
            Harm::Delete | Harm::Damage => key.last,
            Harm::Purge => 0,
        };
    }

    pub(super) fn send_away(&mut self, bucket: Bucket, until: Instantaneous) {
        let both = [
            (Bucket::Lease, &mut self.lease.away_until),
            (Bucket::Roles, &mut self.roles.away_until),
        ];
        for (which, away_until) in both {
            if bucket == which || bucket == Bucket::All {
                *away_until = until.max(*away_until);
            }
        }
        if matches!(bucket, Bucket::Jobs | Bucket::All) {
            self.queue.send_away(until);
        }
    }

    pub(super) fn heal(&mut self) {
        self.lease.away_until = 0;
        self.roles.away_until = 0;
        self.queue.away_until = 0;
    }

    pub(super) fn fate(&self, rng: &mut Rng, now: Instantaneous, kind: RequestKind) -> Fate {
        let (until, is_write) = match kind {
            RequestKind::ReadLease => (self.lease.away_until, false),
            RequestKind::WriteLease => (self.lease.away_until, true),
            RequestKind::ReadRoles => (self.roles.away_until, false),
            RequestKind::WriteRoles => (self.roles.away_until, true),
            RequestKind::ReadJobs => (self.queue.away_until, false),
            RequestKind::WriteJobs => (self.queue.away_until, true),
        };
        if now >= until {
            return Fate::Answered;
        }
        match rng.u8(..3) {
            0 if is_write => Fate::Unanswered,
            1 if is_write => Fate::Late(until),
            _ => Fate::Lost,
        }
    }

    /// Carries out a request; each document of the roles is checked.
    pub(super) fn apply(
        &mut self,
        now: Instantaneous,
        from: Requester,
        request: Request,
        checks: &mut Checks,
    ) -> Result<Response, String> {
        let queue = &mut self.queue;
        Ok(match request {
            Request::ReadLease(asked) => Response::Lease(asked, self.lease()),
            Request::WriteLease(asked, revision, record) => {
                Response::LeaseWritten(asked, self.lease.write(revision, record))
            }
            Request::ReadRoles(request) => {
                let entry = self.roles.read();
                let entry = entry.map(|(revision, document)| (revision, Box::new(document)));
                Response::Roles(request, entry)
            }
            Request::WriteRoles(request, revision, document) => {
                let result = self.roles.write(revision, (*document).clone());
                if let Written::Done(_) = result {
                    checks.document(&document)?;
                }
                Response::RolesWritten(request, result)
            }
            Request::Histories => {
                let histories = queue.histories.iter();
                let histories = histories.map(|(sequence, history)| (*sequence, history.clone()));
                Response::Histories(histories.collect())
            }
            Request::Pull(source, batch) => {
                queue.pull(now, from, source, batch);
                Response::None
            }
            Request::Acknowledge(sequence, kind) => {
                queue.acknowledge(now, sequence, kind)?;
                Response::None
            }
            Request::Recover => {
                queue.recover(now);
                Response::Pulled(Box::new(Input::Recovered))
            }
            Request::Record(sequence) => Response::Recorded(sequence, queue.record(now, sequence)),
        })
    }
}
