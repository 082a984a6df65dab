//! Arguments of `rolecast demo`.

use std::path::PathBuf;

use clap::Args;

/// The demonstration.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Leave everything running afterwards and say how to talk to it
    #[arg(long)]
    pub(crate) keep: bool,
    /// How many jobs
    #[arg(long, value_name = "N", default_value_t = 480,
          value_parser = clap::value_parser!(u32).range(4..=2000))]
    pub(crate) jobs: u32,
    /// Take the jobs' input from the text files below this directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) input: PathBuf,
    /// Do not kill a worker halfway
    #[arg(long)]
    pub(crate) no_kill: bool,
    /// Leave out the last act, in which a role moves
    #[arg(long)]
    pub(crate) no_roles: bool,
}
