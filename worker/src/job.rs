//! A job as its handler receives it, and the errors that a handler returns.

use async_nats::HeaderMap;
use bytes::Bytes;
use rolecast_common::assignment::Assignment;
use rolecast_common::id::{Attempt, Category, JobId};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{OutcomeStatus, Progress};

use crate::cancellation::Cancellation;
use crate::progress::Reporter;

/// One execution of a job. A clone shares its payload.
#[derive(Clone, Debug)]
pub struct Job {
    pub(crate) assignment: Assignment,
    pub(crate) deadline: Option<WallTime>,
    pub(crate) payload: Bytes,
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) reporter: Reporter,
    pub(crate) cancellation: Cancellation,
}

impl Job {
    /// Returns the id of the job, which all its attempts share.
    pub fn id(&self) -> &JobId {
        self.assignment.job()
    }

    /// Returns the number of this execution of the job, counted from 1.
    pub fn attempt(&self) -> Attempt {
        self.assignment.attempt()
    }

    /// Returns the category that the producer submitted it to.
    pub fn category(&self) -> &Category {
        self.assignment.category()
    }

    /// Returns the time after which the job is no longer wanted, by this host's wall
    /// clock; the worker stops it then. `None` if its producer set no deadline.
    pub fn deadline(&self) -> Option<WallTime> {
        self.deadline
    }

    /// Returns the bytes that the producer sent; they may be empty.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Returns the value of a header, the first if it has several. Names are compared with
    /// their case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.as_ref()?.get(name)?;
        Some(value.as_str())
    }

    /// Returns the headers, if there are any: the producer's, and those that the dispatcher
    /// adds, such as `Rolecast-Deadline-In`.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.headers.as_ref()
    }

    /// Reports which part of the job is done, from 0 to 1, with a text of at most 100
    /// characters such as `page 3 of 8`. `rolecast job watch` shows it until the job ends.
    ///
    /// It may be called at any rate: the last one goes with the next heartbeat, once a second.
    pub fn progress(&self, done: f64, text: &str) {
        self.reporter.report(Progress::clamped(done, text));
    }

    /// Returns whether the job was cancelled. Its handler should end soon with any error:
    /// the job is recorded as cancelled. If it returns a result all the same, the job has
    /// completed.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Waits until the job is cancelled; a job that is not is waited for without end. The
    /// handler has five seconds from then on, and is aborted at its next await point.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        self.cancellation.cancelled()
    }
}

/// The reason why a handler could not do its job, and whether another attempt is useful.
///
/// Any standard error becomes one by `?` and means: try again. The reason is joined into
/// one line, and the status of the job shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    pub(crate) status: OutcomeStatus,
    pub(crate) reason: String,
}

impl JobError {
    /// Returns an error for a job that may succeed another time: it gets another attempt
    /// after a delay that grows, up to `max_attempts` of its category; after the last one it
    /// becomes a dead letter.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self {
            status: OutcomeStatus::Retry,
            reason: reason.into(),
        }
    }

    /// Returns an error for a job that can never succeed: it becomes a dead letter at once.
    pub fn give_up(reason: impl Into<String>) -> Self {
        Self {
            status: OutcomeStatus::GiveUp,
            reason: reason.into(),
        }
    }
}

impl<E: std::error::Error> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::retry(error.to_string())
    }
}
