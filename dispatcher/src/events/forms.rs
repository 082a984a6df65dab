//! Catalogue of the published events: severity, subject and fields of each kind.

use super::kind::Severity::{Error, Info, Warning};
use super::kind::{Fields, Form, Kind, form};
use super::role_forms::ROLES;

/// Returns the catalogue.
pub(super) fn forms() -> impl Iterator<Item = &'static Form> {
    NODES.iter().chain(&ROLES).chain(&WORK)
}

impl Kind {
    pub(crate) fn form(self) -> &'static Form {
        let found = forms().find(|form| form.kind == self);
        found.expect("a test finds the form of each kind")
    }
}

const DOUBT: Fields = &[
    ("category", "the category of the jobs"),
    ("reason", "the node's reason for the last failure"),
    (
        "pause_ms",
        "time before it gets the next job of the category",
    ),
];
const TROUBLE: Fields = &[
    ("why", "the cause"),
    ("remedy", "the action that an operator can take"),
    ("reports", "how often it was noticed so far"),
];

const NODES: [Form; 9] = [
    form(
        Kind::NodeJoined,
        "node.joined",
        Info,
        "node",
        (
            "a node sends heartbeats again, or for the first time",
            &[("rebooted", "whether its worker was started again")],
        ),
    ),
    form(
        Kind::NodeDraining,
        "node.draining",
        Info,
        "node",
        ("a node takes no more jobs and leaves", &[]),
    ),
    form(
        Kind::NodeGone,
        "node.gone",
        Warning,
        "node",
        (
            "a node is gone; its jobs return to the queue",
            &[
                ("jobs", "number of jobs that it had in hand"),
                ("why", "how this was found"),
            ],
        ),
    ),
    form(
        Kind::NodesMissing,
        "node.many_missing",
        Warning,
        "`nodes`",
        (
            "many nodes are missing at once, so NATS or the network is suspected and they get \
             more time",
            &[
                ("missing", "number of missing nodes"),
                ("nodes", "number of known nodes"),
            ],
        ),
    ),
    form(
        Kind::NodeClockSkewed,
        "node.clock_skewed",
        Warning,
        "node",
        (
            "the clock of a node differs from the dispatcher's",
            &[("ahead_ms", "by how much it is ahead; negative if behind")],
        ),
    ),
    form(
        Kind::NodeDistrusted,
        "node.distrusted",
        Warning,
        "node",
        (
            "a node fails jobs that others complete, and gets them one at a time",
            DOUBT,
        ),
    ),
    form(
        Kind::NodeUnable,
        "node.unable",
        Warning,
        "node",
        (
            "a node cannot start jobs of a category, and gets them one at a time",
            DOUBT,
        ),
    ),
    form(
        Kind::NodeTrusted,
        "node.trusted",
        Info,
        "node",
        (
            "a node completes jobs of the category again",
            &[("category", "the category of the jobs")],
        ),
    ),
    form(
        Kind::NodeEpochAhead,
        "node.epoch_ahead",
        Warning,
        "node",
        (
            "a node follows a later epoch than the dispatcher's",
            &[
                ("seen", "the epoch that the node follows"),
                ("ours", "the epoch of the dispatcher"),
            ],
        ),
    ),
];

const WORK: [Form; 16] = [
    form(
        Kind::CategoryFound,
        "category.found",
        Info,
        "category",
        (
            "an undeclared category has jobs, and is served with the default profile",
            &[],
        ),
    ),
    form(
        Kind::CategoryLate,
        "category.late",
        Warning,
        "category",
        (
            "the first job of a category has waited long",
            &[
                ("waited_s", "its time in the waiting room"),
                ("waiting", "number of waiting jobs"),
                ("why", "the obstacles"),
            ],
        ),
    ),
    form(
        Kind::CategoryUnplaceable,
        "category.unplaceable",
        Warning,
        "category",
        (
            "jobs of a category wait, and no node can take them in the present state",
            &[("why", "the obstacles")],
        ),
    ),
    form(
        Kind::CategoryPlaceable,
        "category.placeable",
        Info,
        "category",
        ("a node can take the jobs of the category again", &[]),
    ),
    form(
        Kind::JobDead,
        "job.dead",
        Warning,
        "job",
        (
            "a job was dead-lettered",
            &[
                ("status", "`dead` or `expired`"),
                ("reason", "the reason of its record"),
            ],
        ),
    ),
    form(
        Kind::JobCancelled,
        "job.cancelled",
        Info,
        "job",
        (
            "a job was recorded as cancelled",
            &[("reason", "who cancelled it, and why")],
        ),
    ),
    form(
        Kind::JobLost,
        "job.lost",
        Warning,
        "job",
        (
            "an attempt of a job was lost with its node, or never reached it",
            &[
                ("node", "the node"),
                ("losses", "number of attempts of the job lost so far"),
                (
                    "companions",
                    "number of other jobs lost with the node; absent if it stayed alive",
                ),
                ("delay_ms", "time before the next attempt"),
            ],
        ),
    ),
    form(
        Kind::QueueRecreated,
        "queue.recreated",
        Error,
        "stream",
        (
            "the stream of the jobs was created again: jobs that waited in it are gone",
            &[
                ("waiting", "number of known jobs that waited"),
                ("running", "number of jobs that run on"),
                ("given_back", "number of jobs that were given back to it"),
            ],
        ),
    ),
    form(
        Kind::PlacementDiverted,
        "placement.diverted",
        Info,
        "category",
        (
            "forecasts keep jobs away from a node that its last heartbeat favours",
            &[
                ("from", "this node"),
                ("to", "the node that got the last of them"),
                ("cpu_now", "cores in use on the first node"),
                (
                    "cpu_expected",
                    "cores that others are expected to use there",
                ),
                ("count", "such decisions since the last event"),
            ],
        ),
    ),
    form(
        Kind::PlacementAdvised,
        "placement.advised",
        Info,
        "category",
        (
            "in the mode `advisory`: forecasts would have chosen another node",
            &[
                ("node", "the chosen node"),
                ("better", "the node that forecasts prefer"),
                ("count", "such decisions since the last event"),
            ],
        ),
    ),
    form(
        Kind::LeaseTaken,
        "lease.taken",
        Info,
        "dispatcher",
        ("a dispatcher leads", &[("epoch", "its epoch")]),
    ),
    form(
        Kind::LeaseLost,
        "lease.lost",
        Warning,
        "dispatcher",
        (
            "a dispatcher leads no longer; one that dies publishes no such event",
            &[("epoch", "its epoch"), ("reason", "the reason")],
        ),
    ),
    form(
        Kind::TroubleBegan,
        "trouble.began",
        Error,
        "the troubled thing",
        (
            "a trouble around the dispatcher, as in `rolecast status`: a store that is full or \
             does not answer, a missing stream or right, a changed consumer",
            TROUBLE,
        ),
    ),
    form(
        Kind::TroubleLasts,
        "trouble.lasts",
        Error,
        "the troubled thing",
        ("a trouble lasts, or its cause has changed", TROUBLE),
    ),
    form(
        Kind::TroubleOver,
        "trouble.over",
        Info,
        "the troubled thing",
        ("a trouble is over", &[("lasted_ms", "its duration")]),
    ),
    form(
        Kind::MessageRefused,
        "message.refused",
        Warning,
        "NATS subject of the last one",
        (
            "messages were refused: they are malformed, too many or not permitted",
            &[
                ("what", "`heartbeats`, `outcomes` or `requests`"),
                ("why", "the reason of the last one"),
                ("count", "number of refusals since the last event"),
            ],
        ),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_kinds_share_a_name() {
        let names: BTreeSet<&str> = forms().map(|form| form.name).collect();
        assert_eq!(names.len(), forms().count());
    }
}
