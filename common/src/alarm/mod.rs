//! Alarms: conditions that need attention, each with its cause and the next step. The status,
//! the page and `rolecast top` show the same ones in the same words.

mod jobs;
mod nats;
mod nodes;
mod roles;

pub use self::jobs::obstacles;
pub use self::nodes::{FEEDBACK_HIGH, ROUND_TRIP_HIGH, Urgency, of_node, urgency};
pub use self::roles::{of_changes, of_roles};

use crate::time::WallTime;
use crate::wire::{RefusedSender, Status, Trouble};
use crate::words::{counted, one_line, seconds};

/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 200;
/// The characters of a name of others that are shown.
const NAME_CHARS_MAX: usize = 64;
/// Senders of refused messages that are named.
const SENDERS_MAX: usize = 5;

/// The weight of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Work stands still or is lost.
    Bad,
    Warning,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub gravity: Gravity,
    /// The part that is affected.
    pub what: String,
    pub why: String,
    pub since: Option<WallTime>,
    /// The next step.
    pub advice: Option<String>,
    /// The command that shows more; it changes nothing.
    pub command: Option<String>,
}

impl Alarm {
    pub fn new(gravity: Gravity, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            gravity,
            what: what.into(),
            why: why.into(),
            since: None,
            advice: None,
            command: None,
        }
    }

    pub(crate) fn since(self, since: WallTime) -> Self {
        let since = Some(since);
        Self { since, ..self }
    }

    #[must_use]
    pub fn advice(self, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into()).filter(|advice| !advice.is_empty());
        Self { advice, ..self }
    }

    #[must_use]
    pub fn command(self, command: impl Into<String>) -> Self {
        let command = Some(command.into());
        Self { command, ..self }
    }

    /// Returns it as one line: `what: why (since ...); advice; see command`.
    pub fn line(&self) -> String {
        let mut line = format!("{}: {}", self.what, self.why);
        if let Some(since) = self.since {
            line.push_str(&format!(" (since {since})"));
        }
        if let Some(advice) = &self.advice {
            line.push_str(&format!("; {advice}"));
        }
        if let Some(command) = &self.command {
            line.push_str(&format!("; see {command}"));
        }
        line
    }
}

/// The dispatcher's name of its lease in a trouble.
const LEASE: &str = "the dispatcher's lease";

/// Returns all alarms, the gravest first; of many about nodes the first ones, unless
/// `is_all`.
pub fn of_status(status: &Status, is_all: bool) -> Vec<Alarm> {
    let mut alarms = of_dispatcher(status);
    alarms.extend(nats::of_nats(status));
    alarms.extend(roles::of_vacancies(status));
    alarms.extend(jobs::of_jobs(status));
    alarms.extend(status.roles.iter().filter_map(roles::shortage));
    alarms.extend(nodes::of_nodes(status, is_all));
    alarms.extend(refused(status));
    alarms.sort_by_key(|alarm| alarm.gravity);
    alarms
}

fn of_dispatcher(status: &Status) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if status.is_lapsed {
        let what = one_line(&status.dispatcher, NAME_CHARS_MAX);
        let why = "it cannot renew its lease: NATS does not answer, or has no quorum; no job is \
                   sent until it can";
        let alarm = Alarm::new(Gravity::Bad, format!("dispatcher {what}"), why);
        alarms.push(alarm.command("nats server report jetstream"));
    }
    if let Some(why) = &status.unread {
        let why = one_line(why, REASON_CHARS_MAX);
        let why = format!("they cannot be read, so backlogs and dead letters are missing: {why}");
        alarms.push(Alarm::new(Gravity::Bad, "streams", why).command("nats stream report"));
    }
    let troubles = status.troubles.iter();
    let troubles = troubles.filter(|trouble| !(status.is_lapsed && trouble.what == LEASE));
    alarms.extend(troubles.map(trouble));
    alarms
}

fn trouble(trouble: &Trouble) -> Alarm {
    let Trouble {
        what,
        why,
        remedy,
        since_ms,
        count: _,
    } = trouble;
    let [what, why, remedy] = [what, why, remedy].map(|text| one_line(text, REASON_CHARS_MAX));
    let alarm = Alarm::new(Gravity::Bad, what, why);
    alarm.since(*since_ms).advice(remedy)
}

/// Returns the senders of refused messages with the reasons, and the number of others.
fn refused(status: &Status) -> Vec<Alarm> {
    let counters = &status.counters;
    let total =
        counters.heartbeats_refused + counters.outcomes_malformed + counters.requests_refused;
    let shown = status.refused.iter().take(SENDERS_MAX);
    let counted_shown: u64 = shown.clone().map(|sender| sender.count).sum();
    let mut alarms: Vec<Alarm> = shown.map(|sender| of_sender(status, sender)).collect();
    let rest = total.saturating_sub(counted_shown);
    if rest > 0 {
        let what = match alarms.is_empty() {
            true => "senders",
            false => "other senders",
        };
        let why = format!("{} refused", counted(rest, "message"));
        let alarm = Alarm::new(Gravity::Warning, what, why);
        alarms.push(alarm.advice("the dispatcher's log has the reasons"));
    }
    alarms
}

fn of_sender(status: &Status, sender: &RefusedSender) -> Alarm {
    let from = one_line(&sender.from, REASON_CHARS_MAX);
    let (name, what) = match from.strip_prefix("rolecast.heartbeat.") {
        Some(node) => (node, "heartbeat"),
        None if from.starts_with("rolecast.done.") => (from.as_str(), "outcome"),
        None if from.starts_with("rolecast.api.") => (from.as_str(), "request"),
        None => (from.as_str(), "heartbeat"),
    };
    let why = format!(
        "{} refused, the last {} ago: {}",
        counted(sender.count, what),
        seconds(status.at_ms.since(sender.at_ms)),
        one_line(&sender.why, REASON_CHARS_MAX),
    );
    Alarm::new(Gravity::Warning, name, why)
}

#[cfg(test)]
mod tests;
