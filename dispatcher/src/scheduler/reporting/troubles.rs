//! Troubles around the dispatcher for operators, each with its start, number of reports
//! and remedy.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::time::{Now, Time, WallTime};
use rolecast_common::wire;

use crate::scheduler::output::{Event, Trouble};

/// The most troubles kept at once; there are fewer kinds than that, and some name a
/// category.
const TROUBLES_MAX: usize = 64;
/// Time after which a lasting trouble is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// The present troubles, by the troubled thing.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<String, Open>);

#[derive(Debug)]
struct Open {
    trouble: Trouble,
    since: WallTime,
    begun: Time,
    reported: Time,
    logged: Time,
    count: u64,
}

impl Troubles {
    /// Records a report; returns an event if it is news.
    pub(super) fn report(&mut self, now: Now, trouble: Trouble) -> Option<Event> {
        let is_full = self.0.len() >= TROUBLES_MAX;
        if let Some(open) = self.0.get_mut(&trouble.what) {
            open.count += 1;
            open.reported = now.time;
            let is_news = open.trouble.why != trouble.why;
            let is_due = now.time.since(open.logged) >= LOG_INTERVAL;
            open.trouble = trouble;
            if !is_due && !is_news {
                return None;
            }
            open.logged = now.time;
            return Some(open.event());
        }
        if is_full {
            return None;
        }
        let what = trouble.what.clone();
        let open = Open {
            trouble,
            since: now.wall,
            begun: now.time,
            reported: now.time,
            logged: now.time,
            count: 1,
        };
        let event = open.event();
        self.0.insert(what, open);
        Some(event)
    }

    pub(super) fn mend(&mut self, now: Time, what: &str) -> Option<Event> {
        let open = self.0.remove(what)?;
        Some(Event::TroubleOver {
            what: what.to_owned(),
            lasted: now.since(open.begun),
        })
    }

    /// Ends the troubles that were not reported again within their time.
    pub(super) fn expire(&mut self, now: Time) -> Vec<Event> {
        let is_over = |open: &Open| {
            let lasts = open.trouble.lasts;
            lasts.is_some_and(|lasts| now.since(open.reported) >= lasts)
        };
        let over = self.0.iter().filter(|(_, open)| is_over(open));
        let over: Vec<String> = over.map(|(what, _)| what.clone()).collect();
        over.iter()
            .filter_map(|what| self.mend(now, what))
            .collect()
    }

    pub(super) fn view(&self) -> Vec<wire::Trouble> {
        self.0.values().map(Open::view).collect()
    }
}

impl Open {
    fn event(&self) -> Event {
        Event::Troubled(self.trouble.clone(), self.count)
    }

    fn view(&self) -> wire::Trouble {
        wire::Trouble {
            what: self.trouble.what.clone(),
            why: self.trouble.why.clone(),
            remedy: self.trouble.remedy.clone(),
            since_ms: self.since,
            count: self.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        let length = Duration::from_secs(seconds);
        Now {
            time: Time::from_start(length),
            wall: WallTime::from_millis(seconds * 1000),
        }
    }

    fn trouble(what: &str, lasts: Option<Duration>) -> Trouble {
        Trouble {
            what: what.to_owned(),
            why: "it is away".to_owned(),
            remedy: "bring it back".to_owned(),
            lasts,
        }
    }

    #[test]
    fn a_trouble_is_logged_once_shown_with_its_count_and_over_when_mended() {
        let mut troubles = Troubles::default();
        assert!(troubles.report(at(1), trouble("a", None)).is_some());
        assert!(troubles.report(at(2), trouble("a", None)).is_none());
        let view = troubles.view();
        assert_eq!((view.len(), view[0].count), (1, 2));
        assert_eq!(view[0].since_ms, at(1).wall);
        assert!(troubles.report(at(40), trouble("a", None)).is_some());
        let over = troubles.mend(at(41).time, "a");
        let lasted = Duration::from_secs(40);
        let what = "a".to_owned();
        assert_eq!(over, Some(Event::TroubleOver { what, lasted }));
        assert!(troubles.view().is_empty());
        assert_eq!(troubles.mend(at(42).time, "a"), None);
    }

    #[test]
    fn another_cause_is_news() {
        let mut troubles = Troubles::default();
        troubles.report(at(1), trouble("a", None));
        let other = Trouble {
            why: "it is full".to_owned(),
            ..trouble("a", None)
        };
        assert!(troubles.report(at(2), other).is_some());
        assert_eq!(troubles.view()[0].why, "it is full");
    }

    #[test]
    fn one_that_lasts_a_while_ends_by_itself_and_their_number_is_bounded() {
        let mut troubles = Troubles::default();
        let lasts = Some(Duration::from_secs(10));
        troubles.report(at(0), trouble("a", lasts));
        assert!(troubles.expire(at(9).time).is_empty());
        assert_eq!(troubles.view().len(), 1);
        let over = troubles.expire(at(10).time);
        assert!(matches!(&over[..], [Event::TroubleOver { what, .. }] if what == "a"));
        assert!(troubles.view().is_empty());
        for number in 0..2 * TROUBLES_MAX {
            troubles.report(at(0), trouble(&number.to_string(), None));
        }
        assert_eq!(troubles.view().len(), TROUBLES_MAX);
    }
}
