//! Requests of the live view: when the dispatcher is asked for which part.
//!
//! There is at most one open request of each kind. A large fleet has many pages, which are
//! requested one by one with a pause, so that a reader costs the dispatcher little.

use std::time::Duration;

use rolecast_common::id::{Category, JobId, NodeId, Sequence};
use rolecast_common::time::Time;
use rolecast_common::wire::StatusCursor;

/// Pause between two pages of a status or of jobs: a fleet of 10,000 nodes takes two
/// seconds. Guessed.
const PAGE_PAUSE: Duration = Duration::from_millis(100);
/// The capacity map is made every ten seconds.
const CAPACITY_EVERY: Duration = Duration::from_secs(10);
/// A forecast changes with its step of ten seconds.
const FORECAST_EVERY: Duration = Duration::from_secs(5);
/// Time for which a node is selected before its forecast is requested.
const SELECTION_PAUSE: Duration = Duration::from_millis(150);
/// A job's state is a request to the dispatcher, and one to the stream of decisions.
const JOB_EVERY: Duration = Duration::from_secs(2);
/// A login that may not read decisions will hardly be allowed to soon.
const FOLLOW_PAUSE: Duration = Duration::from_secs(30);
/// The least pause after a failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A page of the status, after this entry.
    Page(Option<StatusCursor>),
    Capacity,
    Roles,
    Forecast(NodeId),
    /// A page of the jobs that have not ended, after this one.
    Jobs(JobsOf, Option<Sequence>),
    /// The state of a job, and the decision about it.
    Job(JobId),
    /// Decisions as they are made; it has no end unless it fails.
    Follow,
}

/// The jobs of a list: all, or those of a node or of a category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobsOf {
    pub(crate) node: Option<NodeId>,
    pub(crate) category: Option<Category>,
}

/// Parts that the screen shows, besides the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) is_capacity: bool,
    pub(super) is_roles: bool,
    pub(super) forecast: Option<NodeId>,
    pub(super) job: Option<JobId>,
    /// The list of jobs, and the decisions beside it.
    pub(super) jobs: Option<JobsOf>,
    /// The job after which the reader wants further pages.
    pub(super) more_jobs: Option<Sequence>,
}

/// The page that follows an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Status(StatusCursor),
    Jobs(Sequence),
}

/// Progress of one kind of request.
#[derive(Debug, Default)]
struct Slot {
    is_open: bool,
    /// Whether what is wanted was answered, so that a pause can show it.
    is_answered: bool,
    /// The earliest time of the next request.
    due: Time,
}

impl Slot {
    fn is_due(&self, now: Time, is_paused: bool) -> bool {
        !self.is_open && self.due <= now && !(is_paused && self.is_answered)
    }

    /// Something else is wanted.
    fn renew(&mut self, due: Time) {
        self.is_answered = false;
        self.due = due;
    }

    fn close(&mut self, due: Time, is_answered: bool) {
        self.is_open = false;
        self.is_answered = is_answered;
        self.due = due;
    }
}

/// The pages that are requested next.
#[derive(Debug, Default)]
struct Cursors {
    status: Option<StatusCursor>,
    jobs: Option<Sequence>,
}

/// The requests that are open, and those that are due.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) interval: Duration,
    pub(super) is_paused: bool,
    cursors: Cursors,
    scan_began: Time,
    status: Slot,
    capacity: Slot,
    roles: Slot,
    forecast: Slot,
    job: Slot,
    jobs: Slot,
    follow: Slot,
    /// The parts that were wanted last.
    asked: Wanted,
}

impl Feed {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            is_paused: false,
            cursors: Cursors::default(),
            scan_began: Time::ZERO,
            status: Slot::default(),
            capacity: Slot::default(),
            roles: Slot::default(),
            forecast: Slot::default(),
            job: Slot::default(),
            jobs: Slot::default(),
            follow: Slot::default(),
            asked: Wanted::default(),
        }
    }

    /// Emits the requests that are due. While paused, only what was never answered.
    pub(super) fn request(&mut self, now: Time, wanted: &Wanted, out: &mut Vec<Request>) {
        if wanted.job != self.asked.job {
            self.job.renew(now);
        }
        if wanted.jobs != self.asked.jobs {
            self.cursors.jobs = None;
            self.jobs.renew(now);
        }
        let is_more = wanted.more_jobs.is_some() && wanted.more_jobs != self.asked.more_jobs;
        // During a round of pages, the new one is a part of it.
        if is_more && !self.jobs.is_open && self.cursors.jobs.is_none() {
            self.cursors.jobs = wanted.more_jobs;
            self.jobs.renew(now);
        }
        if wanted.forecast != self.asked.forecast {
            self.forecast.renew(now + SELECTION_PAUSE);
        }
        self.asked.clone_from(wanted);
        let is_paused = self.is_paused;
        if self.status.is_due(now, is_paused) && self.cursors.status.is_none() {
            self.scan_began = now;
        }
        let job = wanted.job.clone().map(Request::Job);
        let page = Some(Request::Page(self.cursors.status.clone()));
        let forecast = wanted.forecast.clone().map(Request::Forecast);
        let jobs = wanted.jobs.clone();
        let jobs = jobs.map(|of| Request::Jobs(of, self.cursors.jobs));
        let follow = wanted.jobs.as_ref().map(|_| Request::Follow);
        for (slot, request) in [
            (&mut self.job, job),
            (&mut self.status, page),
            (&mut self.forecast, forecast),
            (
                &mut self.capacity,
                wanted.is_capacity.then_some(Request::Capacity),
            ),
            (&mut self.roles, wanted.is_roles.then_some(Request::Roles)),
            (&mut self.jobs, jobs),
            (&mut self.follow, follow),
        ] {
            if let Some(request) = request.filter(|_| slot.is_due(now, is_paused)) {
                slot.is_open = true;
                out.push(request);
            }
        }
    }

    /// Closes a request that has an answer; `next` is the page after it.
    pub(super) fn answered(&mut self, now: Time, request: &Request, next: Option<Next>) {
        let after = |pause: Duration| now + pause.max(self.interval);
        match request {
            Request::Page(_) => {
                let is_whole = next.is_none();
                let due = match is_whole {
                    false => now + PAGE_PAUSE,
                    true => (self.scan_began + self.interval).max(now + PAGE_PAUSE),
                };
                self.cursors.status = match next {
                    Some(Next::Status(cursor)) => Some(cursor),
                    Some(Next::Jobs(_)) | None => None,
                };
                self.status.close(due, is_whole);
            }
            Request::Capacity => self.capacity.close(after(CAPACITY_EVERY), true),
            Request::Roles => self.roles.close(now + self.interval, true),
            Request::Forecast(node) => {
                let is_wanted = self.asked.forecast.as_ref() == Some(node);
                let due = if is_wanted {
                    after(FORECAST_EVERY)
                } else {
                    now
                };
                self.forecast.close(due, is_wanted);
            }
            Request::Job(job) => {
                let is_wanted = self.asked.job.as_ref() == Some(job);
                let due = if is_wanted { after(JOB_EVERY) } else { now };
                self.job.close(due, is_wanted);
            }
            Request::Jobs(of, _) => {
                let is_wanted = self.asked.jobs.as_ref() == Some(of);
                self.cursors.jobs = match next {
                    Some(Next::Jobs(after)) if is_wanted => Some(after),
                    Some(Next::Jobs(_) | Next::Status(_)) | None => None,
                };
                let due = match (is_wanted, self.cursors.jobs) {
                    (false, _) => now,
                    (true, Some(_)) => now + PAGE_PAUSE,
                    (true, None) => now + self.interval,
                };
                let is_whole = self.cursors.jobs.is_none();
                self.jobs.close(due, is_wanted && is_whole);
            }
            // It goes on.
            Request::Follow => {}
        }
    }

    /// Closes a request that failed. The status begins again with its first page.
    pub(super) fn failed(&mut self, now: Time, request: &Request) {
        let after = |pause: Duration| now + pause.max(self.interval);
        match request {
            Request::Page(_) => {
                self.cursors.status = None;
                self.status.close(after(FAILURE_PAUSE), false);
            }
            Request::Capacity => self.capacity.close(after(CAPACITY_EVERY), false),
            Request::Roles => self.roles.close(after(FAILURE_PAUSE), false),
            Request::Forecast(_) => self.forecast.close(after(FORECAST_EVERY), false),
            Request::Job(_) => self.job.close(after(JOB_EVERY), false),
            Request::Jobs(..) => {
                self.cursors.jobs = None;
                self.jobs.close(after(JOB_EVERY), false);
            }
            Request::Follow => self.follow.close(after(FOLLOW_PAUSE), false),
        }
    }

    /// Returns the next time at which a request is due, if one is wanted.
    pub(super) fn next_deadline(&self, wanted: &Wanted) -> Option<Time> {
        let slots = [
            (true, &self.status),
            (wanted.is_capacity, &self.capacity),
            (wanted.is_roles, &self.roles),
            (wanted.forecast.is_some(), &self.forecast),
            (wanted.job.is_some(), &self.job),
            (wanted.jobs.is_some(), &self.jobs),
            (wanted.jobs.is_some(), &self.follow),
        ];
        let is_awaited = |(is_wanted, slot): &(bool, &Slot)| {
            *is_wanted && !slot.is_open && !(self.is_paused && slot.is_answered)
        };
        let slots = slots.into_iter().filter(is_awaited);
        slots.map(|(_, slot)| slot.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_start(Duration::from_millis(millis))
    }

    fn requests(feed: &mut Feed, now: Time, wanted: &Wanted) -> Vec<Request> {
        let mut out = Vec::new();
        feed.request(now, wanted, &mut out);
        out
    }

    #[test]
    fn the_pages_of_a_large_fleet_are_requested_with_pauses() {
        let mut feed = Feed::new(Duration::from_secs(1));
        let wanted = Wanted::default();
        let first = Request::Page(None);
        assert_eq!(requests(&mut feed, at(0), &wanted), vec![first.clone()]);
        assert_eq!(requests(&mut feed, at(1), &wanted), vec![]);
        assert_eq!(feed.next_deadline(&wanted), None);
        let cursor = StatusCursor::Node(NodeId::new("n500").unwrap());
        feed.answered(at(20), &first, Some(Next::Status(cursor.clone())));
        assert_eq!(feed.next_deadline(&wanted), Some(at(120)));
        assert_eq!(requests(&mut feed, at(119), &wanted), vec![]);
        let second = Request::Page(Some(cursor));
        assert_eq!(requests(&mut feed, at(120), &wanted), vec![second.clone()]);
        feed.answered(at(140), &second, None);
        // The next status begins an interval after this one began.
        assert_eq!(feed.next_deadline(&wanted), Some(at(1000)));
        assert_eq!(requests(&mut feed, at(1000), &wanted), vec![first.clone()]);
        feed.failed(at(6000), &first);
        assert_eq!(feed.next_deadline(&wanted), Some(at(7000)));
    }

    #[test]
    fn only_what_is_shown_is_requested_and_nothing_twice() {
        let mut feed = Feed::new(Duration::from_secs(1));
        let node = NodeId::new("oak").unwrap();
        let wanted = Wanted {
            is_roles: true,
            forecast: Some(node.clone()),
            jobs: Some(JobsOf::default()),
            ..Wanted::default()
        };
        let jobs = Request::Jobs(JobsOf::default(), None);
        let expected = vec![Request::Page(None), Request::Roles, jobs, Request::Follow];
        assert_eq!(requests(&mut feed, at(0), &wanted), expected);
        assert_eq!(feed.next_deadline(&wanted), Some(at(150)));
        let forecast = Request::Forecast(node);
        assert_eq!(
            requests(&mut feed, at(150), &wanted),
            vec![forecast.clone()]
        );
        assert_eq!(requests(&mut feed, at(9000), &wanted), vec![]);
        feed.answered(at(9000), &forecast, None);
        // Another node is selected: its forecast is wanted soon.
        let elm = NodeId::new("elm").unwrap();
        let wanted = Wanted {
            forecast: Some(elm.clone()),
            ..wanted
        };
        assert_eq!(requests(&mut feed, at(9001), &wanted), vec![]);
        let forecast = Request::Forecast(elm);
        assert_eq!(requests(&mut feed, at(9151), &wanted), vec![forecast]);
    }

    #[test]
    fn further_pages_of_jobs_are_requested_when_they_are_wanted_and_then_renewed_in_turn() {
        let mut feed = Feed::new(Duration::from_secs(1));
        let of = JobsOf::default();
        let mut wanted = Wanted {
            jobs: Some(of.clone()),
            ..Wanted::default()
        };
        let page = |after: Option<u64>| Request::Jobs(of.clone(), after.map(Sequence::new));
        let jobs = |feed: &mut Feed, now, wanted: &Wanted| {
            let mut due = requests(feed, now, wanted);
            due.retain(|request| matches!(request, Request::Jobs(..)));
            due
        };
        assert_eq!(jobs(&mut feed, at(0), &wanted), [page(None)]);
        feed.answered(at(10), &page(None), None);
        assert_eq!(jobs(&mut feed, at(20), &wanted), []);
        wanted.more_jobs = Some(Sequence::new(200));
        assert_eq!(jobs(&mut feed, at(20), &wanted), [page(Some(200))]);
        // Without an answer it is not asked for again and again.
        feed.failed(at(30), &page(Some(200)));
        assert_eq!(jobs(&mut feed, at(40), &wanted), []);
        assert_eq!(jobs(&mut feed, at(2030), &wanted), [page(None)]);
        feed.answered(at(2040), &page(None), Some(Next::Jobs(Sequence::new(200))));
        assert_eq!(jobs(&mut feed, at(2139), &wanted), []);
        assert_eq!(jobs(&mut feed, at(2140), &wanted), [page(Some(200))]);
        feed.answered(at(2150), &page(Some(200)), None);
        assert_eq!(jobs(&mut feed, at(3149), &wanted), []);
        assert_eq!(jobs(&mut feed, at(3150), &wanted), [page(None)]);
    }

    #[test]
    fn while_paused_only_what_was_never_answered_is_requested() {
        let mut feed = Feed::new(Duration::from_secs(1));
        let mut wanted = Wanted::default();
        let page = requests(&mut feed, at(0), &wanted);
        feed.answered(at(5), &page[0], None);
        feed.is_paused = true;
        let job = JobId::new("order-17").unwrap();
        wanted.is_roles = true;
        wanted.job = Some(job.clone());
        let expected = vec![Request::Job(job), Request::Roles];
        assert_eq!(requests(&mut feed, at(9000), &wanted), expected);
        for request in &expected {
            feed.answered(at(9005), request, None);
        }
        assert_eq!(requests(&mut feed, at(99_000), &wanted), vec![]);
        assert_eq!(feed.next_deadline(&wanted), None);
        feed.is_paused = false;
        assert_eq!(requests(&mut feed, at(99_000), &wanted).len(), 3);
    }
}
