//! Arguments of `rolecast dead`, for jobs that failed for good.

use clap::{Args, Subcommand};
use rolecast_common::id::{Category, JobId};

/// Commands for dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// List dead jobs, the latest first
    Ls {
        /// Only jobs of this category
        #[arg(long)]
        category: Option<Category>,
        /// The largest number of jobs to list
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// Show one dead job: the reason of each failed attempt, its headers and payload
    Show {
        /// The job's id
        id: JobId,
    },
    /// Submit dead jobs again under the same id, and remove their dead letters
    Retry(Selection),
    /// Delete dead jobs for good
    Purge {
        #[command(flatten)]
        selection: Selection,
        /// Confirm; without this nothing is deleted
        #[arg(long)]
        yes: bool,
    },
}

/// Selection of dead jobs.
#[derive(Args, Debug)]
pub(crate) struct Selection {
    /// Ids of dead jobs
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<JobId>,
    /// All dead jobs, or all of --category
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Only jobs of this category
    #[arg(long, requires = "all", conflicts_with = "ids")]
    pub(crate) category: Option<Category>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn dead_jobs_are_named_or_all_are_meant() {
        assert!(parse("rolecast dead retry").is_err());
        assert!(parse("rolecast dead retry --all x").is_err());
        assert!(parse("rolecast dead retry x --category a").is_err());
        assert!(parse("rolecast dead retry --all --category a").is_ok());
        assert!(parse("rolecast dead purge x y --yes").is_ok());
    }
}
