//! Arguments of `rolecast dead`, for jobs that failed for good.

use clap::{Args, Subcommand};
use rolecast_common::id::{Category, JobId};

/// What to do with dead jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// List them, latest first
    Ls {
        /// Only this category
        #[arg(long)]
        category: Option<Category>,
        /// The most jobs listed
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// Show one: why each attempt failed, its headers and payload
    Show {
        /// The job's id
        id: JobId,
    },
    /// Submit them again under the same id and take them out of the dead
    Retry(Selection),
    /// Delete them for good
    Purge {
        #[command(flatten)]
        selection: Selection,
        /// Do it; without this nothing is deleted
        #[arg(long)]
        yes: bool,
    },
}

/// Which dead jobs.
#[derive(Args, Debug)]
pub(crate) struct Selection {
    /// Ids of jobs
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<JobId>,
    /// All of them, or all of --category
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Only this category
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
