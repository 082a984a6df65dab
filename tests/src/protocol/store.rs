//! A key-value store with compare-and-set: each request takes effect at one moment.

use rolecast_common::wire::RoleDocument;
use rolecast_dispatcher::lease::{Entry, Record, Written};

/// One key: its revision, 0 before the first write, and what it holds.
#[derive(Debug)]
pub(super) struct Key<T> {
    revision: u64,
    value: Option<T>,
}

impl<T> Default for Key<T> {
    fn default() -> Self {
        let (revision, value) = (0, None);
        Self { revision, value }
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
        self.revision += 1;
        self.value = Some(value);
        Written::Done(self.revision)
    }
}

/// The keys that dispatchers share.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) lease: Key<Record>,
    pub(super) roles: Key<RoleDocument>,
}

impl Store {
    pub(super) fn lease(&self) -> Entry {
        match self.lease.read() {
            Some((revision, record)) => Entry::Record { revision, record },
            None => Entry::Missing,
        }
    }
}
