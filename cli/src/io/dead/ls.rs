//! `rolecast dead ls`: lists dead jobs, latest first.

use std::collections::VecDeque;

use rolecast_common::id::Category;
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::terminal::Terminal;
use super::letters;
use crate::dead_letter::DeadLetter;
use crate::exit::Exit;
use crate::view::dead::{list, to_json};

pub(super) async fn run(
    session: &Session,
    category: Option<&Category>,
    limit: usize,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let mut latest: VecDeque<DeadLetter> = VecDeque::new();
    let mut total = 0;
    letters::list(session, category, |letter| {
        total += 1;
        latest.push_front(letter);
        latest.truncate(limit);
    })
    .await?;
    let mut latest: Vec<DeadLetter> = latest.into();
    for letter in &mut latest {
        letters::complete(session, letter).await?;
    }
    if terminal.json {
        let jobs: Vec<Value> = latest.iter().map(to_json).collect();
        terminal.print_document(&json!({ "total": total, "jobs": jobs }))?;
    } else {
        terminal.print(&list(&latest, total, terminal.palette))?;
    }
    Ok(Exit::Fine)
}
