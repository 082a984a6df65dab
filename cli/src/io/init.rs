//! `rolecast worker-init` and `dispatcher-init`: print a config to start from.

use serde_json::json;

use super::failure::Failure;
use super::terminal::Terminal;
use crate::exit::Exit;

pub(crate) fn worker(terminal: &Terminal) -> Result<Exit, Failure> {
    print("worker.toml", "", terminal)
}

pub(crate) fn dispatcher(terminal: &Terminal) -> Result<Exit, Failure> {
    print("rolecast.toml", "", terminal)
}

fn print(name: &str, sample: &str, terminal: &Terminal) -> Result<Exit, Failure> {
    if terminal.json {
        terminal.print_document(&json!({ "file": name, "config": sample }))?;
    } else {
        terminal.print(sample)?;
    }
    Ok(Exit::Fine)
}
