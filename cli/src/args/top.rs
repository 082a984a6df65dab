//! Arguments of `rolecast top`.

use std::time::Duration;

use clap::Args;
use rolecast_common::time::parse_duration;

pub(super) const HELP: &str = "\
Examples:
  rolecast top
  rolecast top --interval 5s
  rolecast top --once
  rolecast top --once --json | jq '.attention'
  rolecast top --json --interval 10s >> fleet.jsonl

Keys: 1-5 or Tab choose nodes, categories, roles, jobs, alarms; arrows or j k select; Enter
shows details, and of a job why it was placed; Esc goes back; / filters; s sorts; r reverses;
e explains a job by its id; p pauses; ? lists all keys; q quits. It changes nothing.";

/// The live view.
#[derive(Args, Debug)]
pub(crate) struct Top {
    /// Print one picture as text (with --json: as one document), and end
    #[arg(long)]
    pub(crate) once: bool,
    /// The time between two updates, from 200ms to 1h
    #[arg(long, value_name = "LENGTH", default_value = "1s", value_parser = interval)]
    pub(crate) interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(200)..=Duration::from_secs(3600);
    let length = parse_duration(text).filter(|length| range.contains(length));
    length.ok_or_else(|| "expected a length from 200ms to 1h, such as 2s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn an_interval_is_neither_idle_nor_a_burden() {
        for (line, is_fine) in [
            ("rolecast top", true),
            ("rolecast top --once --json", true),
            ("rolecast top --interval 200ms", true),
            ("rolecast top --interval 0s", false),
            ("rolecast top --interval 2h", false),
            ("rolecast top oak", false),
        ] {
            assert_eq!(parse(line).is_ok(), is_fine, "{line}");
        }
    }
}
