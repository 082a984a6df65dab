//! Names of every subject, stream and bucket that Rolecast uses, in one place.

use std::fmt;

use crate::assignment::Assignment;
use crate::id::{Attempt, Category, JobId, NodeId, Priority};

/// The work queue: one message a job, until its outcome is recorded.
pub const STREAM_JOBS: &str = "ROLECAST_JOBS";
/// One recorded outcome a job.
pub const STREAM_RESULTS: &str = "ROLECAST_RESULTS";
/// Jobs that failed for good, with their payload and the reasons.
pub const STREAM_DEAD: &str = "ROLECAST_DEAD";
/// Advisories of the server about jobs that it stopped delivering.
pub const STREAM_ADVISORIES: &str = "ROLECAST_ADVISORIES";
/// Records of placement decisions.
pub const STREAM_DECISIONS: &str = "ROLECAST_DECISIONS";
/// Events of the last day.
pub const STREAM_EVENTS: &str = "ROLECAST_EVENTS";
/// Logs of attempts.
pub const STREAM_LOGS: &str = "ROLECAST_LOGS";
/// The dispatcher's epoch.
pub const BUCKET_CONTROL: &str = "ROLECAST_CONTROL";
/// Failed attempts of jobs that are still alive.
pub const BUCKET_ATTEMPTS: &str = "ROLECAST_ATTEMPTS";
/// Cancels of jobs that have not ended.
pub const BUCKET_CANCELS: &str = "ROLECAST_CANCELS";
/// The role capacity map.
pub const BUCKET_CAPACITY: &str = "ROLECAST_CAPACITY";
/// Learned state of the forecasts of each node, kept over a restart.
pub const BUCKET_FORECASTS: &str = "ROLECAST_FORECASTS";
/// Holders of the managed roles.
pub const BUCKET_ROLES: &str = "ROLECAST_ROLES";

/// Key in [`BUCKET_CONTROL`] that holds the dispatcher's epoch.
pub const KEY_DISPATCHER: &str = "dispatcher";
/// Key in [`BUCKET_CAPACITY`] that holds the latest [`crate::wire::CapacityMap`], as JSON.
pub const KEY_CAPACITY: &str = "map";
/// Key in [`BUCKET_ROLES`] that holds the [`crate::wire::RoleDocument`], as JSON.
pub const KEY_ASSIGNMENTS: &str = "assignments";

/// Subjects that [`STREAM_JOBS`] stores. Deeper subjects reach no stream, so their
/// producer gets an error at once.
pub const JOBS: [&str; 3] = [
    "rolecast.jobs.*",
    "rolecast.jobs.*.high",
    "rolecast.jobs.*.low",
];
/// Subjects that [`STREAM_RESULTS`] stores.
pub const RESULTS: &str = "rolecast.results.*";
/// Subjects that [`STREAM_DEAD`] stores: `rolecast.dead.<category>.<job>`.
pub const DEAD: &str = "rolecast.dead.*.*";
/// Subjects that [`STREAM_DECISIONS`] stores: `rolecast.decisions.<category>.<job>`.
pub const DECISIONS: &str = "rolecast.decisions.*.*";
/// Subjects that [`STREAM_EVENTS`] stores: `rolecast.events.<kind>`.
pub const EVENTS: &str = "rolecast.events.>";
/// Subjects that [`STREAM_LOGS`] stores: `rolecast.logs.<job>.<attempt>`.
pub const LOGS: &str = "rolecast.logs.*.*";
/// Subjects that [`STREAM_ADVISORIES`] stores.
pub const ADVISORIES: &str = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ROLECAST_JOBS.*";
/// Heartbeats of all nodes.
pub const HEARTBEATS: &str = "rolecast.heartbeat.*";
/// Outcomes of all nodes, single and batched.
pub const DONE: &str = "rolecast.done.>";
/// Signs of life of all dispatchers, as [`crate::wire::DispatcherSign`].
pub const DISPATCHER: &str = "rolecast.dispatcher";
/// Requests to the dispatcher.
pub const API: &str = "rolecast.api.>";
/// The dispatcher's view of nodes and categories, as [`crate::wire::Status`].
pub const API_STATUS: &str = "rolecast.api.status";
/// One job by id, as [`crate::wire::JobView`].
pub const API_JOB: &str = "rolecast.api.job";
/// Jobs that the dispatcher holds, page by page, as [`crate::wire::JobList`].
pub const API_JOBS: &str = "rolecast.api.jobs";
/// All about one node by id, as [`crate::wire::NodeView`].
pub const API_NODE: &str = "rolecast.api.node";
/// The room of each role in the time ahead, as [`crate::wire::CapacityMap`].
pub const API_CAPACITY: &str = "rolecast.api.capacity";
/// The forecasts of one node by id, as [`crate::wire::ForecastView`].
pub const API_FORECAST: &str = "rolecast.api.forecast";
/// The node that a job of a category would get at this moment, as
/// [`crate::wire::Decision`].
pub const API_EXPLAIN: &str = "rolecast.api.explain";
/// The recorded decision about a job.
pub const API_DECISION: &str = "rolecast.api.decision";
/// Events of the last day, as [`crate::wire::EventsPage`].
pub const API_EVENTS: &str = "rolecast.api.events";
/// The logs of a job's attempts, one by one, as [`crate::wire::LogPage`].
pub const API_LOGS: &str = "rolecast.api.logs";

/// Cancels of jobs, as [`crate::wire::CancelRequest`].
pub const API_CANCEL: &str = "rolecast.api.cancel";
/// Holders of the managed roles, as [`crate::wire::RolesView`].
pub const API_ROLES: &str = "rolecast.api.roles";
/// Orders about roles, as [`crate::wire::RoleOrder`].
pub const API_ROLE_ORDER: &str = "rolecast.api.roles.order";

/// Name of the service that dispatchers are for NATS.
pub const SERVICE: &str = "rolecast";
/// Requests that find services and read their figures: those to all services, to all
/// services of this name, and to one instance.
pub const SERVICE_REQUESTS: [&str; 3] = ["$SRV.*", "$SRV.*.rolecast", "$SRV.*.rolecast.*"];

const DONE_PREFIX: &str = "rolecast.done.";
const HEARTBEAT_PREFIX: &str = "rolecast.heartbeat.";
const JOBS_PREFIX: &str = "rolecast.jobs.";

/// Returns the stream that holds a bucket.
pub fn bucket_stream(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// Returns the subject of a key of a bucket; `*` and `>` are keys too.
pub fn bucket_key(bucket: &str, key: &str) -> String {
    format!("$KV.{bucket}.{key}")
}

/// A subject that is not one of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("subject {subject:?} is not {expected}")]
pub struct UnexpectedSubject {
    subject: String,
    expected: &'static str,
}

fn unexpected(subject: &str, expected: &'static str) -> UnexpectedSubject {
    let subject = subject.chars().take(200).collect();
    UnexpectedSubject { subject, expected }
}

/// Source of jobs: one category and priority, with its subject and its consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    pub category: Category,
    pub priority: Priority,
}

impl Source {
    /// Reads `rolecast.jobs.<category>[.high|.low]`.
    pub fn parse(subject: &str) -> Result<Self, UnexpectedSubject> {
        let expected = "rolecast.jobs.<category>[.high|.low]";
        let error = || unexpected(subject, expected);
        let rest = subject.strip_prefix(JOBS_PREFIX).ok_or_else(error)?;
        let (name, priority) = match rest.split_once('.') {
            None => (rest, Priority::Normal),
            Some((name, "high")) => (name, Priority::High),
            Some((name, "low")) => (name, Priority::Low),
            Some(_) => return Err(error()),
        };
        let category = Category::new(name).map_err(|_| error())?;
        Ok(Self { category, priority })
    }

    pub fn subject(&self) -> String {
        match self.priority {
            Priority::Normal => format!("{JOBS_PREFIX}{}", self.category),
            Priority::High | Priority::Low => {
                format!("{JOBS_PREFIX}{}.{}", self.category, self.priority)
            }
        }
    }

    /// Reads a source back from its consumer's name.
    pub fn from_consumer(name: &str) -> Option<Self> {
        let (priority, category) = name.split_once('-')?;
        Some(Self {
            category: Category::new(category).ok()?,
            priority: priority.parse().ok()?,
        })
    }

    /// Returns whether its consumer has this name.
    pub fn is_consumer(&self, name: &str) -> bool {
        let parts = name.split_once('-');
        parts == Some((self.priority.as_str(), self.category.as_str()))
    }

    /// Names the durable consumer. The priority comes first because it has no
    /// dash, so no two sources share a name.
    pub fn consumer(&self) -> String {
        format!("{}-{}", self.priority, self.category)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.category, self.priority)
    }
}

/// Subject on which a node receives its jobs.
pub fn node_jobs(node: &NodeId) -> String {
    ["rolecast.node.", node.as_str(), ".jobs"].concat()
}

/// Subject on which a node receives its role assignments.
pub fn node_roles(node: &NodeId) -> String {
    format!("rolecast.node.{node}.roles")
}

/// Subject on which a node that starts receives whether its name is free.
pub fn node_admission(node: &NodeId) -> String {
    format!("rolecast.node.{node}.admission")
}

/// Subject on which a node receives the orders to stop attempts.
pub fn node_cancel(node: &NodeId) -> String {
    format!("rolecast.node.{node}.cancel")
}

/// Subject on which a node receives pings, which it answers at once with an empty
/// message.
pub fn node_ping(node: &NodeId) -> String {
    format!("rolecast.node.{node}.ping")
}

/// The text of a ping that asks for a heartbeat at once, beside the answer.
pub const PING_FOR_REPORT: &str = "report";

/// Subject on which a node receives the confirmation of its batch of outcomes.
pub fn node_confirm(node: &NodeId, batch: u64) -> String {
    format!("rolecast.node.{node}.confirm.{batch}")
}

/// Everything addressed to a node: the only subscription a worker needs.
pub fn node_all(node: &NodeId) -> String {
    format!("rolecast.node.{node}.>")
}

/// Everything addressed to any node.
pub fn node_any() -> &'static str {
    "rolecast.node.*.>"
}

/// Returns whether only this node receives messages on the subject.
pub fn is_of_node(subject: &str, node: &NodeId) -> bool {
    let rest = subject.strip_prefix("rolecast.node.");
    let rest = rest.and_then(|rest| rest.strip_prefix(node.as_str()));
    let rest = rest.and_then(|rest| rest.strip_prefix('.'));
    rest.is_some_and(|rest| !rest.is_empty() && is_literal(rest))
}

/// Returns whether these tokens of a subject are plain text, without wildcards.
pub fn is_literal(tokens: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'>');
    tokens.bytes().all(is_plain)
}

/// Subject on which a node publishes its heartbeats.
pub fn heartbeat(node: &NodeId) -> String {
    format!("{HEARTBEAT_PREFIX}{node}")
}

/// Reads the node from a heartbeat's subject.
pub fn parse_heartbeat(subject: &str) -> Result<NodeId, UnexpectedSubject> {
    subject
        .strip_prefix(HEARTBEAT_PREFIX)
        .and_then(|name| NodeId::new(name).ok())
        .ok_or_else(|| unexpected(subject, "rolecast.heartbeat.<node>"))
}

/// The reply subject of a job, on which its outcome is published.
pub fn done(node: &NodeId, assignment: &Assignment) -> String {
    [DONE_PREFIX, node.as_str(), ".", assignment.as_str()].concat()
}

/// Subject on which a node publishes several outcomes at once.
pub fn done_batch(node: &NodeId) -> String {
    format!("{DONE_PREFIX}{node}.batch")
}

/// Everything a node publishes about its jobs.
pub fn done_all(node: &NodeId) -> String {
    format!("{DONE_PREFIX}{node}.>")
}

/// The kinds of messages under `rolecast.done.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The outcome of the assignment that the subject names.
    One(NodeId, Assignment),
    /// Outcomes that name their assignments themselves.
    Batch(NodeId),
}

/// Reads the node, and the assignment where there is one, from an outcome's subject.
pub fn parse_done(subject: &str) -> Result<Done, UnexpectedSubject> {
    let error = || unexpected(subject, "rolecast.done.<node>.<assignment>");
    let rest = subject.strip_prefix(DONE_PREFIX).ok_or_else(error)?;
    let (node, rest) = rest.split_once('.').ok_or_else(error)?;
    let node = NodeId::new(node).map_err(|_| error())?;
    if rest == "batch" {
        return Ok(Done::Batch(node));
    }
    let assignment = rest.parse().map_err(|_| error())?;
    Ok(Done::One(node, assignment))
}

/// The reply subject of a ping, among those that a node may publish to anyway.
pub fn pong(node: &NodeId, number: u64) -> String {
    format!("{DONE_PREFIX}{node}.ping.{number}")
}

/// Reads the node and the number from the subject of a ping's answer; `None` for any
/// other subject, such as that of an outcome.
pub fn parse_pong(subject: &str) -> Option<(NodeId, u64)> {
    let (node, rest) = subject.strip_prefix(DONE_PREFIX)?.split_once('.')?;
    let number = rest.strip_prefix("ping.")?.parse().ok()?;
    Some((NodeId::new(node).ok()?, number))
}

/// Subject of the recorded outcome of a job.
pub fn result(job: &JobId) -> String {
    format!("rolecast.results.{job}")
}

/// Subject of the recorded decision about a job.
pub fn decision(category: &Category, job: &JobId) -> String {
    format!("rolecast.decisions.{category}.{job}")
}

/// The same for a job of any category.
pub fn decision_any(job: &JobId) -> String {
    format!("rolecast.decisions.*.{job}")
}

/// Subject of an event, by its kind or its type.
pub fn event(kind: &str) -> String {
    let kind = kind.strip_prefix("rolecast.").unwrap_or(kind);
    format!("rolecast.events.{kind}")
}

/// Subject of the log of an attempt.
pub fn log(job: &JobId, attempt: Attempt) -> String {
    format!("rolecast.logs.{job}.{attempt}")
}

/// The same for all attempts at a job.
pub fn logs_of(job: &JobId) -> String {
    format!("rolecast.logs.{job}.*")
}

/// Subject of the dead letter of a job.
pub fn dead(category: &str, job: &JobId) -> String {
    format!("rolecast.dead.{category}.{job}")
}

/// The same for a job of any category.
pub fn dead_any(job: &JobId) -> String {
    format!("rolecast.dead.*.{job}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_source_is_read_from_its_subject_and_back() {
        for subject in [
            "rolecast.jobs.ocr",
            "rolecast.jobs.ocr.high",
            "rolecast.jobs.ocr.low",
        ] {
            assert_eq!(Source::parse(subject).unwrap().subject(), subject);
        }
        for subject in [
            "rolecast.jobs.ocr.urgent",
            "rolecast.jobs.OCR",
            "rolecast.jobs.",
            "rolecast.jobs.a.b.high",
            "jobs.ocr",
        ] {
            assert!(Source::parse(subject).is_err(), "{subject}");
        }
    }

    #[test]
    fn no_two_sources_share_a_consumer() {
        let normal = Source::parse("rolecast.jobs.high-a").unwrap();
        let high = Source::parse("rolecast.jobs.a.high").unwrap();
        assert_ne!(normal.consumer(), high.consumer());
        for source in [normal, high] {
            assert!(source.is_consumer(&source.consumer()));
            assert!(!source.is_consumer("normal-a"));
            assert_eq!(Source::from_consumer(&source.consumer()), Some(source));
        }
    }

    #[test]
    fn the_answer_of_a_ping_is_distinguished_from_an_outcome() {
        let node = NodeId::new("n1").unwrap();
        let subject = pong(&node, 7);
        assert_eq!(parse_pong(&subject), Some((node, 7)));
        assert!(parse_done(&subject).is_err());
        for other in [
            "rolecast.done.n1.batch",
            "rolecast.done.n1.ping.x",
            "rolecast.done.ping.7",
            "rolecast.done.n1.3.ping.j1.1.$JS.ACK.S.c.1.2.3.4.5",
        ] {
            assert_eq!(parse_pong(other), None, "{other}");
        }
    }

    #[test]
    fn only_what_lies_below_its_subject_is_a_nodes_own() {
        let node = NodeId::new("n1").unwrap();
        assert!(is_of_node(&node_confirm(&node, 7), &node));
        assert!(is_of_node(&node_jobs(&node), &node));
        for other in [
            "",
            "rolecast.node.n1",
            "rolecast.node.n1.",
            "rolecast.node.n12.confirm.7",
            "rolecast.node.n2.confirm.7",
            "rolecast.node.*.confirm.7",
            "rolecast.node.n1.>",
            "rolecast.node.n1.a b",
            "rolecast.jobs.ocr",
        ] {
            assert!(!is_of_node(other, &node), "{other}");
        }
    }

    proptest! {
        #[test]
        fn reading_a_subject_never_panics(subject in "\\PC{0,120}") {
            let _ = Source::parse(&subject);
            let _ = parse_done(&subject);
            let _ = parse_done(&format!("rolecast.done.{subject}"));
            let _ = parse_heartbeat(&subject);
            let _ = parse_pong(&format!("rolecast.done.{subject}"));
        }
    }
}
