//! Arguments of `rolecast events`.

use std::time::Duration;

use clap::Args;

use super::length;

pub(super) const EXAMPLES: &str = "\
Examples:
  rolecast events
  rolecast events --since 1d --kind node
  rolecast events --follow --kind role.changed
  rolecast events --follow --json | jq -r .data.message

The kinds are in docs/events.md. A day of events is kept.";

/// The events to show.
#[derive(Args, Debug)]
pub(crate) struct Events {
    /// Continue with new events as they happen, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only this kind, such as node.gone, or all that begin so, such as node or role
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Begin with the events of this long ago (default: 1h, with --follow those from now on)
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub(crate) since: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn events_are_of_a_kind_and_of_a_time() {
        assert!(parse("rolecast events").is_ok());
        assert!(parse("rolecast events -f --kind node.gone --since 2h --json").is_ok());
        assert!(parse("rolecast events --since tomorrow").is_err());
    }
}
