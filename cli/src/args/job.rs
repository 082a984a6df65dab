//! Arguments of `rolecast job`.

use clap::Subcommand;
use rolecast_common::id::JobName;

use super::cancel::{self, Cancel};
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
    /// Cancel jobs by id, or those of a category by age
    #[command(after_help = cancel::EXAMPLES)]
    Cancel(Cancel),
    /// Print each change of a job's state until it has ended
    ///
    /// The progress that a job reports is a bar on a terminal; otherwise each change of it is
    /// a line, and with --json an object.
    Watch {
        /// The job's id, or '#' and its sequence in ROLECAST_JOBS, such as '#41'
        #[arg(value_name = "ID|#SEQUENCE")]
        job: JobName,
    },
    /// Print the end of what the attempts at a job wrote to stderr
    ///
    /// The last 64 KiB of each attempt that failed are kept for a week, of successes too if
    /// the category has keep_stderr = "always" in worker.toml. An attempt that was lost with
    /// its node has no log. A file or a pipe receives the logs unchanged. On a terminal,
    /// control characters are replaced, so that a log cannot control the terminal.
    Logs {
        /// The job's id, or '#' and its sequence in ROLECAST_JOBS, such as '#41'
        #[arg(value_name = "ID|#SEQUENCE")]
        job: JobName,
        /// Print only the log of this attempt, without a heading
        #[arg(long, value_name = "NUMBER")]
        attempt: Option<u32>,
        /// Print the logs of further attempts until the job has ended
        #[arg(long, short, conflicts_with = "attempt")]
        follow: bool,
        /// Print the logs unchanged on a terminal as well
        #[arg(long)]
        raw: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn a_job_is_named_by_its_id_or_its_sequence() {
        assert!(parse("rolecast job get 7").is_ok());
        assert!(parse("rolecast job watch #7").is_ok());
        assert!(parse("rolecast job logs #7 --attempt 2 --raw").is_ok());
        assert!(parse("rolecast job logs 7 --follow --attempt 2").is_err());
        assert!(parse("rolecast job get 7 --output --raw").is_ok());
        assert!(parse("rolecast job get 7 --raw").is_err());
        assert!(parse("rolecast job get a.b").is_err());
        let error = parse("rolecast job get #x").unwrap_err().to_string();
        assert!(error.contains("# and a whole number"), "{error}");
    }
}
