//! Arguments of `rolecast job`.

use clap::Subcommand;
use rolecast_common::id::JobName;

/// Questions about one job.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Show where a job is, or how it ended
    Get {
        /// The job's id, or '#' and its sequence in ROLECAST_JOBS, such as '#41'
        #[arg(value_name = "ID|#SEQUENCE")]
        job: JobName,
        /// Print the job's output and nothing else
        ///
        /// As it is to a file or a pipe. On a terminal, control characters are replaced:
        /// what a job wrote does not drive it.
        #[arg(long)]
        output: bool,
        /// Print the output byte by byte on a terminal too
        #[arg(long, requires = "output")]
        raw: bool,
    },
    /// Print each change of a job's state until it has ended
    Watch {
        /// The job's id, or '#' and its sequence in ROLECAST_JOBS, such as '#41'
        #[arg(value_name = "ID|#SEQUENCE")]
        job: JobName,
    },
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn a_job_is_named_by_its_id_or_its_sequence() {
        assert!(parse("rolecast job get 7").is_ok());
        assert!(parse("rolecast job watch #7").is_ok());
        assert!(parse("rolecast job get 7 --output --raw").is_ok());
        assert!(parse("rolecast job get 7 --raw").is_err());
        assert!(parse("rolecast job get a.b").is_err());
        let error = parse("rolecast job get #x").unwrap_err().to_string();
        assert!(error.contains("# and a whole number"), "{error}");
    }
}
