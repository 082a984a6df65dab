//! Dispatchers and the lease.

use std::time::Duration;

use rolecast_common::subjects::{BUCKET_CONTROL, bucket_stream};
use rolecast_common::time::{WallTime, format_duration};
use rolecast_common::wire::{Status, Trouble};

use crate::doctor::area::Area;
use crate::doctor::catalogue::lead::{
    DISPATCHER_MISSING, DISPATCHER_SILENT, DISPATCHER_TROUBLE, LEASE_LAPSED, TAKEOVERS_MANY,
};
use crate::doctor::facts::{Answer, Facts, Part};
use crate::doctor::finding::{Finding, Report};
use crate::style::one_line;

/// Time after which an unrenewed lease is over, whatever the requests took; it is renewed
/// every 300 ms, and ends after 1.2 s.
const LEASE_MAX: Duration = Duration::from_secs(5);
/// Changes of the lead within a day that upgrades alone do not explain; guessed.
const TAKEOVERS_MIN: u64 = 5;
/// An epoch that rises by more was raised above that of workers.
const JUMP_MIN: u64 = 1000;
const TEXT_CHARS_MAX: usize = 300;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let renewed = renewed(facts);
    match &facts.fleet {
        Part::Known(Answer::Status { status, .. }) => {
            of_leader(facts, status, renewed, report);
        }
        Part::Known(Answer::Nobody) => {
            let since = renewed.map(|(at, _)| at);
            let finding = Finding::new(&DISPATCHER_MISSING, "no dispatcher answers");
            report.find(Finding { since, ..finding });
        }
        Part::Known(Answer::Silent(why)) => {
            report.find(Finding::new(&DISPATCHER_SILENT, why));
        }
        Part::Unknown(why) => report.not_checked(Area::Dispatcher, why),
    }
}

/// Returns when the lease was renewed last, and how long that is ago, by the server's
/// clock.
fn renewed(facts: &Facts) -> Option<(WallTime, Duration)> {
    let control = facts.stream(&bucket_stream(BUCKET_CONTROL))?;
    let is_held = control.last_write > WallTime::default();
    is_held.then(|| (control.last_write, control.at.since(control.last_write)))
}

fn of_leader(
    facts: &Facts,
    status: &Status,
    renewed: Option<(WallTime, Duration)>,
    report: &mut Report,
) {
    report.checked(
        Area::Dispatcher,
        format!(
            "{} leads under epoch {}",
            one_line(&status.dispatcher, 64),
            status.epoch
        ),
    );
    let stale = renewed.filter(|(_, age)| *age > LEASE_MAX);
    if status.is_lapsed || stale.is_some() {
        let age = stale.map(|(_, age)| format!(", renewed {} ago", format_duration(age)));
        let what = format!(
            "dispatcher {} does not hold its lease{}",
            one_line(&status.dispatcher, 64),
            age.unwrap_or_default()
        );
        let since = stale.map(|(at, _)| at);
        report.find(Finding {
            since,
            ..Finding::new(&LEASE_LAPSED, what)
        });
    }
    if let Some(Some(decided)) = facts.decided.known() {
        let takeovers = status.epoch.get().saturating_sub(decided.epoch.get());
        if takeovers >= TAKEOVERS_MIN {
            let what = match takeovers >= JUMP_MIN {
                true => format!(
                    "the epoch has jumped by {takeovers}: the lease was lost or rolled back, as \
                     when a server lost its store"
                ),
                false => format!("the lead has changed {takeovers} times"),
            };
            report.find(Finding::new(&TAKEOVERS_MANY, what).since(decided.at));
        }
    }
    let troubles = status
        .troubles
        .iter()
        .filter(|trouble| !is_known(facts, trouble));
    report.find_all(troubles.map(of_trouble));
}

/// Whether the consumers that this is about were checked here.
fn is_known(facts: &Facts, trouble: &Trouble) -> bool {
    let found = facts.consumers.known().into_iter().flatten();
    let mut foreign = found.filter(|consumer| consumer.stranger.is_some());
    foreign.any(|consumer| trouble.what.contains(&consumer.name))
}

fn of_trouble(trouble: &Trouble) -> Finding {
    let Trouble {
        what,
        why,
        remedy,
        since_ms,
        ..
    } = trouble;
    let what = one_line(&format!("{what}: {why}; {remedy}"), TEXT_CHARS_MAX);
    Finding::new(&DISPATCHER_TROUBLE, what).since(*since_ms)
}
