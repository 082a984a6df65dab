//! Messages of docs/protocol.md: the programs accept each one.

use rolecast_common::fnv::fnv1a;
use rolecast_common::subjects::{Done, parse_done};
use rolecast_common::wire::{
    Admission, AdmissionVerdict, AttemptCancel, AttemptLog, CancelAnswer, CancelFate,
    CancelRequest, CapacityMap, CloudEvent, Decision, DispatcherSign, Encoding, EventsPage,
    EventsRequest, ForecastView, Heartbeat, JobList, JobView, JobsRequest, LogPage, LogRequest,
    Message, NodeView, Outcome, OutcomeBatch, Record, RoleAssignment, RoleOrder, RolesView, Status,
    StatusCursor, StatusRequest, decode, encode,
};
use rolecast_dispatcher::placement;
use rolecast_tests::document::blocks;

/// Decodes the only message with this label, and in the other encoding too.
fn shown<M: Message + PartialEq + std::fmt::Debug>(label: &str) -> M {
    let mut found = all_shown(label);
    assert_eq!(found.len(), 1, "messages {label}");
    found.remove(0)
}

/// Decodes all messages with this label.
fn all_shown<M: Message + PartialEq + std::fmt::Debug>(label: &str) -> Vec<M> {
    let found = blocks("docs/protocol.md", &format!("json {label}"));
    let decoded = found.iter().map(|text| {
        let message: M = decode(Encoding::Json, text.as_bytes()).expect("it is accepted");
        let packed = encode(Encoding::MessagePack, &message);
        assert_eq!(
            decode::<M>(Encoding::MessagePack, &packed).expect("it is accepted"),
            message
        );
        message
    });
    decoded.collect()
}

#[test]
fn the_messages_shown_are_accepted() {
    let heartbeat: Heartbeat = shown("heartbeat");
    assert_eq!(heartbeat.jobs.len(), 1);
    assert!(heartbeat.usage.pressure.is_some());
    assert_eq!(heartbeat.progress[0].job, 0);
    let view: JobView = shown("job-view");
    assert_eq!(
        view.progress.unwrap().text,
        heartbeat.progress[0].text.clone()
    );
    let outcome: Outcome = shown("outcome");
    assert_eq!(&outcome.output.0[..], b"done");
    let batch: OutcomeBatch = shown("batch");
    assert_eq!(batch.outcomes[0].job.as_ref(), heartbeat.jobs.first());
    let record: Record = shown("record");
    assert_eq!(record.failures.len(), 1);
    let order: AttemptCancel = shown("attempt-cancel");
    assert_eq!(order.attempt.get(), 2);
    let asked: CancelRequest = shown("cancel-request");
    assert!(asked.job.is_some() && asked.category.is_none());
    let asked: CancelRequest = shown("cancel-category");
    assert!(asked.dry_run && asked.older_ms > 0);
    let answer: CancelAnswer = shown("cancel-answer");
    assert_eq!(answer.fate, Some(CancelFate::Stopping));
    let answer: CancelAnswer = shown("cancel-counts");
    assert_eq!(answer.counts.unwrap().waiting, 16);
    let log: AttemptLog = shown("log");
    let asked: LogRequest = shown("log-request");
    assert_eq!((&asked.job, asked.after), (&log.job, 0));
    let page: LogPage = shown("log-page");
    assert_eq!(page.log, Some(log));
    let roles: RoleAssignment = shown("roles");
    assert_eq!(
        (roles.boot, roles.answers),
        (heartbeat.boot, heartbeat.sequence)
    );
    assert!(roles.generation > heartbeat.assigned.generation);
    let admission: Admission = shown("admission");
    assert_eq!(admission.verdict, AdmissionVerdict::Refused);
    let view: RolesView = shown("roles-view");
    assert_eq!(view.document.history.len(), 1);
    assert_eq!(all_shown::<RoleOrder>("order").len(), 4);
}

#[test]
fn the_requests_and_answers_shown_are_accepted() {
    let request: StatusRequest = shown("status-request");
    let status: Status = shown("status");
    let last = status.nodes.last().map(|node| node.node.clone());
    assert_eq!(status.next, last.map(StatusCursor::Node));
    assert!(status.next > request.after && request.limit.is_some());
    let asked: JobsRequest = shown("jobs-request");
    let jobs: JobList = shown("jobs");
    assert!(asked.after < jobs.next && jobs.jobs.len() == 2);
    let node: NodeView = shown("node");
    assert_eq!(node.refusals.len(), 1);
    assert_eq!(
        shown::<DispatcherSign>("dispatcher-sign").leads,
        Some(status.epoch)
    );
    let asked: EventsRequest = shown("events-request");
    assert!(asked.kind.is_some() && asked.since_ms.is_some() && asked.limit.is_some());
    let page: EventsPage = shown("events-page");
    assert_eq!((page.events.len(), page.next), (1, Some(41)));
    let event = &blocks("docs/events.md", "json event")[0];
    let event: CloudEvent = serde_json::from_str(event).unwrap();
    assert_eq!(event.kind, "rolecast.node.gone");
    let map: CapacityMap = shown("capacity");
    assert_eq!(map.roles.len(), 1);
    let forecast: ForecastView = shown("forecast");
    let decision: Decision = shown("decision");
    assert_eq!(decision.key, Some(fnv1a(b"customer-17")));
    assert_eq!(
        placement::decision::replay(&decision),
        decision.node.as_ref()
    );
    assert!(forecast.health.is_some() && forecast.resources.contains_key("cpu"));
}

#[test]
fn the_assignment_shown_is_the_tail_of_a_reply_subject() {
    let heartbeat: Heartbeat = shown("heartbeat");
    let subject = format!("rolecast.done.web-1.{}", heartbeat.jobs[0]);
    let expected = Done::One(heartbeat.node, heartbeat.jobs[0].clone());
    assert_eq!(parse_done(&subject).unwrap(), expected);
}

#[test]
fn the_examples_are_as_short_as_promised() {
    for name in ["producer.py", "worker.py"] {
        let path = rolecast_tests::process::repository()
            .join("docs/examples")
            .join(name);
        let lines = std::fs::read_to_string(path).unwrap().lines().count();
        assert!(lines < 80, "{name} has {lines} lines");
    }
}
