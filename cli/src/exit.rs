//! Exit codes of `rolecast`, for scripts.

use std::process::ExitCode;

use rolecast_common::wire::{JobState, Record, RecordStatus};

use crate::doctor::area::Severity;

/// The end of the command; the numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well; the job completed.
    Fine = 0,
    /// The job died or was cancelled, or the command failed.
    Failed = 1,
    /// The arguments are wrong.
    Usage = 2,
    /// NATS or the dispatcher cannot be reached, or cannot do its work.
    Unreachable = 3,
    /// There is no such job.
    NoSuchJob = 4,
    /// The job expired, or waiting for it took longer than `--timeout`.
    Late = 5,
    /// The job completed, and its output is kept in part only.
    Truncated = 6,
    /// The doctor found warnings, and nothing graver.
    Warned = 7,
    /// The doctor found trouble.
    Troubled = 8,
}

/// The codes as `--help` explains them.
pub(crate) const HELP: &str = "\
Exit codes:
  0  fine; the job completed
  1  the job died or was cancelled, or the command failed
  2  wrong arguments
  3  NATS or the dispatcher cannot be reached, or NATS has no quorum
  4  there is no such job
  5  the job expired, or --timeout passed
  6  the job completed, but only the beginning of its output was kept
  7  rolecast doctor found warnings
  8  rolecast doctor found trouble";

impl Exit {
    /// Returns the code for a job that has ended.
    pub(crate) fn of_record(status: RecordStatus) -> Self {
        match status {
            RecordStatus::Completed => Exit::Fine,
            RecordStatus::Dead | RecordStatus::Cancelled => Exit::Failed,
            RecordStatus::Expired => Exit::Late,
        }
    }

    /// Returns the code for a caller that wants the output of a job that has ended.
    pub(crate) fn of_output(record: &Record) -> Self {
        let exit = Self::of_record(record.status);
        if exit == Exit::Fine && record.output_truncated {
            return Exit::Truncated;
        }
        exit
    }

    /// Returns the code for a job in any state; one that has not ended is fine.
    pub(crate) fn of_state(state: JobState) -> Self {
        match state {
            JobState::Waiting | JobState::Running | JobState::Delayed | JobState::Completed => {
                Exit::Fine
            }
            JobState::Dead | JobState::Cancelled => Exit::Failed,
            JobState::Expired => Exit::Late,
            JobState::Unknown => Exit::NoSuchJob,
        }
    }

    /// Returns the code for the gravest finding of the doctor.
    pub(crate) fn of_findings(gravest: Option<Severity>) -> Self {
        match gravest {
            None | Some(Severity::Note) => Exit::Fine,
            Some(Severity::Warning) => Exit::Warned,
            Some(Severity::Trouble) => Exit::Troubled,
        }
    }

    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::job::tests::completed;

    #[test]
    fn the_help_explains_every_code() {
        let all = [
            Exit::Fine,
            Exit::Failed,
            Exit::Usage,
            Exit::Unreachable,
            Exit::NoSuchJob,
            Exit::Late,
            Exit::Truncated,
            Exit::Warned,
            Exit::Troubled,
        ];
        for (number, exit) in all.into_iter().enumerate() {
            assert_eq!(usize::from(exit.code()), number);
            assert!(HELP.contains(&format!("\n  {number}  ")), "{exit:?}");
        }
    }

    #[test]
    fn output_that_is_not_whole_is_no_success_for_who_wants_it() {
        let mut record = completed();
        assert_eq!(Exit::of_output(&record), Exit::Fine);
        record.output_truncated = true;
        assert_eq!(Exit::of_output(&record), Exit::Truncated);
        record.status = RecordStatus::Dead;
        assert_eq!(Exit::of_output(&record), Exit::Failed);
    }

    #[test]
    fn a_job_that_ended_has_the_same_code_by_record_and_by_state() {
        for (status, state) in [
            (RecordStatus::Completed, JobState::Completed),
            (RecordStatus::Dead, JobState::Dead),
            (RecordStatus::Expired, JobState::Expired),
            (RecordStatus::Cancelled, JobState::Cancelled),
        ] {
            assert_eq!(Exit::of_record(status), Exit::of_state(state));
        }
    }
}
