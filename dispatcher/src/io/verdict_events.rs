//! Log lines of verdicts on jobs and nodes.

use crate::scheduler::{DoubtedNode, LostJob, Verdict};

pub(super) fn log(verdict: &Verdict) {
    match verdict {
        Verdict::JobLost(lost) => log_lost(lost),
        Verdict::TriedAlone { job, node, why } => {
            tracing::info!(event = "tried_alone", %job, %node, why, "job is tried alone on a node");
        }
        Verdict::NodeDistrusted(doubted) => {
            log_doubted(
                doubted,
                "node_distrusted",
                "node fails jobs that others complete",
            );
        }
        Verdict::NodeUnable(doubted) => {
            log_doubted(doubted, "node_unable", "node cannot start jobs");
        }
        Verdict::NodeTrusted { node, category } => {
            tracing::info!(event = "node_trusted", %node, %category, "node completes jobs again");
        }
    }
}

fn log_lost(lost: &LostJob) {
    let LostJob {
        job,
        node,
        losses,
        companions,
        delay,
    } = lost;
    tracing::warn!(
        event = "job_lost",
        %job,
        %node,
        losses,
        companions,
        ?delay,
        "execution lost with its node"
    );
}

fn log_doubted(doubted: &DoubtedNode, event: &str, message: &str) {
    let DoubtedNode {
        node,
        category,
        reason,
        pause,
    } = doubted;
    tracing::warn!(event, %node, %category, reason, ?pause, "{message}");
}
