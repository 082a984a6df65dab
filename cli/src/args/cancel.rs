//! Arguments of `rolecast job cancel`.

use std::time::Duration;

use clap::Args;
use rolecast_common::id::{Category, JobName};

use super::length;

pub(super) const EXAMPLES: &str = "\
Examples:
  rolecast job cancel order-17 --reason 'ordered twice'
  rolecast job cancel '#41' '#42'
  rolecast job cancel --category ocr --older 1h   # asks before

A job that waits is recorded as cancelled. One that runs is stopped by its node: a command gets
SIGTERM, and SIGKILL 5 s later. If it completes all the same, it has completed. The command waits
for the end, at most --timeout (default: 15s), and exits with 0 if all jobs were cancelled, or
are when they are delivered, and with 1 if one had ended. It needs the rights of an operator.";

/// Jobs to cancel.
#[derive(Args, Debug)]
pub(crate) struct Cancel {
    /// Ids of jobs, or '#' and their sequences in ROLECAST_JOBS, such as '#41'
    #[arg(value_name = "ID|#SEQUENCE")]
    #[arg(required_unless_present = "category", conflicts_with = "category")]
    pub(crate) jobs: Vec<JobName>,
    /// All jobs of this category that were submitted before now, those included that the
    /// dispatcher has not fetched yet
    #[arg(long, value_name = "NAME")]
    pub(crate) category: Option<Category>,
    /// Only jobs that were submitted longer ago than this, such as 1h
    #[arg(long, value_name = "LENGTH", conflicts_with = "jobs", value_parser = length)]
    pub(crate) older: Option<Duration>,
    /// The reason, which the record of each job shows
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The name in the record (default: the user of the login, or $USER)
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Do not ask before the jobs of a category are cancelled
    #[arg(long, conflicts_with = "jobs")]
    pub(crate) yes: bool,
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn a_cancel_names_jobs_or_a_category() {
        assert!(parse("rolecast job cancel").is_err());
        assert!(parse("rolecast job cancel a #7 --reason twice").is_ok());
        assert!(parse("rolecast job cancel a --category ocr").is_err());
        assert!(parse("rolecast job cancel a --older 1h").is_err());
        assert!(parse("rolecast job cancel a --yes").is_err());
        assert!(parse("rolecast job cancel --older 1h --yes").is_err());
        assert!(parse("rolecast job cancel --category ocr --older 1h --yes").is_ok());
    }
}
