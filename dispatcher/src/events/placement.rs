//! Diversions of jobs, and verdicts on jobs and nodes, as published events.

use super::kind::Kind;
use super::notice::{Notice, millis};
use crate::scheduler::{Diversion, DoubtedNode, KeptAway, LostJob, Verdict};

pub(super) fn verdict(verdict: &Verdict) -> Option<Notice> {
    Some(match verdict {
        Verdict::JobLost(lost) => job_lost(lost),
        Verdict::NodeDistrusted(doubted) => doubt(
            Kind::NodeDistrusted,
            doubted,
            "fails jobs that others complete",
        ),
        Verdict::NodeUnable(doubted) => doubt(Kind::NodeUnable, doubted, "cannot start jobs"),
        Verdict::NodeTrusted { node, category } => {
            let message = format!("node {node} completes jobs of category {category} again");
            Notice::new(Kind::NodeTrusted, node, message).with("category", category.as_str())
        }
        Verdict::TriedAlone { .. } => return None,
    })
}

pub(super) fn advised(diversion: &Diversion) -> Notice {
    let Diversion {
        category,
        node,
        better,
        count,
    } = diversion;
    let message = format!(
        "forecasts would have sent {count} jobs of category {category} elsewhere, the last one \
         to {better} instead of {node}"
    );
    Notice::new(Kind::PlacementAdvised, category, message)
        .with("node", node.as_str())
        .with("better", better.as_str())
        .with("count", *count)
}

pub(super) fn diverted(kept: &KeptAway) -> Notice {
    let KeptAway {
        category,
        from,
        to,
        cpu_now,
        cpu_expected,
        count,
    } = kept;
    let (now, expected) = (cpu_now.get(), cpu_expected.get());
    let message = format!(
        "forecasts kept {count} jobs of category {category} away from {from}, where others use \
         {now:.1} cores and are expected to use {expected:.1}; the last one went to {to}"
    );
    Notice::new(Kind::PlacementDiverted, category, message)
        .with("from", from.as_str())
        .with("to", to.as_str())
        .with("cpu_now", now)
        .with("cpu_expected", expected)
        .with("count", *count)
}

fn job_lost(lost: &LostJob) -> Notice {
    let LostJob {
        job,
        node,
        losses,
        companions,
        delay,
    } = lost;
    let message =
        format!("an attempt of job {job} was lost with node {node}, loss {losses} of this job");
    Notice::new(Kind::JobLost, job, message)
        .with("node", node.as_str())
        .with("losses", *losses)
        .with_some("companions", *companions)
        .with("delay_ms", millis(*delay))
}

fn doubt(kind: Kind, doubted: &DoubtedNode, what: &str) -> Notice {
    let DoubtedNode {
        node,
        category,
        reason,
        pause,
    } = doubted;
    let message = format!("node {node} {what} of category {category}: {reason}");
    Notice::new(kind, node, message)
        .with("category", category.as_str())
        .with("reason", reason.as_str())
        .with("pause_ms", millis(*pause))
}
