//! Faults of the key: each is reported once.

use super::{Entry, Lease, Output};
use crate::seal::Seals;

impl Lease {
    /// Learns from the content of the key, and reports its faults, each once.
    pub(super) fn examine(&mut self, entry: &Entry, out: &mut Vec<Output>) {
        let fault = match entry {
            Entry::Record { record, .. } if record.epoch < self.known => Some(Output::RolledBack {
                known: self.known,
                found: record.epoch,
            }),
            Entry::Record { record, .. } => {
                self.known = record.epoch;
                // A dispatcher of an earlier version has none.
                if !record.seals.is_empty() {
                    self.seals = Seals::new(record.seals.clone());
                }
                None
            }
            Entry::Missing if self.is_first() => None,
            Entry::Missing | Entry::Deleted { .. } => Some(Output::Lost),
            Entry::Unreadable { revision } => Some(Output::Unreadable {
                revision: *revision,
            }),
        };
        let at_fault = fault.as_ref().map(|_| entry.revision());
        if at_fault != self.reported {
            out.extend(fault);
        }
        self.reported = at_fault;
    }
}
