//! Alarms: conditions that an operator should look at, each with its cause and the command
//! to type next, the gravest first.

mod nodes;

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::Role;
use rolecast_common::time::{WallTime, format_duration};
use rolecast_common::unit::Resources;
use rolecast_common::wire::{
    CategoryStatus, RefusedSender, RoleStatus, RolesView, Status, Trouble,
};
use rolecast_common::words::{ahead, amounts, counted, length, one_line};

pub(crate) use self::nodes::of_node;
use self::nodes::of_nodes;
use crate::picture::{Picture, Standing};

/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 200;
/// Senders of refused messages that are shown.
const SENDERS_MAX: usize = 5;

/// The weight of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gravity {
    /// Work stands still or is lost.
    Bad,
    Warning,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) gravity: Gravity,
    /// The part that is affected.
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) since: Option<WallTime>,
    /// The command to type, or what else to do.
    pub(crate) remedy: Remedy,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    Command(String),
    Advice(String),
    None,
}

impl Alarm {
    fn new(gravity: Gravity, what: &str, why: impl Into<String>) -> Self {
        Self {
            gravity,
            what: what.to_owned(),
            why: why.into(),
            since: None,
            remedy: Remedy::None,
        }
    }

    fn command(self, command: impl Into<String>) -> Self {
        let remedy = Remedy::Command(command.into());
        Self { remedy, ..self }
    }

    fn advice(self, advice: impl Into<String>) -> Self {
        let remedy = Remedy::Advice(advice.into());
        Self { remedy, ..self }
    }

    fn since(self, since: WallTime) -> Self {
        let since = Some(since);
        Self { since, ..self }
    }
}

/// Returns all alarms.
pub(crate) fn alarms(picture: &Picture) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if let Standing::Connecting { why } = &picture.standing {
        let why = one_line(why, REASON_CHARS_MAX);
        alarms.push(Alarm::new(Gravity::Bad, "NATS", why).command("rolecast status"));
    }
    if picture.is_cut_off && !matches!(picture.standing, Standing::Connecting { .. }) {
        let why = "the connection is lost; the dispatcher tries again, and sends nothing meanwhile";
        let alarm = Alarm::new(Gravity::Bad, "NATS", why);
        alarms.push(alarm.command("nats server check connection"));
    }
    if let Some(status) = &picture.status {
        alarms.extend(of_dispatcher(status));
        alarms.extend(
            status
                .categories
                .iter()
                .filter_map(|category| waits(status, category)),
        );
        alarms.extend(status.categories.iter().filter_map(dead));
        alarms.extend(dead_elsewhere(status));
        alarms.extend(status.roles.iter().filter_map(shortage));
        alarms.extend(of_nodes(status));
        alarms.extend(
            status
                .refused
                .iter()
                .take(SENDERS_MAX)
                .map(|sender| refused(status, sender)),
        );
    }
    if let Some(roles) = &picture.roles {
        alarms.extend(of_roles(roles));
    }
    alarms.sort_by_key(|alarm| alarm.gravity);
    alarms
}

fn of_dispatcher(status: &Status) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if status.is_lapsed {
        let why = "it cannot be renewed: NATS does not answer, or has no quorum; no job is sent until it can";
        alarms.push(
            Alarm::new(Gravity::Bad, "the dispatcher's lease", why)
                .command("nats server report jetstream"),
        );
    }
    if let Some(why) = &status.unread {
        let why = format!(
            "they cannot be read, so backlogs and dead letters are missing: {}",
            one_line(why, REASON_CHARS_MAX)
        );
        alarms.push(Alarm::new(Gravity::Bad, "the streams", why).command("nats stream report"));
    }
    let troubles = status.troubles.iter().map(|trouble| {
        let Trouble {
            what,
            why,
            remedy,
            since_ms,
            count: _,
        } = trouble;
        let alarm = Alarm::new(
            Gravity::Bad,
            &one_line(what, REASON_CHARS_MAX),
            one_line(why, REASON_CHARS_MAX),
        );
        alarm
            .since(*since_ms)
            .advice(one_line(remedy, REASON_CHARS_MAX))
    });
    alarms.extend(troubles);
    alarms
}

/// Returns why jobs of a category wait, if they wait long or no node can run them.
fn waits(status: &Status, category: &CategoryStatus) -> Option<Alarm> {
    let name = category.category.as_str();
    let jobs = counted(category.backlog, "job");
    if category.backlog > 0 && category.nodes_eligible == 0 {
        let alarm = |why: String| Alarm::new(Gravity::Bad, name, why);
        if status.nodes.is_empty() && status.totals.nodes == 0 {
            return Some(
                alarm(format!("{jobs} and no node is known"))
                    .command("rolecast-worker --config worker.toml"),
            );
        }
        let is_offered = category.obstacles.keys().any(|why| why != "not running it");
        if !is_offered && !category.obstacles.is_empty() {
            let alarm = alarm(format!("{jobs} and no node runs {name}"));
            return Some(alarm.advice(format!("add [categories.{name}] to a worker.toml")));
        }
        let why = format!(
            "{jobs} and no ready node that may run them: {}",
            obstacles(&category.obstacles)
        );
        return Some(alarm(why).command(format!("rolecast explain --dry-run {name}")));
    }
    category.late.then(|| {
        let oldest = category.oldest_ms.map(|age| {
            format!(
                ", the oldest since {}",
                format_duration(Duration::from_millis(age))
            )
        });
        let why = format!("jobs wait long: {jobs}{}", oldest.unwrap_or_default());
        Alarm::new(Gravity::Warning, name, why)
            .command(format!("rolecast explain --dry-run {name}"))
    })
}

/// Returns the nodes that cannot run a category, by reason.
pub(crate) fn obstacles(obstacles: &BTreeMap<String, u32>) -> String {
    let parts = obstacles
        .iter()
        .map(|(why, count)| format!("{count} {}", one_line(why, REASON_CHARS_MAX)));
    parts.collect::<Vec<_>>().join(", ")
}

fn dead(category: &CategoryStatus) -> Option<Alarm> {
    let count = category.dead_letters.filter(|count| *count > 0)?;
    let name = category.category.as_str();
    let alarm = Alarm::new(Gravity::Warning, name, counted(count, "dead letter"));
    Some(alarm.command(format!("rolecast dead ls --category {name}")))
}

/// Counts the dead letters that no category's alarm reports.
fn dead_elsewhere(status: &Status) -> Option<Alarm> {
    let counted_already = status
        .categories
        .iter()
        .filter_map(|category| category.dead_letters);
    let rest = status.dead_letters?.saturating_sub(counted_already.sum());
    let alarm = || {
        Alarm::new(
            Gravity::Warning,
            "other categories",
            counted(rest, "dead letter"),
        )
    };
    (rest > 0).then(|| alarm().command("rolecast dead ls"))
}

fn shortage(role: &RoleStatus) -> Option<Alarm> {
    if role.shortage == Resources::default() {
        return None;
    }
    let within = role
        .at_horizon_s
        .map(|seconds| format!(" within {}", ahead(seconds)));
    let why = format!(
        "{} short{} for the jobs expected, on {}",
        amounts(&role.shortage),
        within.unwrap_or_default(),
        counted(u64::from(role.nodes), "node")
    );
    Some(
        Alarm::new(Gravity::Warning, &format!("role {}", role.role), why)
            .command("rolecast capacity"),
    )
}

fn refused(status: &Status, sender: &RefusedSender) -> Alarm {
    let age = length(status.at_ms.since(sender.at_ms));
    let why = format!(
        "{} refused, the last {age} ago: {}",
        counted(sender.count, "message"),
        one_line(&sender.why, REASON_CHARS_MAX)
    );
    Alarm::new(
        Gravity::Warning,
        &one_line(&sender.from, REASON_CHARS_MAX),
        why,
    )
}

pub(crate) fn of_roles(view: &RolesView) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for (role, managed) in &view.roles {
        let change = view
            .document
            .changes
            .values()
            .find(|change| change.role == *role);
        if let Some((change, trouble)) =
            change.and_then(|change| Some((change, change.trouble.as_deref()?)))
        {
            let alarm = Alarm::new(
                Gravity::Warning,
                &format!("role {role}"),
                one_line(trouble, REASON_CHARS_MAX),
            );
            alarms.push(alarm.since(change.since_ms).command("rolecast role ls"));
        }
        let count = view.document.roles.get(role).map_or(0, Vec::len);
        if change.is_none() && count < managed.holders_wanted as usize {
            let offered = managed.offered_by.len() + managed.offered_left_out as usize;
            alarms.push(vacancy(
                role,
                count,
                managed.holders_wanted,
                offered > count,
            ));
        }
    }
    alarms
}

fn vacancy(role: &Role, count: usize, wanted: u32, is_offered: bool) -> Alarm {
    let gravity = if count == 0 {
        Gravity::Bad
    } else {
        Gravity::Warning
    };
    let alarm = Alarm::new(
        gravity,
        &format!("role {role}"),
        format!("{count} of {wanted} holders"),
    );
    match is_offered {
        false => alarm.advice(format!(
            "more nodes must offer it: offers = [\"{role}\"] in worker.toml"
        )),
        true => alarm.command(format!("rolecast role history --role {role}")),
    }
}
