//! Reports to the service manager (systemd): ready, status, signs of life, stopping.
//!
//! 1. systemd sets NOTIFY_SOCKET for a unit of `Type=notify`. Without it nothing is sent.
//! 2. READY is sent once, and STOPPING once; a status with each of them, else at most
//!    every [`STATUS_INTERVAL`] and only if it has changed.
//! 3. A sign of life is sent at half the time of the watchdog (WATCHDOG_USEC). Only code
//!    whose progress it proves sends it: a loop in each of its turns, or a wait that has a
//!    limit of its own.

use std::convert::Infallible;
use std::env;
use std::process;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rolecast_common::time::Time;
use sd_notify::NotifyState;
use tokio::sync::watch;

use super::{Clock, Link};

/// The least time between two texts of one stage: a person reads them.
const STATUS_INTERVAL: Duration = Duration::from_secs(2);
/// Interval of waits that send signs of life, if no watchdog asks for another.
const WAIT_INTERVAL: Duration = Duration::from_secs(10);

/// Stage of a program, as the service manager distinguishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is not ready yet.
    Starting,
    /// It does its work.
    Ready,
    /// It ends.
    Stopping,
}

/// The connection to the service manager.
#[derive(Debug)]
pub struct ServiceManager {
    clock: Clock,
    /// None if no manager asks for reports.
    reports: Option<Mutex<Reports>>,
}

impl ServiceManager {
    /// Returns the manager that started this program, if it asks for reports.
    pub fn of_environment() -> Self {
        let is_asked = env::var_os("NOTIFY_SOCKET").is_some();
        let reports = is_asked.then(|| Mutex::new(Reports::new(watchdog())));
        let clock = Clock::new();
        Self { clock, reports }
    }

    /// Returns one to which nothing is reported.
    pub fn none() -> Self {
        Self {
            clock: Clock::new(),
            reports: None,
        }
    }

    /// Reports the stage and a line for people, and a sign of life, as far as they are due.
    pub fn report(&self, stage: Stage, status: impl FnOnce() -> String) {
        self.send(|now, reports| reports.report(now, stage, status));
    }

    /// Sends signs of life for as long as it is polled: beside a wait that may be long.
    pub async fn keep(&self) -> Infallible {
        loop {
            self.beat();
            tokio::time::sleep(self.interval()).await;
        }
    }

    /// Sends signs of life while there is no connection: a loop that waits for NATS is not
    /// stuck, and a restart of the program would not help.
    pub async fn keep_without(&self, link: &watch::Receiver<Link>) -> Infallible {
        loop {
            let is_up = link.borrow().is_up;
            if !is_up {
                self.beat();
            }
            tokio::time::sleep(self.interval()).await;
        }
    }

    fn interval(&self) -> Duration {
        let reports = self.reports.as_ref();
        let interval = reports.and_then(|reports| lock(reports).interval);
        // Half of it: a beat that is not due yet must not be late at the next one.
        interval.map_or(WAIT_INTERVAL, |interval| interval / 2)
    }

    /// Sends a sign of life, if it is due.
    fn beat(&self) {
        self.send(|now, reports| reports.beat(now).into_iter().collect());
    }

    fn send(&self, due: impl FnOnce(Time, &mut Reports) -> Vec<Notice>) {
        let Some(reports) = &self.reports else {
            return;
        };
        let notices = due(self.clock.now().time, &mut lock(reports));
        if notices.is_empty() {
            return;
        }
        let states: Vec<NotifyState<'_>> = notices.iter().map(Notice::state).collect();
        if let Err(error) = sd_notify::notify(&states) {
            tracing::debug!(event = "notify_failed", "the service manager: {error}");
        }
    }
}

fn lock(reports: &Mutex<Reports>) -> std::sync::MutexGuard<'_, Reports> {
    reports.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the time of the watchdog, if it is meant for this process.
fn watchdog() -> Option<Duration> {
    let variable = |name| env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
    let length = variable("WATCHDOG_USEC").filter(|length| is_ours && *length > 0)?;
    Some(Duration::from_micros(length))
}

/// One line of a message to the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Notice {
    Ready,
    Stopping,
    Status(String),
    Alive,
}

impl Notice {
    fn state(&self) -> NotifyState<'_> {
        match self {
            Self::Ready => NotifyState::Ready,
            Self::Stopping => NotifyState::Stopping,
            Self::Status(text) => NotifyState::Status(text),
            Self::Alive => NotifyState::Watchdog,
        }
    }
}

/// The reports so far, and what is due next.
#[derive(Debug)]
struct Reports {
    is_ready: bool,
    is_stopping: bool,
    status: String,
    status_due: Time,
    /// Time between signs of life; none without a watchdog.
    interval: Option<Duration>,
    alive_due: Time,
}

impl Reports {
    fn new(watchdog: Option<Duration>) -> Self {
        Self {
            is_ready: false,
            is_stopping: false,
            status: String::new(),
            status_due: Time::ZERO,
            interval: watchdog.map(|length| length / 2),
            alive_due: Time::ZERO,
        }
    }

    fn report(&mut self, now: Time, stage: Stage, status: impl FnOnce() -> String) -> Vec<Notice> {
        let mut due = Vec::new();
        let change = match stage {
            Stage::Starting => None,
            Stage::Ready => (!self.is_ready).then_some(Notice::Ready),
            Stage::Stopping => (!self.is_stopping).then_some(Notice::Stopping),
        };
        self.is_ready |= stage == Stage::Ready;
        self.is_stopping |= stage == Stage::Stopping;
        if change.is_some() || now >= self.status_due {
            self.status_due = now + STATUS_INTERVAL;
            let status = one_line(&status());
            if status != self.status {
                self.status.clone_from(&status);
                due.push(Notice::Status(status));
            }
        }
        due.extend(change);
        due.extend(self.beat(now));
        due
    }

    fn beat(&mut self, now: Time) -> Option<Notice> {
        let interval = self.interval.filter(|_| now >= self.alive_due)?;
        self.alive_due = now + interval;
        Some(Notice::Alive)
    }
}

/// Returns the text as one line: a second one would be another message.
fn one_line(text: &str) -> String {
    text.split(['\n', '\r']).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_start(Duration::from_secs(seconds))
    }

    fn status(text: &str) -> Notice {
        Notice::Status(text.to_owned())
    }

    #[test]
    fn ready_and_stopping_are_reported_once_with_their_status() {
        let mut reports = Reports::new(None);
        let mut report = |seconds, stage, text: &str| {
            let text = text.to_owned();
            reports.report(at(seconds), stage, || text)
        };
        assert_eq!(report(0, Stage::Starting, "waits"), [status("waits")]);
        let ready = [status("serves"), Notice::Ready];
        assert_eq!(report(1, Stage::Ready, "serves"), ready);
        assert_eq!(report(30, Stage::Ready, "serves"), []);
        // A dispatcher that lost the lead is ready still.
        assert_eq!(report(60, Stage::Starting, "waits"), [status("waits")]);
        assert_eq!(report(90, Stage::Ready, "serves"), [status("serves")]);
        let stopping = [status("ends"), Notice::Stopping];
        assert_eq!(report(91, Stage::Stopping, "ends"), stopping);
        assert_eq!(report(92, Stage::Stopping, "ends"), []);
    }

    #[test]
    fn a_status_that_changes_all_the_time_is_sent_every_two_seconds() {
        let mut reports = Reports::new(None);
        let mut count = 0;
        for second in 0..60 {
            let sent = reports.report(at(second), Stage::Starting, || second.to_string());
            count += sent.len();
        }
        assert_eq!(count, 30);
    }

    #[test]
    fn a_status_is_one_line() {
        let mut reports = Reports::new(None);
        let sent = reports.report(at(0), Stage::Starting, || "a\nREADY=1\rb".to_owned());
        assert_eq!(sent, [status("a READY=1 b")]);
    }

    #[test]
    fn signs_of_life_are_sent_at_half_the_time_of_the_watchdog() {
        let mut reports = Reports::new(Some(Duration::from_secs(20)));
        let alive = |reports: &mut Reports, second| reports.beat(at(second)).is_some();
        let sent = (0..40).filter(|second| alive(&mut reports, *second));
        assert_eq!(sent.collect::<Vec<u64>>(), [0, 10, 20, 30]);
        let mut reports = Reports::new(None);
        assert!((0..40).all(|second| !alive(&mut reports, second)));
    }
}
