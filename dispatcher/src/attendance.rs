//! Dispatchers by their signs of life: the one that leads, those that stand by, and those
//! that went silent.
//!
//! A dispatcher that is asked to stop announces that and is forgotten. One that goes
//! silent is reported, because nobody takes over for it: until it is back, another one
//! starts in its place, or a day has passed. Time counts as far as our own signs come
//! back, so a connection that is down makes nobody silent.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::time::Time;
use rolecast_common::wire::{DispatcherSign, DispatcherState, DispatcherStatus};

/// Interval of the signs.
pub(crate) const SIGN_INTERVAL: Duration = Duration::from_secs(2);
/// Time without a sign after which a dispatcher counts as silent: three signs and a
/// little, as for nodes.
const SILENT_AFTER: Duration = Duration::from_secs(7);
/// Time for which a silent one is reported. Guessed.
const REPORTED_MAX: Duration = Duration::from_secs(24 * 3600);
/// The most dispatchers that are known; there are two or three, and each restart is a
/// further one.
const KNOWN_MAX: usize = 16;

/// The dispatchers that gave signs of life, by the id of their start.
#[derive(Debug)]
pub(crate) struct Attendance {
    own: String,
    known: BTreeMap<String, Known>,
    /// The time of our own last sign, as far as it arrived here.
    present: Time,
}

#[derive(Debug)]
struct Known {
    sign: DispatcherSign,
    first: Time,
    last: Time,
    is_silent: bool,
    /// Whether it took the place of one that went silent.
    has_replaced: bool,
}

impl Attendance {
    /// `own` is the id of our own start.
    pub(crate) fn new(now: Time, own: &str) -> Self {
        Self {
            own: own.to_owned(),
            known: BTreeMap::new(),
            present: now,
        }
    }

    /// Records a sign; returns the dispatchers that went silent by then.
    pub(crate) fn observe(&mut self, now: Time, sign: DispatcherSign) -> Vec<DispatcherSign> {
        let is_own = sign.incarnation == self.own;
        if sign.is_leaving {
            self.known.remove(&sign.incarnation);
        } else if let Some(known) = self.known.get_mut(&sign.incarnation) {
            known.sign = sign;
            known.last = now;
            known.is_silent = false;
        } else if self.known.len() < KNOWN_MAX || self.forget_silent() {
            let known = Known {
                first: now,
                last: now,
                is_silent: false,
                has_replaced: false,
                sign,
            };
            self.known.insert(known.sign.incarnation.clone(), known);
        }
        if !is_own {
            return Vec::new();
        }
        self.present = now;
        self.find_silent()
    }

    /// Returns all of them, by name.
    pub(crate) fn list(&self, now: Time) -> Vec<DispatcherStatus> {
        let mut list: Vec<DispatcherStatus> = self.known.values().map(|k| k.view(now)).collect();
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list
    }

    fn find_silent(&mut self) -> Vec<DispatcherSign> {
        let present = self.present;
        self.known
            .retain(|_, known| !known.is_silent || present.since(known.last) < REPORTED_MAX);
        let mut news = Vec::new();
        for known in self.known.values_mut() {
            let is_silent = present.since(known.last) >= SILENT_AFTER;
            if is_silent && !known.is_silent {
                known.is_silent = true;
                news.push(known.sign.clone());
            }
        }
        let silent: Vec<String> = self
            .silent()
            .map(|known| known.sign.incarnation.clone())
            .collect();
        for has_same_name in [true, false] {
            for gone in &silent {
                if self.replace(gone, has_same_name) {
                    news.retain(|sign| sign.incarnation != *gone);
                }
            }
        }
        news
    }

    fn silent(&self) -> impl Iterator<Item = &Known> {
        self.known.values().filter(|known| known.is_silent)
    }

    /// Forgets a silent dispatcher if another one started in its place; returns whether it
    /// did.
    fn replace(&mut self, gone: &str, has_same_name: bool) -> bool {
        let Some(silent) = self.known.get(gone) else {
            return false;
        };
        let (name, last) = (silent.sign.name.clone(), silent.last);
        let mut others = self.known.values_mut();
        let successor = others.find(|known| {
            let is_new = !known.is_silent && !known.has_replaced && known.first > last;
            is_new && (!has_same_name || known.sign.name == name)
        });
        let Some(successor) = successor else {
            return false;
        };
        successor.has_replaced = true;
        self.known.remove(gone);
        true
    }

    /// Makes room for another one; returns whether there is some.
    fn forget_silent(&mut self) -> bool {
        let oldest = self.silent().min_by_key(|known| known.last);
        let oldest = oldest.map(|known| known.sign.incarnation.clone());
        oldest.is_some_and(|oldest| self.known.remove(&oldest).is_some())
    }
}

impl Known {
    fn view(&self, now: Time) -> DispatcherStatus {
        let state = match (self.is_silent, self.sign.leads) {
            (false, Some(_)) => DispatcherState::Leads,
            (false, None) => DispatcherState::StandsBy,
            (true, Some(_)) => DispatcherState::SilentLeader,
            (true, None) => DispatcherState::Silent,
        };
        DispatcherStatus {
            name: self.sign.name.clone(),
            incarnation: self.sign.incarnation.clone(),
            state,
            age_ms: u64::try_from(now.since(self.last).as_millis()).unwrap_or(u64::MAX),
            version: self.sign.version.clone(),
            page: self.sign.page.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::Epoch;
    use rolecast_common::wire::VERSION;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_start(Duration::from_secs(seconds))
    }

    fn sign(name: &str, incarnation: &str) -> DispatcherSign {
        DispatcherSign {
            v: VERSION,
            name: name.to_owned(),
            incarnation: incarnation.to_owned(),
            leads: None,
            version: String::new(),
            page: String::new(),
            is_leaving: false,
        }
    }

    /// Our own signs, every two seconds from `from` to `to`; returns the names of those
    /// that went silent.
    fn pass(attendance: &mut Attendance, from: u64, to: u64) -> Vec<String> {
        let times = (from..=to).step_by(2);
        let silent = times.flat_map(|second| attendance.observe(at(second), sign("us", "u1")));
        silent.map(|sign| sign.name).collect()
    }

    fn states(attendance: &Attendance, second: u64) -> Vec<(String, DispatcherState)> {
        let list = attendance.list(at(second)).into_iter();
        list.map(|found| (found.incarnation, found.state)).collect()
    }

    #[test]
    fn a_dispatcher_that_goes_silent_is_reported_once_and_listed_until_it_is_back() {
        let mut attendance = Attendance::new(at(0), "u1");
        let leader = DispatcherSign {
            leads: Some(Epoch::new(3)),
            ..sign("them", "t1")
        };
        attendance.observe(at(0), leader.clone());
        assert_eq!(pass(&mut attendance, 0, 6), Vec::<String>::new());
        let expected = [
            ("t1".to_owned(), DispatcherState::Leads),
            ("u1".to_owned(), DispatcherState::StandsBy),
        ];
        assert_eq!(states(&attendance, 6), expected);
        assert_eq!(pass(&mut attendance, 8, 100), ["them"]);
        let silent = (("t1".to_owned()), DispatcherState::SilentLeader);
        assert_eq!(states(&attendance, 100)[0], silent);
        assert_eq!(attendance.list(at(100))[0].age_ms, 100_000);
        attendance.observe(at(101), leader);
        assert_eq!(states(&attendance, 101), expected);
        let day = 25 * 3600;
        pass(&mut attendance, 102, 102 + day);
        assert_eq!(states(&attendance, day).len(), 1);
    }

    #[test]
    fn one_that_announces_its_end_is_not_missed() {
        let mut attendance = Attendance::new(at(0), "u1");
        attendance.observe(at(0), sign("them", "t1"));
        let last = DispatcherSign {
            is_leaving: true,
            ..sign("them", "t1")
        };
        attendance.observe(at(1), last);
        assert_eq!(pass(&mut attendance, 0, 20), Vec::<String>::new());
        assert_eq!(states(&attendance, 20).len(), 1);
    }

    #[test]
    fn a_silent_one_is_forgotten_when_another_one_starts_in_its_place() {
        let mut attendance = Attendance::new(at(0), "u1");
        attendance.observe(at(0), sign("a", "a1"));
        attendance.observe(at(0), sign("b", "b1"));
        assert_eq!(pass(&mut attendance, 0, 10), ["a", "b"]);
        // One of two places is taken: that of the same name.
        for second in (11..30).step_by(2) {
            attendance.observe(at(second), sign("b", "b2"));
            pass(&mut attendance, second, second);
        }
        let listed: Vec<String> = states(&attendance, 30).into_iter().map(|s| s.0).collect();
        assert_eq!(listed, ["a1", "b2", "u1"]);
        // A restart within the time of silence is no news at all.
        let mut attendance = Attendance::new(at(0), "u1");
        attendance.observe(at(0), sign("a", "a1"));
        let mut news = Vec::new();
        for second in (2..20).step_by(2) {
            attendance.observe(at(second), sign("a", "a2"));
            news.extend(pass(&mut attendance, second, second));
        }
        assert_eq!(news, Vec::<String>::new());
        assert_eq!(states(&attendance, 20).len(), 2);
    }

    #[test]
    fn nobody_is_silent_while_our_own_signs_do_not_come_back() {
        let mut attendance = Attendance::new(at(0), "u1");
        pass(&mut attendance, 0, 0);
        attendance.observe(at(0), sign("a", "a1"));
        assert_eq!(states(&attendance, 500)[0].1, DispatcherState::StandsBy);
        // After an outage the first sign may be ours.
        attendance.observe(at(500), sign("a", "a1"));
        assert_eq!(pass(&mut attendance, 500, 504), Vec::<String>::new());
    }

    #[test]
    fn their_number_is_bounded() {
        let mut attendance = Attendance::new(at(0), "u1");
        for number in 0..100 {
            attendance.observe(at(0), sign("a", &format!("a{number}")));
        }
        assert_eq!(states(&attendance, 0).len(), KNOWN_MAX);
    }
}
