//! The lease: which one of several dispatchers is at work.
//!
//! One key that is never deleted is changed by compare-and-set only. The holder
//! renews it; its lease counts from the moment it *asked*, on its own clock, so it
//! ends before anybody else may take it. A challenger acts only when it has seen no
//! renewal for the whole term on *its* own clock. No two clocks are compared, and
//! no clock of the server takes part. That two dispatchers never both believe to
//! hold it needs only that their clocks run at about the same rate ([`TERM`]
//! against [`Lease`]'s patience); and should even that fail, every command carries
//! the epoch, and workers refuse older ones.
//!
//! The scheme is that of Gray and Cheriton, "Leases" (1989).

use std::time::Duration;

use rolecast_common::id::Epoch;
use rolecast_common::time::Time;
use serde::{Deserialize, Serialize};

/// How long the lease holds after it was asked for.
pub const TERM: Duration = Duration::from_secs(2);
/// How often the holder renews it: one that is lost, and is looked for after
/// [`ANSWER_WAIT`], leaves time for the next.
const RENEW_INTERVAL: Duration = Duration::from_millis(500);
/// How often the others look at it.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);
/// After this long without an answer a request is made again.
pub const ANSWER_WAIT: Duration = Duration::from_millis(700);
/// What challengers wait beyond the term: a twentieth is far more than clocks
/// differ in their rates.
const PATIENCE: Duration = Duration::from_millis(2100);

/// What the key holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub epoch: Epoch,
    /// The holder's name, for people.
    pub name: String,
    /// Another one for each start of a dispatcher.
    #[serde(default)]
    pub incarnation: String,
    /// Rises with each renewal.
    #[serde(default)]
    pub renewal: u64,
    /// Whether the holder has given it up.
    #[serde(default)]
    pub is_resigned: bool,
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is the key's newest revision.
    Done(u64),
    /// The key has another revision than expected.
    Conflict,
    /// Nobody knows: it may be written or not.
    Unknown,
}

#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// What the key holds, with its revision; `asked` is as in [`Output::Read`].
    Read {
        asked: Time,
        entry: Option<(u64, Record)>,
    },
    /// The key could not be read.
    Unread { asked: Time },
    /// What became of the write; `asked` is as in [`Output::Write`].
    Written { asked: Time, result: Written },
    /// Give it up, for good.
    Resign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Read {
        asked: Time,
    },
    /// Write if the key still has this revision; 0 is a key that was never written.
    Write {
        asked: Time,
        revision: u64,
        record: Record,
    },
    /// This dispatcher holds the lease, under this epoch.
    Lead {
        epoch: Epoch,
    },
    /// It holds it no more.
    StepDown {
        reason: String,
    },
    /// The key was given an older content than it had.
    RolledBack {
        known: Epoch,
        found: Epoch,
    },
}

/// One dispatcher's view of the lease.
#[derive(Debug)]
pub struct Lease {
    name: String,
    incarnation: String,
    /// Epochs up to this one were seen.
    known: Epoch,
    jitter: Duration,
    state: State,
    /// The request that is on its way, by the time it was made.
    asked: Option<Time>,
    due: Time,
}

#[derive(Debug)]
enum State {
    /// Another one holds it: its last revision seen, and when that was first seen.
    Waiting {
        seen: Option<(u64, Time)>,
    },
    /// A first write is on its way.
    Claiming {
        record: Record,
    },
    Leading {
        record: Record,
        revision: u64,
        until: Time,
    },
    Resigned,
}

impl Lease {
    /// `incarnation` differs for each start. `known` is the largest epoch that
    /// anything has told of. `jitter` keeps challengers apart; at most a tenth of
    /// [`TERM`] is plenty.
    pub fn new(name: String, incarnation: String, known: Epoch, jitter: Duration) -> Self {
        Self {
            name,
            incarnation,
            known,
            jitter,
            state: State::Waiting { seen: None },
            asked: None,
            due: Time::ZERO,
        }
    }

    /// Returns until when the lease is held, on this dispatcher's clock.
    pub fn held_until(&self) -> Option<Time> {
        match &self.state {
            State::Leading { until, .. } => Some(*until),
            State::Waiting { .. } | State::Claiming { .. } | State::Resigned => None,
        }
    }

    pub fn is_held(&self, now: Time) -> bool {
        self.held_until().is_some_and(|until| now < until)
    }

    /// Returns when [`Input::Tick`] is wanted.
    pub fn next_deadline(&self) -> Time {
        self.due
    }

    /// Notes an epoch that somebody has seen; the next claim is above it.
    pub fn note(&mut self, epoch: Epoch) {
        self.known = self.known.max(epoch);
    }

    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Tick => self.tick(now, out),
            Input::Read { asked, entry } if self.take_answer(asked) => self.read(now, entry, out),
            Input::Unread { asked } if self.take_answer(asked) => self.due = now + WATCH_INTERVAL,
            Input::Written { asked, result } if self.take_answer(asked) => {
                self.written(now, asked, result, out);
            }
            // An answer that is not waited for any more.
            Input::Read { .. } | Input::Unread { .. } | Input::Written { .. } => {}
            Input::Resign => self.resign(now, out),
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
        // No answer came: what the key holds must be learned anew.
        if self.asked.take().is_some() {
            return self.ask(now, out);
        }
        match &self.state {
            State::Waiting { .. } | State::Claiming { .. } => self.ask(now, out),
            State::Leading {
                record, revision, ..
            } => {
                let record = Record {
                    renewal: record.renewal + 1,
                    ..record.clone()
                };
                let revision = *revision;
                self.write(now, revision, record, out);
            }
            State::Resigned => self.due = now + TERM,
        }
    }

    fn ask(&mut self, now: Time, out: &mut Vec<Output>) {
        self.asked = Some(now);
        self.due = now + ANSWER_WAIT;
        out.push(Output::Read { asked: now });
    }

    fn write(&mut self, now: Time, revision: u64, record: Record, out: &mut Vec<Output>) {
        self.asked = Some(now);
        self.due = now + ANSWER_WAIT;
        out.push(Output::Write {
            asked: now,
            revision,
            record,
        });
    }

    fn read(&mut self, now: Time, entry: Option<(u64, Record)>, out: &mut Vec<Output>) {
        self.due = now + WATCH_INTERVAL;
        let (revision, record) = entry.unwrap_or_default();
        if record.epoch < self.known {
            let (known, found) = (self.known, record.epoch);
            out.push(Output::RolledBack { known, found });
        }
        self.known = self.known.max(record.epoch);
        match &mut self.state {
            State::Waiting { seen } => {
                let (last, since) = *seen.get_or_insert((revision, now));
                if last != revision {
                    *seen = Some((revision, now));
                }
                let is_free = revision == 0
                    || record.is_resigned
                    || record.incarnation == self.incarnation
                    || last == revision && now.since(since) >= PATIENCE + self.jitter;
                if is_free {
                    self.claim(now, revision, out);
                }
            }
            // What was asked for and not confirmed: begin again.
            State::Claiming { .. } => {
                self.state = State::Waiting { seen: None };
                self.due = now;
            }
            State::Leading {
                record: ours,
                revision: newest,
                ..
            } => {
                if record.incarnation != ours.incarnation || record.epoch != ours.epoch {
                    let reason = describe(&record);
                    return self.step_down(now, reason, out);
                }
                // A renewal whose answer was lost; it does not count as one.
                *newest = revision;
                self.due = now;
            }
            State::Resigned => {}
        }
    }

    fn claim(&mut self, now: Time, revision: u64, out: &mut Vec<Output>) {
        let record = Record {
            epoch: self.known.next(),
            name: self.name.clone(),
            incarnation: self.incarnation.clone(),
            renewal: 0,
            is_resigned: false,
        };
        self.state = State::Claiming {
            record: record.clone(),
        };
        self.write(now, revision, record, out);
    }

    fn written(&mut self, now: Time, asked: Time, result: Written, out: &mut Vec<Output>) {
        match (&mut self.state, result) {
            (State::Claiming { record }, Written::Done(revision)) => {
                let record = record.clone();
                let epoch = record.epoch;
                self.known = epoch;
                self.state = State::Leading {
                    record,
                    revision,
                    until: asked + TERM,
                };
                self.due = asked + RENEW_INTERVAL;
                out.push(Output::Lead { epoch });
            }
            (
                State::Leading {
                    record,
                    revision,
                    until,
                },
                Written::Done(newest),
            ) => {
                record.renewal += 1;
                *revision = newest;
                *until = asked + TERM;
                self.due = asked + RENEW_INTERVAL;
            }
            (State::Claiming { .. }, Written::Conflict | Written::Unknown) => {
                self.state = State::Waiting { seen: None };
                self.due = now + WATCH_INTERVAL;
            }
            (State::Leading { .. }, Written::Conflict | Written::Unknown) => self.ask(now, out),
            (State::Waiting { .. } | State::Resigned, _) => {}
        }
    }

    fn step_down(&mut self, now: Time, reason: String, out: &mut Vec<Output>) {
        self.state = State::Waiting { seen: None };
        self.due = now + WATCH_INTERVAL;
        out.push(Output::StepDown { reason });
    }

    fn resign(&mut self, now: Time, out: &mut Vec<Output>) {
        let state = std::mem::replace(&mut self.state, State::Resigned);
        if let State::Leading {
            record, revision, ..
        } = state
        {
            let record = Record {
                is_resigned: true,
                ..record
            };
            self.write(now, revision, record, out);
        }
    }
}

fn describe(record: &Record) -> String {
    format!(
        "{} holds the lease under epoch {}",
        record.name, record.epoch
    )
}

#[cfg(test)]
mod tests;
