//! Messages that workers, dispatchers and operators send each other.

use std::fmt::Debug;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::Role;
use rolecast_common::label::LABELS_MAX;
use rolecast_common::wire::{
    Admission, CATEGORIES_MAX, DispatcherSign, Encoding, EventsRequest, Heartbeat,
    JOBS_IN_HAND_MAX, JobsRequest, LeaseRecord, Message, OUTCOMES_MAX, Outcome, OutcomeBatch,
    REMARK_CHARS_MAX, ROLES_MAX, RoleAssignment, RoleDocument, RoleOrder, StatusRequest, decode,
    encode,
};

use super::super::machine::World;
use super::super::worker::Worker;
use super::assert_token;

/// Reads a message in either encoding; if it can be read, it is the same after it was
/// written and read again.
fn read<M: Message + PartialEq + Debug>(input: &[u8]) -> Option<M> {
    // No map of MessagePack begins with a brace.
    let encoding = match input.trim_ascii_start().first() {
        Some(b'{') => Encoding::Json,
        Some(_) | None => Encoding::MessagePack,
    };
    let message: M = decode(encoding, input).ok()?;
    let written = encode(Encoding::MessagePack, &message);
    let again = decode::<M>(Encoding::MessagePack, &written);
    assert_eq!(
        again.as_ref(),
        Ok(&message),
        "it is another one after it was written"
    );
    // A float may be read as its neighbour.
    let written = encode(Encoding::Json, &message);
    let again = decode::<M>(Encoding::Json, &written);
    assert!(again.is_ok(), "it cannot be read as JSON: {again:?}");
    Some(message)
}

pub(in super::super) fn heartbeat(input: &[u8]) -> bool {
    let Some(beat) = read::<Heartbeat>(input) else {
        return false;
    };
    assert_token(beat.node.as_str());
    assert_token(beat.boot.as_str());
    assert_roles(&beat.roles);
    assert_roles(&beat.offers);
    beat.categories
        .keys()
        .for_each(|category| assert_token(category.as_str()));
    assert!(beat.categories.len() <= CATEGORIES_MAX);
    assert!(beat.jobs.len() <= JOBS_IN_HAND_MAX as usize);
    beat.jobs.iter().for_each(assert_assignment);
    if let Some(failure) = &beat.role_failure {
        assert_roles(&failure.roles);
        assert_remark(&failure.reason);
    }
    let labels = serde_json::to_value(&beat.labels).expect("labels can be written");
    assert!(
        labels
            .as_object()
            .is_some_and(|labels| labels.len() <= LABELS_MAX)
    );
    World::new().receive(beat);
    true
}

/// Reads an outcome, or a batch of them.
pub(in super::super) fn outcome(input: &[u8]) -> bool {
    if let Some(outcome) = read::<Outcome>(input) {
        assert_remark(&outcome.reason);
        World::new().report(vec![outcome], false);
        return true;
    }
    let Some(batch) = read::<OutcomeBatch>(input) else {
        return false;
    };
    assert!(batch.outcomes.len() <= OUTCOMES_MAX);
    for outcome in &batch.outcomes {
        assert_remark(&outcome.reason);
        outcome.job.iter().for_each(assert_assignment);
    }
    World::new().report(batch.outcomes, true);
    true
}

/// Reads messages about roles and names: assignments, admissions, orders, the document of
/// all roles, the record in the key of the lease, signs of life of dispatchers, and requests
/// for the status and for jobs.
pub(in super::super) fn roles(input: &[u8]) -> bool {
    let mut is_read = false;
    if let Some(assignment) = read::<RoleAssignment>(input) {
        assert_roles(&assignment.roles);
        Worker::new().take_roles(assignment);
        is_read = true;
    }
    if let Some(admission) = read::<Admission>(input) {
        assert_remark(&admission.reason);
        Worker::new().take_admission(admission);
        is_read = true;
    }
    is_read |= read::<RoleOrder>(input).is_some();
    is_read |= read::<StatusRequest>(input).is_some();
    is_read |= read::<JobsRequest>(input).is_some();
    is_read |= read::<DispatcherSign>(input).is_some();
    is_read |= read::<EventsRequest>(input).is_some();
    if let Some(document) = read::<RoleDocument>(input) {
        World::new().read_roles(&document);
        is_read = true;
    }
    if let Ok(record) = serde_json::from_slice::<LeaseRecord>(input) {
        let written = serde_json::to_vec(&record).expect("a record can be written");
        let again = serde_json::from_slice::<LeaseRecord>(&written);
        assert_eq!(
            again.ok(),
            Some(record),
            "it is another record after it was written"
        );
        is_read = true;
    }
    is_read
}

fn assert_roles(roles: &[Role]) {
    assert!(roles.len() <= ROLES_MAX);
    roles.iter().for_each(|role| assert_token(role.as_str()));
}

fn assert_remark(remark: &str) {
    assert!(remark.chars().count() <= REMARK_CHARS_MAX);
    assert!(!remark.contains(char::is_control), "{remark:?}");
}

pub(super) fn assert_assignment(assignment: &Assignment) {
    assert_token(assignment.category().as_str());
    assert_token(assignment.job().as_str());
    let again = assignment.as_str().parse::<Assignment>();
    assert_eq!(again.as_ref(), Ok(assignment));
    let [head, ack] = assignment.sealed_text();
    let seal = assignment.seal().map(|seal| format!("{seal}."));
    let whole = [head, seal.as_deref().unwrap_or_default(), ack].concat();
    assert_eq!(whole, assignment.as_str());
    assert!(
        assignment
            .ack()
            .as_str()
            .contains(assignment.ack().stream())
    );
    assert!(
        assignment
            .ack()
            .as_str()
            .contains(assignment.ack().consumer())
    );
}
