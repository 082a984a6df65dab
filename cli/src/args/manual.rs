//! Arguments of `rolecast completions` and `rolecast manual`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

pub(super) const EXAMPLES: &str = "\
Examples:
  source <(rolecast completions bash)
  rolecast completions zsh > ~/.zfunc/_rolecast
  rolecast completions fish --program rolecast-worker | source

The packages and `make install` install the completions already.";

/// Selection of completions.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
    /// The program
    #[arg(
        long,
        value_name = "NAME",
        default_value = "rolecast",
        value_parser = ["rolecast", "rolecast-dispatcher", "rolecast-worker"]
    )]
    pub(crate) program: String,
}

/// Place of the man pages.
#[derive(Args, Debug)]
pub(crate) struct Manual {
    /// The directory, which becomes `share` of an installation
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) out: PathBuf,
}
