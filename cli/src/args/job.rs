//! Questions about one job.

use clap::Subcommand;
use rolecast_common::id::JobId;

/// Questions about one job.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Show where a job is, or how it ended
    Get {
        /// The job's id, or its sequence in ROLECAST_JOBS
        id: JobId,
        /// Print the job's output and nothing else
        #[arg(long)]
        output: bool,
    },
    /// Print each change of a job's state until it has ended
    Watch {
        /// The job's id, or its sequence in ROLECAST_JOBS
        id: JobId,
    },
}
