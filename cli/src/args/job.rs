//! Arguments of `rolecast job`.

use clap::Subcommand;
use rolecast_common::id::JobName;

use super::job_list::{self, JobList};

/// Commands for jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Show the state of a job, or its outcome
    Get {
        /// The job's id, or '#' and its sequence in ROLECAST_JOBS, such as '#41'
        #[arg(value_name = "ID|#SEQUENCE")]
        job: JobName,
        /// Print only the job's output
        ///
        /// A file or a pipe receives it unchanged. On a terminal, control characters are
        /// replaced, so that the output cannot control the terminal.
        #[arg(long)]
        output: bool,
        /// Print the output unchanged on a terminal as well
        #[arg(long, requires = "output")]
        raw: bool,
    },
    /// List jobs by category, state, node and age
    #[command(after_help = job_list::EXAMPLES)]
    Ls(JobList),
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
