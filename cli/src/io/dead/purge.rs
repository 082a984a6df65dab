//! `rolecast dead purge`: deletes dead jobs for good.

use anyhow::anyhow;
use serde_json::json;

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::terminal::Terminal;
use super::letters::{filter, selected, stream};
use crate::args::dead::Selection;
use crate::exit::Exit;
use crate::quantity::counted;

pub(super) async fn run(
    session: &Session,
    selection: &Selection,
    is_confirmed: bool,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let stream = stream(session).await?;
    let sequences = selected(session, selection).await?;
    let mut count = u64::try_from(sequences.len()).unwrap_or(u64::MAX);
    if !is_confirmed {
        let jobs = counted(count, "dead job");
        let error = anyhow!("this deletes {jobs} with their payload for good; add --yes to do it");
        return Err(Failure::usage(error));
    }
    if selection.all {
        let subject = filter(selection.category.as_ref());
        count = stream.purge().filter(subject).await?.purged;
    } else {
        for sequence in sequences {
            stream.delete_message(sequence).await?;
        }
    }
    if terminal.json {
        terminal.print_document(&json!({ "deleted": count }))?;
    } else {
        terminal.print(&format!("{} deleted\n", counted(count, "dead job")))?;
    }
    Ok(Exit::Fine)
}
