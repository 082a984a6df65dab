//! Live view of the fleet: a state machine over keys and answers, drawn on a terminal.
//!
//! The shell passes events with their time, carries out the commands, and draws the state
//! after each event. The machine decides what is requested and when (`feed`), puts the
//! answers together (`picture`), and keeps what the reader selected.

mod details;
mod draw;
mod feed;
#[cfg(test)]
mod fixture;
pub(crate) mod key;
mod list;
mod listing;
pub(crate) mod once;
pub(crate) mod picture;
mod press;
mod rows;
#[cfg(test)]
mod tests;
mod trail;

use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;

use self::details::Subject;
use self::feed::{Feed, Wanted};
use self::key::Key;
use self::list::{Item, List};
use self::picture::{Answer, Picture};
use self::rows::{categories, jobs, nodes, roles};
use crate::style::Palette;

pub(crate) use self::draw::draw;
pub(crate) use self::feed::{JobsOf, Request};

/// Ages on the screen are renewed as often.
const REDRAW_EVERY: Duration = Duration::from_secs(1);
/// Rows below the selected one for which more jobs are requested: a screen of them.
const ROWS_AHEAD: usize = 50;
/// The capacity map names each node of each role at each horizon: of a larger fleet it is
/// requested only while roles are shown.
const FREE_NODES_MAX: usize = 1000;

/// An event from outside.
#[derive(Debug)]
pub(crate) enum Event {
    Key(Key),
    Answered(Request, Answer),
    Failed(Request, String),
    /// The time has come that [`App::next_deadline`] named.
    Tick,
}

/// A command to the shell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Request(Request),
    Suspend,
    /// Draw every cell again.
    Redraw,
    Quit,
}

/// Lists and the page of alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Nodes,
    Categories,
    Roles,
    Jobs,
    Alarms,
}

impl Tab {
    const ALL: [(Tab, &'static str); 5] = [
        (Tab::Nodes, "Nodes"),
        (Tab::Categories, "Categories"),
        (Tab::Roles, "Roles"),
        (Tab::Jobs, "Jobs"),
        (Tab::Alarms, "Alarms"),
    ];

    fn index(self) -> usize {
        match self {
            Tab::Nodes => 0,
            Tab::Categories => 1,
            Tab::Roles => 2,
            Tab::Jobs => 3,
            Tab::Alarms => 4,
        }
    }
}

/// Open details: their subject, how far they are scrolled, and the jobs below them.
#[derive(Debug)]
struct Detail {
    subject: Subject,
    scroll: u16,
    jobs: List,
}

/// A text that is being typed.
#[derive(Debug)]
enum Prompt {
    Filter,
    Job {
        text: String,
        mistake: Option<String>,
    },
}

/// The state of the view.
#[derive(Debug)]
pub(crate) struct App {
    feed: Feed,
    picture: Picture,
    palette: Palette,
    tab: Tab,
    /// One for each tab.
    lists: [List; 5],
    alarms_scroll: u16,
    /// The one on the screen last.
    details: Vec<Detail>,
    prompt: Option<Prompt>,
    is_help: bool,
    wanted: Wanted,
    drawn: Time,
}

impl App {
    pub(crate) fn new(interval: Duration, palette: Palette) -> Self {
        Self {
            feed: Feed::new(interval),
            picture: Picture::default(),
            palette,
            tab: Tab::Nodes,
            lists: [
                List::sorted_by(nodes::FIRST_SORT),
                List::sorted_by(categories::FIRST_SORT),
                List::default(),
                List::sorted_by(jobs::FIRST_SORT),
                List::default(),
            ],
            alarms_scroll: 0,
            details: Vec::new(),
            prompt: None,
            is_help: false,
            wanted: Wanted::default(),
            drawn: Time::ZERO,
        }
    }

    pub(crate) fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Command>) {
        match event {
            Event::Key(key) => self.press(key, out),
            Event::Answered(request, answer) => {
                let next = self.picture.add(answer);
                self.feed.answered(now, &request, next);
            }
            Event::Failed(request, why) => {
                self.picture.fail(now, &request, why);
                self.feed.failed(now, &request);
            }
            Event::Tick => {}
        }
        self.read_on();
        let mut requests = Vec::new();
        self.wanted = self.shown_parts();
        self.feed.request(now, &self.wanted, &mut requests);
        out.extend(requests.into_iter().map(Command::Request));
        self.drawn = now;
    }

    /// Asks for more jobs when the selection is near the end of those that are listed.
    fn read_on(&mut self) {
        let Some(list) = self.list().filter(|_| self.listed_jobs().is_some()) else {
            return;
        };
        let keys = self.keys();
        let place = list.place(keys.iter().map(String::as_str)).unwrap_or(0);
        if place + ROWS_AHEAD >= keys.len() {
            self.picture.jobs.listing.deepen();
        }
    }

    /// Returns the time of the next tick.
    pub(crate) fn next_deadline(&self) -> Time {
        let redraw = self.drawn + REDRAW_EVERY;
        let due = self.feed.next_deadline(&self.wanted);
        due.map_or(redraw, |due| due.min(redraw))
    }

    /// Returns the parts that the screen shows.
    fn shown_parts(&self) -> Wanted {
        let subject = self.details.last().map(|detail| &detail.subject);
        let is_small = self
            .picture
            .status
            .as_ref()
            .is_some_and(|status| status.totals.nodes as usize <= FREE_NODES_MAX);
        let is_role = self.tab == Tab::Roles || matches!(subject, Some(Subject::Role(_)));
        Wanted {
            is_capacity: is_role || (self.tab == Tab::Nodes && is_small),
            is_roles: is_role,
            forecast: match subject {
                Some(Subject::Node(node)) => Some(node.clone()),
                Some(_) => None,
                None if self.tab == Tab::Nodes => self.selected_node(),
                None => None,
            },
            job: match subject {
                Some(Subject::Job(job)) => Some(job.clone()),
                Some(Subject::Node(_) | Subject::Category(_) | Subject::Role(_)) | None => None,
            },
            more_jobs: self
                .listed_jobs()
                .and_then(|of| self.picture.jobs.listing.wanted(&of)),
            jobs: self.listed_jobs(),
        }
    }

    /// Returns the jobs whose list is on the screen.
    fn listed_jobs(&self) -> Option<JobsOf> {
        match self.details.last() {
            Some(detail) => detail.jobs_of(),
            None => (self.tab == Tab::Jobs).then(JobsOf::default),
        }
    }

    fn selected_node(&self) -> Option<NodeId> {
        let rows =
            self.lists[Tab::Nodes.index()].arrange(nodes::rows(&self.picture), &nodes::columns());
        let list = &self.lists[Tab::Nodes.index()];
        let place = list.place(rows.iter().map(Item::key))?;
        Some(rows[place].node.node.clone())
    }

    /// Returns the list on the screen.
    fn list(&self) -> Option<&List> {
        match self.details.last() {
            Some(detail) => detail.has_jobs().then_some(&detail.jobs),
            None => (self.tab != Tab::Alarms).then_some(&self.lists[self.tab.index()]),
        }
    }

    fn list_mut(&mut self) -> Option<&mut List> {
        match self.details.last_mut() {
            Some(detail) => detail.has_jobs().then_some(&mut detail.jobs),
            None => (self.tab != Tab::Alarms).then_some(&mut self.lists[self.tab.index()]),
        }
    }

    /// Returns the number of columns of the list on the screen.
    fn columns(&self) -> usize {
        if !self.details.is_empty() {
            return jobs::columns().len();
        }
        match self.tab {
            Tab::Nodes => nodes::columns().len(),
            Tab::Categories => categories::columns().len(),
            Tab::Roles => roles::columns().len(),
            Tab::Jobs => jobs::columns().len(),
            Tab::Alarms => 0,
        }
    }

    /// Returns the keys of the list on the screen, in its order.
    fn keys(&self) -> Vec<String> {
        fn keys<T: Item>(rows: &[T]) -> Vec<String> {
            rows.iter().map(|row| row.key().to_owned()).collect()
        }
        let Some(list) = self.list() else {
            return Vec::new();
        };
        let picture = &self.picture;
        if let Some(of) = self.details.last().and_then(Detail::jobs_of) {
            return keys(&list.arrange(jobs::rows(picture, &of), &jobs::columns()));
        }
        match self.tab {
            Tab::Nodes => keys(&list.arrange(nodes::rows(picture), &nodes::columns())),
            Tab::Categories => {
                keys(&list.arrange(categories::rows(picture), &categories::columns()))
            }
            Tab::Roles => keys(&list.arrange(roles::rows(picture), &roles::columns())),
            Tab::Jobs => {
                keys(&list.arrange(jobs::rows(picture, &JobsOf::default()), &jobs::columns()))
            }
            Tab::Alarms => Vec::new(),
        }
    }
}

impl Detail {
    fn has_jobs(&self) -> bool {
        self.jobs_of().is_some()
    }

    /// Returns the jobs that stand below the page.
    fn jobs_of(&self) -> Option<JobsOf> {
        match &self.subject {
            Subject::Node(node) => Some(JobsOf {
                node: Some(node.clone()),
                category: None,
            }),
            Subject::Category(category) => Some(JobsOf {
                node: None,
                category: Some(category.clone()),
            }),
            Subject::Role(_) | Subject::Job(_) => None,
        }
    }
}
