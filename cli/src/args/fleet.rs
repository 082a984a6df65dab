//! Arguments of the commands that show the fleet: its state, and its forecasts.

use clap::{Args, ValueEnum};
use rolecast_common::id::NodeId;

pub(super) const STATUS_HELP: &str = "\
What needs attention comes first, each line with its cause and the command for it. Of more than
20 nodes a line for each role is shown, and the nodes with trouble.

Exit code 0: the dispatcher works, whatever needs attention. 3: no dispatcher answers, or it
cannot do its work: it cannot renew its lease or read the streams. rolecast doctor has exit
codes for findings. --json prints the answer of rolecast.api.status, all pages in one document;
docs/protocol.md describes its fields.";

/// The state of everything.
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// Repeat every second until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
    /// List every node and category, also of a large fleet
    #[arg(long)]
    pub(crate) all: bool,
}

/// The role capacity map.
#[derive(Args, Debug)]
pub(crate) struct Capacity {
    /// List every node as well
    #[arg(long)]
    pub(crate) nodes: bool,
}

pub(super) const FORECAST_EXAMPLES: &str = "\
Examples:
  rolecast forecast oak
  rolecast forecast oak --resource cpu
  rolecast forecast oak --csv > oak.csv";

/// The forecasts of one node.
#[derive(Args, Debug)]
pub(crate) struct Forecast {
    /// The node's id
    pub(crate) node: NodeId,
    /// Show only this resource, in a larger chart
    #[arg(long, value_name = "NAME")]
    pub(crate) resource: Option<Resource>,
    /// Print comma-separated values: the past hour, then the forecasts
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// A resource of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resource {
    Cpu,
    Memory,
    Network,
    Disk,
}

impl Resource {
    /// Returns its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
            Resource::Network => "network",
            Resource::Disk => "disk",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn a_forecast_is_of_one_node_and_in_one_form() {
        assert!(parse("rolecast forecast").is_err());
        assert!(parse("rolecast forecast oak --resource gpu").is_err());
        assert!(parse("rolecast forecast oak --csv --json").is_err());
        assert!(parse("rolecast forecast oak --csv --resource disk").is_ok());
        assert!(parse("rolecast capacity --nodes --json").is_ok());
    }
}
