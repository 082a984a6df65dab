//! `rolecast metrics`: prints the metrics of the programs, as `docs/metrics.md` has them.

use serde_json::json;

use super::failure::Failure;
use super::terminal::Terminal;
use crate::exit::Exit;

/// The text before the tables.
const INTRODUCTION: &str = include_str!("../view/metrics.md");

pub(crate) fn run(terminal: &Terminal) -> Result<Exit, Failure> {
    let dispatcher = rolecast_dispatcher::metrics::documentation();
    let worker = rolecast_worker::metrics_documentation();
    let text = format!(
        "{INTRODUCTION}\n## Metrics of a dispatcher\n\n{dispatcher}\n## Metrics of a worker\n\n\
        The metrics of its connection and of its process are the same as those of a dispatcher's.\n\n{worker}"
    );
    if terminal.json {
        terminal.print_document(&json!({ "file": "docs/metrics.md", "text": text }))?;
    } else {
        terminal.print(&text)?;
    }
    Ok(Exit::Fine)
}
