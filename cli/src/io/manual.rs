//! `rolecast completions` and `manual`: print completions, and write man pages.

use std::fs;

use anyhow::Context as _;
use serde_json::json;

use super::failure::Failure;
use super::terminal::Terminal;
use crate::args::manual::{Completions, Manual};
use crate::exit::Exit;
use crate::manual;

pub(crate) fn completions(asked: &Completions, terminal: &Terminal) -> Result<Exit, Failure> {
    let found = manual::completions_of(asked.shell, &asked.program);
    let text = String::from_utf8(found.context("there is no such program")?)
        .context("completions are text")?;
    if terminal.json {
        let program = &asked.program;
        terminal.print_document(&json!({ "program": program, "completions": text }))?;
    } else {
        terminal.print(&text)?;
    }
    Ok(Exit::Fine)
}

pub(crate) fn write(asked: &Manual, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut paths = Vec::new();
    for file in manual::files() {
        let path = asked.out.join(&file.path);
        let directory = path.parent().context("each file is in a directory")?;
        let written = fs::create_dir_all(directory).and_then(|()| fs::write(&path, &file.content));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        paths.push(file.path);
    }
    if terminal.json {
        terminal.print_document(&json!({ "files": paths }))?;
    } else {
        terminal.print(&format!("{}\n", paths.join("\n")))?;
    }
    Ok(Exit::Fine)
}
