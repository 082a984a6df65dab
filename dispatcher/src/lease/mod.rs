//! The lease that decides which of several dispatchers leads.
//!
//! One key is changed by compare-and-set only. The holder renews it; its lease counts
//! from the moment it *asked*, on its own clock, so it ends before any other dispatcher
//! may take it. A challenger acts only when it has seen no renewal for the whole term on
//! *its* own clock. No two clocks are compared, and no clock of the server takes part.
//! That two dispatchers never both believe to hold it needs only that their clocks run at
//! about the same rate (`timing`). Should even that fail, every command carries the
//! epoch, and workers refuse older ones.
//!
//! A bucket that does not answer is no evidence about the holder. A challenger counts
//! only time in which the bucket answered. A holder that cannot renew holds nothing when
//! its term is over, retries, and holds the lease again, under the same epoch, when the
//! key is back and still is its own. A key that was deleted or damaged is written again
//! by the holder while its term lasts: no other dispatcher can have taken it. After that
//! the key proves nothing, and the holder contends for it as all others do.
//!
//! The scheme is that of Gray and Cheriton, "Leases" (1989).

mod claim;
mod faults;
mod holding;
mod input;
mod output;
mod silence;
pub mod timing;

use std::time::Duration;

use rolecast_common::id::Epoch;
use rolecast_common::time::Time;
use rolecast_common::wire::{LeaseRecord, SealKey};

pub use self::input::{Entry, Input, Written};
pub use self::output::Output;

use self::holding::Holding;
use self::silence::Silence;
use self::timing::{ANSWER_WAIT, RENEW_INTERVAL, RETRY_INTERVAL, TERM, WATCH_INTERVAL};
use crate::seal::Seals;

/// One dispatcher's view of the lease.
#[derive(Debug)]
pub struct Lease {
    name: String,
    incarnation: String,
    /// The largest epoch that was seen.
    known: Epoch,
    /// The seals that were last found in the key.
    seals: Seals,
    /// The seal key of its own epochs.
    key: SealKey,
    jitter: Duration,
    state: State,
    /// The request in flight, by the time it was made.
    asked: Option<Time>,
    due: Time,
    /// The revision of a faulty key, so that each fault is reported once.
    reported: Option<u64>,
}

#[derive(Debug)]
enum State {
    /// Another dispatcher may hold it.
    Waiting {
        silence: Option<Silence>,
    },
    /// A first write, requested at that time, is in flight, or its result is unknown.
    Claiming {
        record: LeaseRecord,
        asked: Time,
    },
    /// It was taken; whether it is still held depends on the time.
    Leading(Holding),
    /// It was given back; the dispatcher contends again when a pause is over.
    Pausing,
    Resigned,
}

impl Lease {
    /// `incarnation` differs for each start. `known` is the largest epoch known from any
    /// source. `key` is a new one that nobody can guess. `jitter` keeps challengers
    /// apart; it is at most [`timing::JITTER_MAX`].
    pub fn new(
        name: String,
        incarnation: String,
        known: Epoch,
        key: SealKey,
        jitter: Duration,
    ) -> Self {
        Self {
            name,
            incarnation,
            known,
            seals: Seals::default(),
            key,
            jitter,
            state: State::Waiting { silence: None },
            asked: None,
            due: Time::ZERO,
            reported: None,
        }
    }

    /// Returns the end of the lease, on this dispatcher's clock. A past time means that
    /// it was held, and will be again if no other dispatcher takes it.
    pub fn held_until(&self) -> Option<Time> {
        match &self.state {
            State::Leading(holding) => Some(holding.until()),
            State::Waiting { .. } | State::Claiming { .. } | State::Pausing | State::Resigned => {
                None
            }
        }
    }

    pub fn is_held(&self, now: Time) -> bool {
        self.held_until().is_some_and(|until| now < until)
    }

    /// Returns the time at which [`Input::Tick`] is due.
    pub fn next_deadline(&self) -> Time {
        self.due
    }

    /// Records an epoch that was seen elsewhere; the next claim is above it.
    pub fn observe(&mut self, epoch: Epoch) {
        self.known = self.known.max(epoch);
    }

    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Tick => self.tick(now, out),
            Input::Read { asked, entry } if self.take_answer(asked) => self.read(now, entry, out),
            Input::Unread { asked } if self.take_answer(asked) => self.fail(now, asked),
            Input::Written { asked, result } if self.take_answer(asked) => {
                self.written(now, asked, result, out);
            }
            // The answer to a request that was given up.
            Input::Read { .. } | Input::Unread { .. } | Input::Written { .. } => {}
            Input::Doubt => self.doubt(now, out),
            Input::GiveBack { pause } => {
                self.give_up(now, State::Pausing, out);
                self.due = now + pause;
                let reason = "the lease was given back".to_owned();
                out.push(Output::StepDown { reason });
            }
            Input::Resign => {
                self.give_up(now, State::Resigned, out);
                self.due = now + TERM;
            }
        }
    }

    /// Reads the key before its next renewal. A request in flight is waited for: its
    /// answer shows as much, and dropping it would lose a renewal.
    fn doubt(&mut self, now: Time, out: &mut Vec<Output>) {
        if let State::Leading(holding) = &mut self.state
            && self.asked.is_none()
        {
            holding.doubt();
            self.ask(now, out);
        }
    }

    fn take_answer(&mut self, asked: Time) -> bool {
        let is_awaited = self.asked == Some(asked);
        if is_awaited {
            self.asked = None;
        }
        is_awaited
    }

    fn tick(&mut self, now: Time, out: &mut Vec<Output>) {
        if now < self.due {
            return;
        }
        let is_unanswered = self.asked.take().is_some();
        match &mut self.state {
            State::Waiting { .. } | State::Claiming { .. } => self.ask(now, out),
            // No answer arrived: the content of the key must be read again.
            State::Leading(holding) if is_unanswered || holding.is_doubtful() => {
                self.ask(now, out);
            }
            State::Leading(holding) => {
                let (record, revision) = (holding.renew(now), holding.revision());
                self.write(now, revision, record, out);
            }
            State::Pausing => {
                self.state = State::Waiting { silence: None };
                self.ask(now, out);
            }
            State::Resigned => self.due = now + TERM,
        }
    }

    fn ask(&mut self, now: Time, out: &mut Vec<Output>) {
        self.asked = Some(now);
        self.due = now + ANSWER_WAIT;
        out.push(Output::Read { asked: now });
    }

    fn write(&mut self, now: Time, revision: u64, record: LeaseRecord, out: &mut Vec<Output>) {
        self.asked = Some(now);
        self.due = now + ANSWER_WAIT;
        out.push(Output::Write {
            asked: now,
            revision,
            record,
        });
    }

    /// Handles a request without a result: the key is read next, at once if the request
    /// took long, and never in a busy loop.
    fn fail(&mut self, now: Time, asked: Time) {
        self.due = now.max(asked + RETRY_INTERVAL + self.jitter);
        if let State::Leading(holding) = &mut self.state {
            holding.doubt();
        }
    }

    fn read(&mut self, now: Time, entry: Entry, out: &mut Vec<Output>) {
        self.examine(&entry, out);
        match &mut self.state {
            State::Waiting { silence } => {
                let revision = entry.revision();
                let silence = silence.get_or_insert_with(|| Silence::new(revision, now));
                silence.extend(revision, now);
                let over = silence.ends(self.jitter);
                if self.is_free(&entry) || now >= over {
                    let epoch = claim::epoch(self.known, &entry, &self.incarnation);
                    self.claim(now, revision, epoch, out);
                } else {
                    self.due = over.min(now + WATCH_INTERVAL);
                }
            }
            State::Claiming { record, asked } => {
                let (claimed, asked) = (record.clone(), *asked);
                self.check_claim(now, claimed, asked, entry, out);
            }
            State::Leading(holding) => match &entry {
                Entry::Record { revision, record } if holding.owns(record) => {
                    holding.recognize(*revision, record);
                    self.due = now;
                }
                Entry::Record { record, .. } => {
                    let reason = describe(record);
                    self.step_down(now, reason, out);
                }
                // A claimant waits until the term is over, so there was none.
                Entry::Missing | Entry::Deleted { .. } | Entry::Unreadable { .. }
                    if now < holding.until() =>
                {
                    holding.repair(entry.revision());
                    self.due = now;
                }
                Entry::Missing | Entry::Deleted { .. } | Entry::Unreadable { .. } => {
                    let reason = "the key of the lease was lost after its term".to_owned();
                    self.step_down(now, reason, out);
                }
            },
            State::Pausing | State::Resigned => {}
        }
    }

    /// Whether no dispatcher is known to have led yet.
    fn is_first(&self) -> bool {
        self.known == Epoch::default()
    }

    /// Whether no dispatcher can hold the lease, whatever the clock shows.
    fn is_free(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Missing => self.is_first(),
            Entry::Record { record, .. } => {
                record.is_resigned || record.incarnation == self.incarnation
            }
            Entry::Deleted { .. } | Entry::Unreadable { .. } => false,
        }
    }

    fn claim(&mut self, now: Time, revision: u64, epoch: Epoch, out: &mut Vec<Output>) {
        let record = LeaseRecord {
            epoch,
            name: self.name.clone(),
            incarnation: self.incarnation.clone(),
            renewal: 0,
            is_resigned: false,
            seals: self.seals.with(epoch, self.key).into_eras(),
        };
        self.state = State::Claiming {
            record: record.clone(),
            asked: now,
        };
        self.write(now, revision, record, out);
    }

    /// Handles a read of the key after a claim with an unknown result.
    fn check_claim(
        &mut self,
        now: Time,
        claimed: LeaseRecord,
        asked: Time,
        entry: Entry,
        out: &mut Vec<Output>,
    ) {
        match entry {
            Entry::Record { revision, record } if record == claimed && now < asked + TERM => {
                self.lead(Holding::new(claimed, revision, asked), record, out);
                self.due = now;
            }
            Entry::Record { .. }
            | Entry::Missing
            | Entry::Deleted { .. }
            | Entry::Unreadable { .. } => {
                self.state = State::Waiting { silence: None };
                self.due = now;
            }
        }
    }

    fn lead(&mut self, holding: Holding, record: LeaseRecord, out: &mut Vec<Output>) {
        let LeaseRecord { epoch, seals, .. } = record;
        self.known = self.known.max(epoch);
        self.state = State::Leading(holding);
        let seals = Seals::new(seals);
        out.push(Output::Lead { epoch, seals });
    }

    fn written(&mut self, now: Time, asked: Time, result: Written, out: &mut Vec<Output>) {
        match (&mut self.state, result) {
            (State::Claiming { record, .. }, Written::Done(revision)) => {
                let record = record.clone();
                self.lead(Holding::new(record.clone(), revision, asked), record, out);
                self.due = asked + RENEW_INTERVAL;
            }
            (State::Leading(holding), Written::Done(newest)) => {
                holding.confirm(newest);
                self.due = asked + RENEW_INTERVAL;
            }
            (State::Claiming { .. }, Written::Conflict) => {
                self.state = State::Waiting { silence: None };
                self.due = now + WATCH_INTERVAL;
            }
            (State::Leading(holding), Written::Conflict) => {
                holding.doubt();
                self.ask(now, out);
            }
            (State::Claiming { .. } | State::Leading(_), Written::Unknown) => self.fail(now, asked),
            (State::Waiting { .. } | State::Pausing | State::Resigned, _) => {}
        }
    }

    fn step_down(&mut self, now: Time, reason: String, out: &mut Vec<Output>) {
        self.state = State::Waiting { silence: None };
        self.due = now + WATCH_INTERVAL;
        out.push(Output::StepDown { reason });
    }

    /// Marks the key as free, if it is held. The answer is not waited for: without the
    /// mark the others wait for the end of the term.
    fn give_up(&mut self, now: Time, next: State, out: &mut Vec<Output>) {
        self.asked = None;
        if let State::Leading(holding) = std::mem::replace(&mut self.state, next) {
            out.push(Output::Write {
                asked: now,
                revision: holding.revision(),
                record: holding.give_up(),
            });
        }
    }
}

fn describe(record: &LeaseRecord) -> String {
    format!(
        "{} holds the lease under epoch {}",
        record.name, record.epoch
    )
}

#[cfg(test)]
mod tests;
