//! Storage of the document in its key: every step is stored by compare-and-set before it
//! counts.
//!
//! A write whose result is unknown may still arrive. So it is not forgotten: after a read
//! of the key the very same document is written again, until it is there or the key holds
//! another one.

use std::time::Duration;

use rolecast_common::time::Time;
use rolecast_common::wire::RoleDocument;

use super::output::Output;
use crate::lease::Written;

/// Time without an answer after which the key is read again.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// Time after an error until the next request.
const ERROR_WAIT: Duration = Duration::from_millis(200);
/// Number of doublings of that time while errors follow each other: to 6.4 s.
const DOUBLINGS_MAX: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// The document that counts: it was stored under our own epoch.
    document: Option<RoleDocument>,
    /// The key's newest known revision.
    revision: u64,
    is_read: bool,
    /// The document that will count once it is stored.
    pending: Option<RoleDocument>,
    /// The request in flight, and the time at which it is given up.
    asked: Option<(u64, Time)>,
    request_last: u64,
    not_before: Time,
    /// Reads that failed one after the other.
    unread: u32,
}

/// The result of a read of the key.
#[derive(Debug)]
pub(super) enum Found {
    /// The answer to a request that was given up, or nothing new.
    Nothing,
    /// Our last write is there.
    Stored,
    /// Another document than we left there, or none.
    Other(Option<RoleDocument>),
}

impl Keeping {
    /// Forgets everything, when this dispatcher begins or ceases to lead.
    pub(super) fn reset(&mut self) {
        *self = Self {
            request_last: self.request_last,
            ..Self::default()
        };
    }

    pub(super) fn document(&self) -> Option<&RoleDocument> {
        self.document.as_ref()
    }

    /// Returns whether another document may already be in the key.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Returns whether a next step may be stored.
    pub(super) fn is_ready(&self) -> bool {
        self.document.is_some() && self.is_read && self.pending.is_none() && self.asked.is_none()
    }

    /// Sets the next document to store.
    pub(super) fn store(&mut self, document: RoleDocument) {
        debug_assert!(self.is_read && self.asked.is_none());
        self.pending = Some(document);
    }

    /// Sends the request that is due.
    pub(super) fn drive(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.asked.is_some_and(|(_, until)| until <= now) {
            self.asked = None;
            self.is_read = false;
        }
        if self.asked.is_some() || now < self.not_before {
            return;
        }
        let request = self.request_last + 1;
        if !self.is_read {
            out.push(Output::Read { request });
        } else if let Some(document) = &self.pending {
            out.push(Output::Store {
                request,
                revision: self.revision,
                document: Box::new(document.clone()),
            });
        } else {
            return;
        }
        self.request_last = request;
        self.asked = Some((request, now + ANSWER_WAIT));
    }

    fn take_answer(&mut self, request: u64) -> bool {
        self.asked.take_if(|(asked, _)| *asked == request).is_some()
    }

    /// Handles the content of the key.
    pub(super) fn read(&mut self, request: u64, entry: Option<(u64, RoleDocument)>) -> Found {
        if !self.take_answer(request) {
            return Found::Nothing;
        }
        self.is_read = true;
        self.unread = 0;
        let (revision, document) = match entry {
            Some((revision, document)) => (revision, Some(document)),
            None => (0, None),
        };
        let is_same = |found: &RoleDocument, pending: &RoleDocument| {
            (found.epoch, found.generation) == (pending.epoch, pending.generation)
        };
        let pending = self.pending.as_ref();
        let is_ours = pending.is_some_and(|pending| {
            let found = document.as_ref();
            found.is_some_and(|found| is_same(found, pending))
        });
        let is_unchanged = pending.is_some() && revision == self.revision;
        self.revision = revision;
        if is_ours {
            self.document = self.pending.take();
            return Found::Stored;
        }
        if is_unchanged {
            return Found::Nothing;
        }
        self.pending = None;
        Found::Other(document)
    }

    pub(super) fn unread(&mut self, now: Time, request: u64) {
        if self.take_answer(request) {
            let wait = ERROR_WAIT * (1 << self.unread.min(DOUBLINGS_MAX));
            self.unread = self.unread.saturating_add(1);
            self.not_before = now + wait;
        }
    }

    /// Handles the result of a write; returns whether the pending document counts now.
    pub(super) fn stored(&mut self, request: u64, result: Written) -> bool {
        if !self.take_answer(request) {
            return false;
        }
        match result {
            Written::Done(revision) => {
                self.revision = revision;
                self.document = self.pending.take();
                true
            }
            Written::Conflict | Written::Unknown => {
                self.is_read = false;
                false
            }
        }
    }
}
