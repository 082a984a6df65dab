//! Dispatchers and the lease.

use std::time::Duration;

use rolecast_common::subjects::{BUCKET_CONTROL, bucket_stream};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{Status, Trouble};

use super::standbys::{NAME_CHARS_MAX, standbys};
use crate::doctor::area::Area;
use crate::doctor::catalogue::lead::{
    DISPATCHER_MISSING, DISPATCHER_SILENT, DISPATCHER_TROUBLE, LEASE_LAPSED, NOBODY_LEADS,
    TAKEOVERS_MANY,
};
use crate::doctor::facts::{Answer, Facts, Instance, Part};
use crate::doctor::finding::{Finding, Report};
use crate::quantity::seconds;
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
            let instances = facts.dispatchers.known().map_or(&[][..], Vec::as_slice);
            report.find(Finding {
                since,
                ..of_nobody(instances)
            });
        }
        Part::Known(Answer::Silent(why)) => {
            report.find(Finding::new(&DISPATCHER_SILENT, why));
        }
        Part::Unknown(why) => report.not_checked(Area::Dispatcher, why),
    }
}

/// Returns the finding if nobody answers for the leader.
fn of_nobody(instances: &[Instance]) -> Finding {
    let names = |is_leader: bool| {
        let found = instances.iter();
        let found = found.filter(|instance| instance.is_leader == is_leader);
        let names = found.map(|instance| one_line(&instance.name, NAME_CHARS_MAX));
        names.collect::<Vec<String>>().join(", ")
    };
    let (leaders, waiting) = (names(true), names(false));
    match (leaders.as_str(), waiting.as_str()) {
        ("", "") => Finding::new(&DISPATCHER_MISSING, "no dispatcher answers"),
        ("", waiting) => Finding::new(
            &NOBODY_LEADS,
            format!("{waiting} stands by, and nobody leads"),
        ),
        (leaders, _) => {
            let what = format!("dispatcher {leaders} leads and does not take requests");
            Finding::new(&DISPATCHER_SILENT, what)
        }
    }
}

/// Returns when the lease was renewed last, and how long that is ago, by the server's
/// clock.
fn renewed(facts: &Facts) -> Option<(WallTime, Duration)> {
    let control = facts.stream(&bucket_stream(BUCKET_CONTROL))?;
    let is_held = control.times.last_write > WallTime::default();
    is_held.then(|| {
        (
            control.times.last_write,
            control.at.since(control.times.last_write),
        )
    })
}

fn of_leader(
    facts: &Facts,
    status: &Status,
    renewed: Option<(WallTime, Duration)>,
    report: &mut Report,
) {
    let instances = facts.dispatchers.known().map_or(&[][..], Vec::as_slice);
    let others = standbys(status, instances).into_iter();
    let others: Vec<String> = others.map(|name| one_line(name, NAME_CHARS_MAX)).collect();
    let beside = match others.as_slice() {
        [] => "none stands by".to_owned(),
        [one] => format!("{one} stands by"),
        all => format!("{} stand by", all.join(", ")),
    };
    report.checked(
        Area::Dispatcher,
        format!(
            "{} leads under epoch {}, {beside}",
            one_line(&status.dispatcher, NAME_CHARS_MAX),
            status.epoch
        ),
    );
    let stale = renewed.filter(|(_, age)| *age > LEASE_MAX);
    if status.is_lapsed || stale.is_some() {
        let age = stale.map(|(_, age)| format!(", renewed {} ago", seconds(age)));
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
        .filter(|trouble| !is_known(facts, trouble) && !is_of_lease(trouble));
    report.find_all(troubles.map(of_trouble));
}

/// Whether it is about the lease, which is checked here.
fn is_of_lease(trouble: &Trouble) -> bool {
    trouble.what == "the dispatcher's lease"
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
