//! Outcomes of simulated executions, as a worker reports them.

use rolecast_common::wire::{Blob, JobUsage, Outcome, OutcomeStatus, VERSION};

use super::clock::Clock;
use crate::count::rounded;
use crate::policy::{End, EndStatus, HostIndex};

/// The end of an execution, with its host and time.
pub(super) struct Ended {
    pub(super) host: HostIndex,
    pub(super) ended_s: f64,
    pub(super) end: End,
}

impl Ended {
    pub(super) fn outcome(&self, clock: Clock) -> Outcome {
        let end = &self.end;
        let (status, reason) = match end.status {
            EndStatus::Completed => (OutcomeStatus::Completed, ""),
            EndStatus::Killed => (OutcomeStatus::Retry, "killed for lack of memory"),
        };
        Outcome {
            v: VERSION,
            job: None,
            status,
            reason: reason.to_owned(),
            output: Blob::default(),
            output_truncated: false,
            log: Blob::default(),
            log_truncated: false,
            started_ms: Some(clock.now(end.started_s).wall),
            run_us: rounded((self.ended_s - end.started_s) * 1e6),
            usage: JobUsage {
                cpu_us: rounded(end.cpu_s * 1e6),
                memory_max: rounded(end.memory_max),
                disk_bytes: rounded(end.disk_bytes),
                network_bytes: rounded(end.network_bytes),
            },
            traceparent: None,
        }
    }
}
