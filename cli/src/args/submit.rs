//! Arguments of `rolecast submit`.

use std::path::PathBuf;

use clap::Args;
use rolecast_common::id::{Category, JobId, Priority};

pub(super) const EXAMPLES: &str = "\
Examples:
  rolecast submit thumbnail --file photo.jpg
  rolecast submit mail --data '{\"to\": \"ann\"}' --id order-17 --delay 30s
  tar c src | rolecast submit compress --stdin --wait > src.tar.gz

With --wait, stdout is the job's output, and the exit code shows its outcome: 6 if
only the beginning of the output was kept. If the category does not record completed
jobs, output and outcome are not known: the exit code is 1, soon after the job has left
the queue.
A second job with the same --id is not stored if it is submitted within the stream's
duplicate window (2 minutes by default).";

/// A job to submit.
#[derive(Args, Debug)]
pub(crate) struct Submit {
    /// The category of the job: [a-z0-9_-]{1,32}
    pub(crate) category: Category,
    #[command(flatten)]
    pub(crate) payload: Payload,
    /// Wait for the end of the job and print its output
    #[arg(long)]
    pub(crate) wait: bool,
    /// Print the output unchanged on a terminal as well, where control characters are
    /// replaced otherwise
    #[arg(long, requires = "wait")]
    pub(crate) raw: bool,
    /// Priority among all waiting jobs: high, normal or low [default: normal]
    #[arg(long, default_value_t = Priority::Normal, hide_default_value = true)]
    pub(crate) priority: Priority,
    /// The shortest time from submission to start, such as 30s [default: none]
    #[arg(long, value_name = "LENGTH")]
    pub(crate) delay: Option<String>,
    /// The job expires after this: a length such as 5m, or an RFC 3339 time [default: never]
    #[arg(long, value_name = "LENGTH|TIME")]
    pub(crate) deadline: Option<String>,
    /// The job's id: [A-Za-z0-9_-]{1,64} [default: a new UUID]
    #[arg(long)]
    pub(crate) id: Option<JobId>,
    /// Labels that the node must have, such as gpu=a100,zone=eu; a name alone matches any
    /// value
    #[arg(long, value_name = "LABELS")]
    pub(crate) require: Option<String>,
    /// Shard key, such as customer-17: jobs with the same key prefer the same node
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// A header to pass to the worker; may be repeated
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
}

/// The source of the payload; without any of these it is empty.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct Payload {
    /// Read the payload from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Read the payload from stdin
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Use this text as the payload
    #[arg(long, value_name = "TEXT")]
    pub(crate) data: Option<String>,
}

/// Reads `Name: value`. What Rolecast and NATS act on has flags of its own.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME:VALUE")?;
    let is_token = |b: u8| b.is_ascii_graphic() && b != b':';
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err("a header's name must be visible ASCII without spaces".to_owned());
    }
    if value.contains(['\r', '\n']) {
        return Err("a header's value must be one line".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("nats-") || lower.starts_with("rolecast-") {
        return Err(
            "use the flags for these headers: --id, --delay, --deadline, --require or --key"
                .to_owned(),
        );
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::*;

    #[test]
    fn a_bad_name_is_refused_with_its_grammar() {
        let error = parse("rolecast submit Thumb").unwrap_err().to_string();
        assert!(error.contains("[a-z0-9_-]{1,32}"), "{error}");
        let error = parse("rolecast submit a --id x.y").unwrap_err().to_string();
        assert!(error.contains("[A-Za-z0-9_-]{1,64}"), "{error}");
    }

    #[test]
    fn a_payload_has_one_source() {
        assert!(parse("rolecast submit a --stdin --data x").is_err());
        assert!(parse("rolecast submit a --data x").is_ok());
    }

    #[test]
    fn a_header_that_rolecast_acts_on_has_a_flag() {
        assert_eq!(header("A: b:c"), Ok(("A".to_owned(), "b:c".to_owned())));
        for text in [
            "A",
            "A b:c",
            ":c",
            "a:b\nc",
            "nats-msg-id:1",
            "Rolecast-Delay:1s",
        ] {
            assert!(header(text).is_err(), "{text}");
        }
    }
}
