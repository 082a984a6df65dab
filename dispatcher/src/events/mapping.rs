//! Events of the scheduler in the terms of the catalogue.

use std::time::Duration;

use rolecast_common::id::{JobId, NodeId};
use rolecast_common::subjects::STREAM_JOBS;

use super::kind::Kind;
use super::notice::{Notice, millis, rounded};
use super::{placement, roles};
use crate::scheduler::{Event, JobsGone, LongWait, Trouble};

/// Returns an event of the scheduler as it is published; `None` for one that only the
/// log has, because it is about a single job that goes on.
pub(crate) fn notice(event: &Event) -> Option<Notice> {
    Some(match event {
        Event::NodeJoined { node, rebooted } => joined(node, *rebooted),
        Event::NodeDraining { node } => {
            let message = format!("node {node} takes no more jobs");
            Notice::new(Kind::NodeDraining, node, message)
        }
        Event::ClockSkewed { node, ahead_ms } => skewed(node, *ahead_ms),
        Event::NodeGone { node, jobs, why } => gone(node, *jobs, why),
        Event::ManyMissing { missing, nodes } => missing_nodes(*missing, *nodes),
        Event::HeartbeatsRefused { from, why, count } => refused("heartbeats", from, why, *count),
        Event::OutcomesMalformed { from, why, count } => refused("outcomes", from, why, *count),
        Event::RequestsRefused { from, why, count } => refused("requests", from, why, *count),
        Event::CategoryFound { category } => {
            let message = format!("category {category} is not declared, and is served");
            Notice::new(Kind::CategoryFound, category, message)
        }
        Event::NoEligibleNode { category, why } => {
            let message = format!("no node can take the jobs of category {category}: {why}");
            Notice::new(Kind::CategoryUnplaceable, category, message).with("why", why.as_str())
        }
        Event::EligibleAgain { category } => {
            let message = format!("a node can take the jobs of category {category} again");
            Notice::new(Kind::CategoryPlaceable, category, message)
        }
        Event::JobsWait(wait) => late(wait),
        Event::JobsGone(gone) => recreated(*gone),
        Event::Troubled(trouble, reports) => troubled(trouble, *reports),
        Event::TroubleOver { what, lasted } => over(what, *lasted),
        Event::AdvisoryDiverted(diversion) => placement::advised(diversion),
        Event::Diverted(kept) => placement::diverted(kept),
        Event::Roles(event) => return roles::of(event),
        Event::RoleLimited { role } => roles::limited(role),
        Event::GroupHot { role, hot, heard } => roles::overloaded(role, *hot, *heard),
        Event::Verdict(verdict) => return placement::verdict(verdict),
        Event::JobCancelled { job, reason } => {
            let message = format!("job {job} was {reason}");
            Notice::new(Kind::JobCancelled, job, message).with("reason", reason.as_str())
        }
        Event::JobDeadLettered {
            job,
            status,
            reason,
        } => dead(job, status, reason),
        Event::OutcomeStale { .. } | Event::JobAdopted { .. } | Event::JobRetried { .. } => {
            return None;
        }
    })
}

fn joined(node: &NodeId, rebooted: bool) -> Notice {
    let how = if rebooted { " again" } else { "" };
    Notice::new(Kind::NodeJoined, node, format!("node {node} joined{how}"))
        .with("rebooted", rebooted)
}

fn skewed(node: &NodeId, ahead_ms: i64) -> Notice {
    let message = format!(
        "the clock of node {node} is {ahead_ms} ms ahead of the dispatcher's; synchronize both \
         with a time server"
    );
    Notice::new(Kind::NodeClockSkewed, node, message).with("ahead_ms", ahead_ms)
}

fn gone(node: &NodeId, jobs: u32, why: &str) -> Notice {
    let message = format!("node {node} is gone: {why}; jobs in hand: {jobs}");
    Notice::new(Kind::NodeGone, node, message)
        .with("jobs", jobs)
        .with("why", why)
}

fn missing_nodes(missing: usize, nodes: usize) -> Notice {
    let message =
        format!("{missing} of {nodes} nodes are missing at once; NATS or the network is suspected");
    Notice::new(Kind::NodesMissing, "nodes", message)
        .with("missing", missing)
        .with("nodes", nodes)
}

fn dead(job: &JobId, status: &str, reason: &str) -> Notice {
    let message = format!("job {job} was dead-lettered ({status}): {reason}");
    Notice::new(Kind::JobDead, job, message)
        .with("status", status)
        .with("reason", reason)
}

fn over(what: &str, lasted: Duration) -> Notice {
    let message = format!("{what} is in order after {}", rounded(lasted));
    Notice::new(Kind::TroubleOver, what, message).with("lasted_ms", millis(lasted))
}

fn refused(what: &str, from: &str, why: &str, count: u64) -> Notice {
    let message = format!("{count} {what} refused, the last one on {from}: {why}");
    Notice::new(Kind::MessageRefused, from, message)
        .with("what", what)
        .with("why", why)
        .with("count", count)
}

fn late(wait: &LongWait) -> Notice {
    let LongWait {
        category,
        waited,
        waiting,
        why,
    } = wait;
    let waited_for = rounded(*waited);
    let message = format!(
        "category {category} is late: its first job has waited {waited_for}, {waiting} wait; {why}"
    );
    Notice::new(Kind::CategoryLate, category, message)
        .with("waited_s", waited.as_secs())
        .with("waiting", *waiting)
        .with("why", why.as_str())
}

fn recreated(gone: JobsGone) -> Notice {
    let JobsGone {
        waiting,
        running,
        given_back,
    } = gone;
    let message = format!(
        "stream {STREAM_JOBS} was created again: the jobs that waited in it are gone, {waiting} \
         known ones among them"
    );
    Notice::new(Kind::QueueRecreated, STREAM_JOBS, message)
        .with("waiting", waiting)
        .with("running", running)
        .with("given_back", given_back)
}

fn troubled(trouble: &Trouble, reports: u64) -> Notice {
    let Trouble {
        what,
        why,
        remedy,
        lasts: _,
    } = trouble;
    let kind = match reports {
        0 | 1 => Kind::TroubleBegan,
        _ => Kind::TroubleLasts,
    };
    Notice::new(kind, what, format!("trouble with {what}: {why}; {remedy}"))
        .with("why", why.as_str())
        .with("remedy", remedy.as_str())
        .with("reports", reports)
}
