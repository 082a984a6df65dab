//! Arguments of `rolecast demo`.

use std::path::PathBuf;

use clap::Args;

/// The demonstration.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Leave everything running at the end, and print how to use it
    #[arg(long)]
    pub(crate) keep: bool,
    /// Number of jobs, 4 to 2000
    #[arg(long, value_name = "N", default_value_t = 480,
          value_parser = clap::value_parser!(u32).range(4..=2000))]
    pub(crate) jobs: u32,
    /// Read the input of the jobs from the text files below this directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) input: PathBuf,
    /// Kill no worker
    #[arg(long)]
    pub(crate) no_kill: bool,
    /// Omit the last part, in which a role moves
    #[arg(long)]
    pub(crate) no_roles: bool,
}
