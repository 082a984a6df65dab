//! `rolecast worker-init` and `dispatcher-init`: print a config to start from.

use serde_json::json;

use super::failure::Failure;
use super::terminal::Terminal;
use crate::exit::Exit;

pub(crate) fn worker(terminal: &Terminal) -> Result<Exit, Failure> {
    print("worker.toml", rolecast_worker::config::SAMPLE, terminal)
}

pub(crate) fn dispatcher(terminal: &Terminal) -> Result<Exit, Failure> {
    print(
        "rolecast.toml",
        rolecast_dispatcher::config::SAMPLE,
        terminal,
    )
}

fn print(file: &str, sample: &str, terminal: &Terminal) -> Result<Exit, Failure> {
    if terminal.json {
        terminal.print_document(&json!({ "file": file, "config": sample }))?;
    } else {
        terminal.print(sample)?;
    }
    Ok(Exit::Fine)
}
