//! Arguments of `rolecast doctor`.

use std::path::PathBuf;

use clap::Args;

pub(super) const HELP: &str = "\
Examples:
  rolecast doctor
  rolecast doctor --config rolecast.toml
  rolecast doctor --json | jq -r '.findings[] | .severity + \" \" + .what'

Exit codes:
  0  all is well, or there are notes only
  7  there are warnings
  8  there is trouble: jobs wait or are lost
  3  there is no connection to NATS, so nothing else could be checked
  2  wrong arguments, or the file of --config has mistakes

What this login may not ask for is not checked, and listed as such; an operator's login
may ask for everything. It ends within some 10 s, whatever is broken. It changes nothing.";

/// A check of everything.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Compare the running system with this rolecast.toml as well
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// List all findings that there are, with the reason and the command of each, and check
    /// nothing
    #[arg(long, conflicts_with = "config")]
    pub(crate) list: bool,
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn a_list_needs_no_config() {
        assert!(parse("rolecast doctor --json").is_ok());
        assert!(parse("rolecast doctor --config rolecast.toml").is_ok());
        assert!(parse("rolecast doctor --list --config rolecast.toml").is_err());
    }
}
