//! Jobs that the dispatcher holds, page by page.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use rolecast_common::id::Sequence;
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, JobsRequest, ListedJob};

use super::super::super::failure::Failure;
use super::super::super::session::{Session, no_dispatcher};
use super::Wanted;

const PAGE_LIMIT: NonZeroU32 = NonZeroU32::new(500).expect("it is not zero");

/// The pages that are left.
#[derive(Debug)]
pub(super) struct Held {
    request: JobsRequest,
    read: VecDeque<ListedJob>,
    is_last: bool,
    /// The number of all jobs that the dispatcher knows.
    pub(super) total: u64,
}

impl Held {
    /// `is_merged` asks for all states, so that the places of all held jobs are known.
    pub(super) fn new(wanted: &Wanted, is_merged: bool) -> Self {
        let states = match is_merged {
            true => Vec::new(),
            false => wanted.states.clone(),
        };
        Self {
            request: JobsRequest {
                after: wanted.after,
                limit: Some(PAGE_LIMIT),
                newest_first: wanted.newest_first,
                category: wanted.category.clone(),
                node: wanted.node.clone(),
                states,
                ..JobsRequest::first()
            },
            read: VecDeque::new(),
            is_last: false,
            total: 0,
        }
    }

    /// Returns the place of the next job.
    pub(super) async fn peek(&mut self, session: &Session) -> Result<Option<Sequence>, Failure> {
        while self.read.is_empty() && !self.is_last {
            self.fetch(session).await?;
        }
        Ok(self.read.front().map(|job| job.sequence))
    }

    pub(super) fn take(&mut self) -> Option<ListedJob> {
        self.read.pop_front()
    }

    async fn fetch(&mut self, session: &Session) -> Result<(), Failure> {
        let body = wire::encode(Encoding::MessagePack, &self.request).into();
        let page: Option<wire::JobList> = session.request(subjects::API_JOBS, body).await?;
        let page = page.ok_or_else(no_dispatcher)?;
        let totals = page.totals;
        self.total = [totals.waiting, totals.running, totals.delayed]
            .map(u64::from)
            .iter()
            .sum();
        self.is_last = page.next.is_none();
        self.request.after = page.next;
        self.read.extend(page.jobs);
        Ok(())
    }
}
