//! Identity of an execution, by which an assignment is recognized as known.

use std::hash::{Hash, Hasher};

use rolecast_common::assignment::Assignment;

/// One attempt at one submission of a job; a later assignment of it is the same
/// execution. A dead job that is retried keeps its id and starts again from attempt 1, so
/// its position in the stream distinguishes the submissions.
#[derive(Clone, Debug)]
pub(super) struct Execution(pub(super) Assignment);

impl Execution {
    pub(super) fn of(assignment: &Assignment) -> Self {
        Self(assignment.clone())
    }

    pub(super) fn is_of(&self, assignment: &Assignment) -> bool {
        self.0.attempt() == assignment.attempt()
            && self.0.ack().sequence() == assignment.ack().sequence()
            && self.0.job() == assignment.job()
    }
}

impl PartialEq for Execution {
    fn eq(&self, other: &Self) -> bool {
        self.is_of(&other.0)
    }
}

impl Eq for Execution {}

impl Hash for Execution {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.ack().sequence().hash(state);
        self.0.attempt().hash(state);
    }
}
