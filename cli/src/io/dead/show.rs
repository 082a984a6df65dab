//! `rolecast dead show`: one dead job with everything that is kept of it.

use rolecast_common::id::JobId;
use rolecast_common::wire::Blob;
use serde_json::json;

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::terminal::Terminal;
use super::letters::{Whole, by_id, complete};
use crate::exit::Exit;
use crate::view::dead::{headers_to_json, letter as show, to_json};

pub(super) async fn run(
    session: &Session,
    job: &JobId,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let Whole {
        mut letter,
        message,
    } = by_id(session, job).await?;
    complete(session, &mut letter).await?;
    if terminal.json {
        let mut document = to_json(&letter);
        document["headers"] = headers_to_json(&message.headers);
        document["payload"] = json!(Blob(message.payload));
        terminal.print_document(&document)?;
    } else {
        let text = show(
            &letter,
            &message.headers,
            &message.payload,
            terminal.palette,
        );
        terminal.print(&text)?;
    }
    Ok(Exit::Fine)
}
