//! Picture of the fleet, put together from the dispatcher's answers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rolecast_common::alarm::{Alarm, of_status};
use rolecast_common::id::{JobId, NodeId, Sequence};
use rolecast_common::time::Time;
use rolecast_common::unit::Cores;
use rolecast_common::wire::{
    CapacityMap, Decision, ForecastView, JobList, JobView, RolesView, Status,
};

use super::feed::{JobsOf, Next, Request};
use super::listing::Listing;
use super::trail::{Flow, Trail};

/// Decisions that are kept, the last ones.
const DECISIONS_MAX: usize = 500;
/// The horizon for which the free capacity of each node is shown, in seconds.
pub(super) const FREE_WITHIN_S: u32 = 60;

/// An answer to a [`Request`].
#[derive(Debug)]
pub(crate) enum Answer {
    Page(Box<Status>),
    Capacity(CapacityMap),
    Roles(Box<RolesView>),
    Forecast(ForecastView),
    /// A page of jobs, and the job after which it was requested.
    Jobs(JobsOf, Option<Sequence>, JobList),
    Job(Box<JobAnswer>),
    /// Decisions since the last ones, the oldest first.
    Decided(Vec<Decision>),
}

/// A job's state and the decision about it, or why there is none.
#[derive(Debug)]
pub(crate) struct JobAnswer {
    pub(crate) job: JobId,
    pub(crate) view: Result<JobView, String>,
    pub(crate) decision: Result<Decision, String>,
}

/// The reason why the status is old.
#[derive(Debug)]
pub(super) struct Silence {
    pub(super) since: Time,
    pub(super) why: String,
}

/// Everything that was received.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    /// The last whole status, with the figures of the last page; the first one grows with
    /// each page.
    pub(super) status: Option<Status>,
    /// The lists of the status that is being read.
    scan: Option<Status>,
    pub(super) is_whole: bool,
    pub(super) silence: Option<Silence>,
    pub(super) attention: Vec<String>,
    pub(super) flow: Flow,
    /// The share of the CPU that was in use, by node.
    pub(super) trails: BTreeMap<NodeId, Trail>,
    pub(super) capacity: Option<CapacityMap>,
    /// CPU that will be free on each node within [`FREE_WITHIN_S`].
    pub(super) free: BTreeMap<NodeId, Cores>,
    pub(super) roles: Option<Box<RolesView>>,
    pub(super) forecast: Option<ForecastView>,
    pub(super) jobs: Jobs,
}

/// Jobs that have not ended or were decided on, and the one that is shown.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) listing: Listing,
    /// The last first.
    pub(super) decisions: VecDeque<Decision>,
    /// The reason why decisions are not received.
    pub(super) missing: Option<String>,
    pub(super) shown: Option<Box<JobAnswer>>,
}

impl Picture {
    /// Adds an answer; returns the next page, if it was a page and a next one is wanted.
    pub(super) fn add(&mut self, answer: Answer) -> Option<Next> {
        match answer {
            Answer::Page(page) => return self.add_page(*page),
            Answer::Capacity(map) => {
                self.free = free(&map);
                self.capacity = Some(map);
            }
            Answer::Roles(roles) => self.roles = Some(roles),
            Answer::Forecast(forecast) => self.forecast = Some(forecast),
            Answer::Jobs(of, after, page) => {
                let next = self.jobs.listing.add(of, after, page);
                return next.map(Next::Jobs);
            }
            Answer::Job(job) => self.jobs.shown = Some(job),
            Answer::Decided(decisions) => {
                self.jobs.missing = None;
                for decision in decisions {
                    self.jobs.decisions.push_front(decision);
                }
                self.jobs.decisions.truncate(DECISIONS_MAX);
            }
        }
        None
    }

    /// Notes that a request failed.
    pub(super) fn fail(&mut self, now: Time, request: &Request, why: String) {
        match request {
            Request::Page(_) => {
                self.scan = None;
                let since = self.silence.take().map_or(now, |silence| silence.since);
                self.silence = Some(Silence { since, why });
            }
            Request::Follow => self.jobs.missing = Some(why),
            // The status shows the same trouble, and the last answer stays.
            Request::Capacity
            | Request::Roles
            | Request::Forecast(_)
            | Request::Jobs(..)
            | Request::Job(_) => {}
        }
    }

    fn add_page(&mut self, mut page: Status) -> Option<Next> {
        self.silence = None;
        let next = page.next.take();
        let lists = self.scan.take();
        if let Some(mut lists) = lists {
            lists.categories.append(&mut page.categories);
            lists.roles.append(&mut page.roles);
            lists.nodes.append(&mut page.nodes);
            page.categories = lists.categories;
            page.roles = lists.roles;
            page.nodes = lists.nodes;
        }
        match &next {
            None => {
                self.is_whole = true;
                self.observe(&page);
                self.status = Some(page);
            }
            Some(_) => {
                self.scan = Some(page.clone());
                // The lists of the last whole status stay until there is another.
                if let Some(last) = self.status.take().filter(|_| self.is_whole) {
                    page.categories = last.categories;
                    page.roles = last.roles;
                    page.nodes = last.nodes;
                }
                self.status = Some(page);
            }
        }
        let status = self.status.as_ref();
        let alarms = status.map_or_else(Vec::new, |status| of_status(status, true));
        self.attention = alarms.iter().map(Alarm::line).collect();
        next.map(Next::Status)
    }

    /// Adds the figures of a whole status to the trails.
    fn observe(&mut self, status: &Status) {
        self.flow.observe(status);
        let mut trails = BTreeMap::new();
        for node in &status.nodes {
            let mut trail = self.trails.remove(&node.node).unwrap_or_default();
            let capacity = node.capacity.cpu.get();
            if capacity > 0.0 {
                trail.push(node.usage.total.cpu.get() / capacity);
            }
            trails.insert(node.node.clone(), trail);
        }
        self.trails = trails;
    }

    /// Returns the age of the picture if it is old, with the reason.
    pub(super) fn silence(&self, now: Time) -> Option<(Duration, &str)> {
        let silence = self.silence.as_ref()?;
        Some((now.since(silence.since), &silence.why))
    }
}

/// Returns the CPU that will be free on each node; of one with several roles, the least.
fn free(map: &CapacityMap) -> BTreeMap<NodeId, Cores> {
    let mut free = BTreeMap::new();
    for role in map.roles.values() {
        let mut horizons = role.horizons.iter();
        let Some(at) = horizons.find(|at| at.seconds >= FREE_WITHIN_S) else {
            continue;
        };
        for node in &at.nodes {
            let cpu = free.entry(node.node.clone()).or_insert(node.available.cpu);
            if node.available.cpu < *cpu {
                *cpu = node.available.cpu;
            }
        }
    }
    free
}

#[cfg(test)]
mod tests {
    use rolecast_common::wire::StatusCursor;

    use super::super::fixture;
    use super::*;

    fn page(nodes: &[&str], next: Option<&str>) -> Answer {
        let mut status = fixture::status();
        let oak = status.nodes.remove(1);
        let named = nodes.iter().map(|name| {
            let mut node = oak.clone();
            node.node = NodeId::new(name).unwrap();
            node
        });
        status.nodes = named.collect();
        status.next = next.map(|name| StatusCursor::Node(NodeId::new(name).unwrap()));
        Answer::Page(Box::new(status))
    }

    fn names(picture: &Picture) -> Vec<String> {
        let nodes = &picture.status.as_ref().unwrap().nodes;
        nodes.iter().map(|node| node.node.to_string()).collect()
    }

    #[test]
    fn the_first_picture_grows_and_later_ones_are_whole() {
        let mut picture = Picture::default();
        assert!(picture.add(page(&["a"], Some("a"))).is_some());
        assert_eq!(
            (names(&picture).join(","), picture.is_whole),
            ("a".into(), false)
        );
        assert_eq!(picture.add(page(&["b"], None)), None);
        assert_eq!(
            (names(&picture).join(","), picture.is_whole),
            ("a,b".into(), true)
        );
        // The next status has another node; the old list is shown until it is whole.
        picture.add(page(&["a"], Some("a")));
        assert_eq!(names(&picture), ["a", "b"]);
        picture.add(page(&["c"], None));
        assert_eq!(names(&picture), ["a", "c"]);
        assert_eq!(picture.trails.len(), 2);
    }

    #[test]
    fn a_failure_keeps_the_picture_and_begins_again() {
        let mut picture = Picture::default();
        picture.add(page(&["a"], None));
        picture.add(page(&["a"], Some("a")));
        let request = Request::Page(None);
        picture.fail(Time::ZERO, &request, "no answer".to_owned());
        let later = Time::ZERO + Duration::from_secs(3);
        picture.fail(later, &request, "gone".to_owned());
        assert_eq!(
            picture.silence(later),
            Some((Duration::from_secs(3), "gone"))
        );
        assert_eq!(names(&picture), ["a"]);
        picture.add(page(&["b"], None));
        assert_eq!(
            (names(&picture), picture.silence(later)),
            (vec!["b".to_owned()], None)
        );
    }

    #[test]
    fn a_node_has_the_room_of_its_tightest_role() {
        let mut map = fixture::capacity();
        let mut other = map.roles.values().next().unwrap().clone();
        other.horizons[0].nodes[0].available.cpu = Cores::clamped(0.5);
        map.roles.insert("backup".parse().unwrap(), other);
        let mut picture = Picture::default();
        picture.add(Answer::Capacity(map));
        let oak = NodeId::new("oak").unwrap();
        assert_eq!(picture.free.get(&oak), Some(&Cores::clamped(0.5)));
    }

    #[test]
    fn the_last_decisions_are_kept() {
        let mut picture = Picture::default();
        for at in 0..DECISIONS_MAX as u64 + 10 {
            let decision = fixture::decision(&format!("j{at}"), at);
            picture.add(Answer::Decided(vec![decision]));
        }
        let decisions = &picture.jobs.decisions;
        assert_eq!(
            (decisions.len(), decisions[0].at_ms.as_millis()),
            (DECISIONS_MAX, 509)
        );
    }
}
