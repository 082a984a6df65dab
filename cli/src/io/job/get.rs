//! `rolecast job get`: where a job is, or how it ended.

use rolecast_common::id::JobId;
use rolecast_common::wire::{JobState, Record};

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::terminal::Terminal;
use super::find::{Found, find};
use crate::exit::Exit;
use crate::view;

pub(super) async fn run(
    session: &Session,
    id: &JobId,
    only_output: bool,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    match find(session, id).await? {
        Found::Ended(record) => ended(&record, only_output, terminal),
        Found::Open(view) if view.state == JobState::Unknown => {
            Err(Failure::new(Exit::NoSuchJob, not_known(id)))
        }
        Found::Open(view) if only_output => {
            let state = view.state.as_str();
            let text = format!("job {id} has no output yet: it is {state}");
            Err(Failure::new(Exit::Failed, text))
        }
        Found::Open(view) => {
            if terminal.json {
                terminal.print_document(&view)?;
            } else {
                terminal.print(&view::job::view(&view, terminal.palette))?;
            }
            Ok(Exit::of_state(view.state))
        }
    }
}

fn ended(record: &Record, only_output: bool, terminal: &Terminal) -> Result<Exit, Failure> {
    if only_output {
        terminal.print_bytes(&record.output.0)?;
        terminal.note_all(view::job::truncation(record));
        return Ok(Exit::of_output(record));
    }
    if terminal.json {
        terminal.print_document(record)?;
    } else {
        terminal.print(&view::job::record(record, terminal.palette))?;
    }
    Ok(Exit::of_record(record.status))
}

fn not_known(id: &JobId) -> String {
    let mut text = format!(
        "job {id} is not known: it was never accepted, its record has aged out, \
         its category does not record completed jobs, or it still waits behind others"
    );
    if id.as_str().parse::<u64>().is_ok() {
        text.push_str("; a job that has ended is found by its sequence only if it got no id");
    }
    text
}
