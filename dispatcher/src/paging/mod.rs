//! Pages of a status: each fits a message, whatever the size of the fleet.
//!
//! A page has the parts that every page repeats, the totals among them, and the entries
//! after a cursor: categories, roles, then nodes, each by name. It ends with the last
//! entry that fits, or with the number of nodes that was requested. An entry that is
//! larger than a whole page loses its lists, so each page has at least one entry, and a
//! reader reaches the end.

use rolecast_common::wire::{
    CategoryStatus, Encoding, NodeStatus, RoleStatus, Status, StatusCursor, StatusRequest,
    encoded_len,
};
use serde::Serialize;

/// Number of nodes of a page without `limit`: some 300 KB in JSON, so that a page is far
/// below the usual limit of a message.
const NODES_DEFAULT: usize = 500;
/// Bytes that a page adds to its entries: the cursor of the next one, which has at most
/// 70 bytes, and up to 5 bytes for the length of each of three lists.
const FRAME_LEN: usize = 128;
/// Bytes that an entry adds to its list in JSON: a comma.
const SEPARATOR_LEN: usize = 1;

/// Returns the requested page, of at most `len_max` bytes.
pub(crate) fn page(
    whole: &Status,
    request: &StatusRequest,
    encoding: Encoding,
    len_max: usize,
) -> Status {
    let mut page = overview(whole, encoding, len_max / 2);
    let room = len_max.saturating_sub(encoded_len(encoding, &page) + FRAME_LEN);
    let nodes_max = request
        .limit
        .map_or(NODES_DEFAULT, |limit| limit.get() as usize);
    let mut cut = Cut {
        encoding,
        after: request.after.as_ref(),
        room,
        left: room,
        last: None,
        is_full: false,
    };
    page.categories = cut.take(&whole.categories, usize::MAX);
    page.roles = cut.take(&whole.roles, usize::MAX);
    page.nodes = cut.take(&whole.nodes, nodes_max);
    page.next = cut.last.filter(|_| cut.is_full);
    page
}

/// Returns the part that every page repeats. Troubles and refused senders are few, and
/// their texts are short; those that take more than half a page are left out all the
/// same.
fn overview(whole: &Status, encoding: Encoding, len_max: usize) -> Status {
    let mut overview = Status {
        v: whole.v,
        dispatcher: whole.dispatcher.clone(),
        epoch: whole.epoch,
        at_ms: whole.at_ms,
        forecast_mode: whole.forecast_mode,
        totals: whole.totals,
        nodes: Vec::new(),
        roles: Vec::new(),
        categories: Vec::new(),
        counters: whole.counters,
        dispatchers: whole.dispatchers.clone(),
        nats: whole.nats.clone(),
        vacant: whole.vacant.clone(),
        troubles: whole.troubles.clone(),
        is_lapsed: whole.is_lapsed,
        unread: whole.unread.clone(),
        dead_letters: whole.dead_letters,
        refused: whole.refused.clone(),
        next: None,
    };
    while encoded_len(encoding, &overview) > len_max {
        if overview.nats.take().is_some() {
            continue;
        }
        if overview.refused.pop().is_none() && overview.troubles.pop().is_none() {
            break;
        }
    }
    overview
}

/// The progress of filling a page.
struct Cut<'a> {
    encoding: Encoding,
    after: Option<&'a StatusCursor>,
    /// The bytes that entries may take, and those that are left of them.
    room: usize,
    left: usize,
    /// The last entry on the page.
    last: Option<StatusCursor>,
    /// Whether an entry was left to the next page.
    is_full: bool,
}

impl Cut<'_> {
    /// Takes the requested entries, which are sorted, as far as they fit.
    fn take<T: StatusEntry>(&mut self, entries: &[T], count_max: usize) -> Vec<T> {
        let is_before = |entry: &T| self.after.is_some_and(|after| entry.cursor() <= *after);
        let first = entries.partition_point(is_before);
        let mut taken = Vec::new();
        for entry in &entries[first..] {
            if self.is_full || taken.len() == count_max {
                self.is_full = true;
                break;
            }
            let mut entry = entry.clone();
            let mut len = self.len(&entry);
            if len > self.room {
                entry.drop_lists();
                len = self.len(&entry);
            }
            if len > self.left && self.last.is_some() {
                self.is_full = true;
                break;
            }
            self.left = self.left.saturating_sub(len);
            self.last = Some(entry.cursor());
            taken.push(entry);
        }
        taken
    }

    fn len<T: StatusEntry>(&self, entry: &T) -> usize {
        encoded_len(self.encoding, entry) + SEPARATOR_LEN
    }
}

/// An entry of a status.
trait StatusEntry: Clone + Serialize {
    fn cursor(&self) -> StatusCursor;

    /// Removes the lists that have no small bound.
    fn drop_lists(&mut self);
}

impl StatusEntry for CategoryStatus {
    fn cursor(&self) -> StatusCursor {
        StatusCursor::Category(self.category.clone())
    }

    fn drop_lists(&mut self) {
        self.roles.clear();
        self.obstacles.clear();
        self.required.clear();
        self.is_cut = true;
    }
}

impl StatusEntry for RoleStatus {
    fn cursor(&self) -> StatusCursor {
        StatusCursor::Role(self.role.clone())
    }

    fn drop_lists(&mut self) {}
}

impl StatusEntry for NodeStatus {
    fn cursor(&self) -> StatusCursor {
        StatusCursor::Node(self.node.clone())
    }

    fn drop_lists(&mut self) {
        self.roles.clear();
        self.labels = Default::default();
        self.categories.clear();
        self.distrusted.clear();
        self.is_cut = true;
    }
}

#[cfg(test)]
mod tests;
