//! Pages of a list of jobs: the first one, and as many further ones as the reader asks for.
//!
//! The pages are read again in turn. Each is replaced by itself, so that the list on the
//! screen is always whole.

use rolecast_common::id::Sequence;
use rolecast_common::wire::JobList;

use super::feed::JobsOf;

/// Pages that are kept: 5,000 jobs, and a few megabytes.
const PAGES_MAX: usize = 25;

/// The pages of one list, in the order of the queue.
#[derive(Debug)]
pub(super) struct Listing {
    of: JobsOf,
    pages: Vec<JobList>,
    /// Pages that the reader wants.
    depth: usize,
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            of: JobsOf::default(),
            pages: Vec::new(),
            depth: 1,
        }
    }
}

impl Listing {
    /// Adds a page, in place of the one that was there; returns the job after which the
    /// next one is wanted.
    pub(super) fn add(
        &mut self,
        of: JobsOf,
        after: Option<Sequence>,
        page: JobList,
    ) -> Option<Sequence> {
        if of != self.of {
            *self = Self {
                of,
                ..Self::default()
            };
        }
        // A page that follows none of these is an answer to an earlier request.
        let place = match after {
            None => 0,
            Some(_) => 1 + self.pages.iter().position(|page| page.next == after)?,
        };
        let next = page.next;
        match self.pages.get_mut(place) {
            Some(old) => *old = page,
            None => self.pages.push(page),
        }
        if next.is_none() {
            self.pages.truncate(place + 1);
        }
        next.filter(|_| place + 1 < self.depth)
    }

    /// Returns the pages of this list, if it is the one that was read last.
    pub(super) fn pages(&self, of: &JobsOf) -> &[JobList] {
        match self.of == *of {
            true => &self.pages,
            false => &[],
        }
    }

    pub(super) fn first(&self) -> Option<&JobList> {
        self.pages.first()
    }

    /// Whether the last page is the last of all.
    pub(super) fn is_whole(&self) -> bool {
        self.pages.last().is_none_or(|page| page.next.is_none())
    }

    pub(super) fn jobs_count(&self) -> usize {
        self.pages.iter().map(|page| page.jobs.len()).sum()
    }

    /// Asks for one more page, if all are read that were asked for and there is one.
    pub(super) fn deepen(&mut self) {
        let has_more = self.pages.last().is_some_and(|page| page.next.is_some());
        if has_more && self.pages.len() == self.depth {
            self.depth = (self.depth + 1).min(PAGES_MAX);
        }
    }

    /// Returns the job after which a page is missing that the reader asked for.
    pub(super) fn wanted(&self, of: &JobsOf) -> Option<Sequence> {
        let is_missing = self.of == *of && self.pages.len() < self.depth;
        self.pages.last()?.next.filter(|_| is_missing)
    }
}

#[cfg(test)]
mod tests {
    use rolecast_common::time::WallTime;
    use rolecast_common::wire::{JobTotals, VERSION};

    use super::*;

    fn page(next: Option<u64>) -> JobList {
        JobList {
            v: VERSION,
            at_ms: WallTime::from_millis(9000),
            jobs: Vec::new(),
            totals: JobTotals::default(),
            next: next.map(Sequence::new),
        }
    }

    fn add(listing: &mut Listing, after: Option<u64>, next: Option<u64>) -> Option<u64> {
        let after = after.map(Sequence::new);
        let wanted = listing.add(JobsOf::default(), after, page(next));
        wanted.map(Sequence::get)
    }

    fn ends(listing: &Listing) -> Vec<Option<u64>> {
        let pages = listing.pages(&JobsOf::default()).iter();
        pages.map(|page| page.next.map(Sequence::get)).collect()
    }

    #[test]
    fn a_further_page_is_wanted_once_the_reader_asks_and_then_in_each_round() {
        let mut listing = Listing::default();
        let of = JobsOf::default();
        assert_eq!(add(&mut listing, None, Some(200)), None);
        assert_eq!(listing.wanted(&of), None);
        listing.deepen();
        assert_eq!(listing.wanted(&of), Some(Sequence::new(200)));
        // Before it is read, no other one is asked for.
        listing.deepen();
        assert_eq!(add(&mut listing, Some(200), Some(400)), None);
        assert_eq!(listing.wanted(&of), None);
        assert_eq!(ends(&listing), [Some(200), Some(400)]);
        // Some jobs have ended; the pages move up, and the rest of the second is stale.
        assert_eq!(add(&mut listing, None, Some(300)), Some(300));
        assert_eq!(add(&mut listing, Some(200), Some(400)), None);
        assert_eq!(ends(&listing), [Some(300), Some(400)]);
        assert_eq!(add(&mut listing, Some(300), None), None);
        listing.deepen();
        assert_eq!(listing.wanted(&of), None);
        // One page has all.
        assert_eq!(add(&mut listing, None, None), None);
        assert_eq!(ends(&listing), [None]);
    }

    #[test]
    fn the_pages_are_bounded_and_another_list_begins_anew() {
        let mut listing = Listing::default();
        add(&mut listing, None, Some(1));
        for last in 1..100 {
            listing.deepen();
            if listing.wanted(&JobsOf::default()).is_some() {
                add(&mut listing, Some(last), Some(last + 1));
            }
        }
        assert_eq!(ends(&listing).len(), PAGES_MAX);
        let of = JobsOf {
            node: Some("oak".parse().unwrap()),
            category: None,
        };
        assert_eq!(listing.add(of.clone(), None, page(Some(7))), None);
        assert!(listing.pages(&JobsOf::default()).is_empty());
        assert_eq!(listing.pages(&of).len(), 1);
    }
}
