//! Arguments of `rolecast explain`: a job that was placed, or a placement to try.

use clap::Args;
use rolecast_common::id::{Category, JobName};

pub(super) const EXAMPLES: &str = "\
Examples:
  rolecast explain order-17
  rolecast explain --dry-run ocr --require gpu=a100
  rolecast explain order-17 --json

Decisions are kept for a day. Of many decisions in one second, only the first 20
are recorded.";

/// A decision to explain.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The job's id, or '#' and its sequence in ROLECAST_JOBS, such as '#41'
    #[arg(value_name = "ID|#SEQUENCE")]
    #[arg(required_unless_present = "dry_run", conflicts_with = "dry_run")]
    pub(crate) job: Option<JobName>,
    /// Show where a job of this category would be placed now; nothing is sent
    #[arg(long, value_name = "CATEGORY")]
    pub(crate) dry_run: Option<Category>,
    /// Labels that the node must have, such as gpu=a100,zone=eu; a name alone matches any
    /// value
    #[arg(long, value_name = "LABELS", conflicts_with = "job")]
    pub(crate) require: Option<String>,
    /// The job's shard key, such as customer-17
    #[arg(long, conflicts_with = "job")]
    pub(crate) key: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn a_decision_is_of_a_job_or_of_a_category() {
        assert!(parse("rolecast explain").is_err());
        assert!(parse("rolecast explain j1").is_ok());
        assert!(parse("rolecast explain j1 --dry-run ocr").is_err());
        assert!(parse("rolecast explain j1 --key a").is_err());
        assert!(parse("rolecast explain --dry-run ocr --key a --require gpu").is_ok());
    }
}
