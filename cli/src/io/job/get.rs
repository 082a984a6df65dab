//! `rolecast job get`: state of a job, or its end.

use rolecast_common::id::JobName;
use rolecast_common::wire::Record;

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::terminal::Terminal;
use super::find::{Found, find};
use super::queue::Searched;
use crate::exit::Exit;
use crate::view;

/// The requested part of a job that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Record,
    Output,
    /// Its output byte by byte, for any reader.
    RawOutput,
}

pub(super) async fn run(
    session: &Session,
    name: &JobName,
    wanted: Wanted,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    match find(session, name).await? {
        Found::Ended(record) => ended(&record, wanted, terminal),
        Found::Unknown(searched) => Err(Failure::new(Exit::NoSuchJob, not_known(name, searched))),
        Found::Open(view) if wanted != Wanted::Record => {
            let state = view.state.as_str();
            let text = format!("job {name} has no output yet: it is {state}");
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

fn ended(record: &Record, wanted: Wanted, terminal: &Terminal) -> Result<Exit, Failure> {
    if wanted != Wanted::Record {
        terminal.print_output(&record.output.0, wanted == Wanted::RawOutput)?;
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

pub(super) fn not_known(name: &JobName, searched: Searched) -> String {
    let mut text = format!(
        "job {name} is not known: it was never accepted, its record has aged out, \
         or its category does not record completed jobs"
    );
    if let Searched::Unfinished { seen } = searched {
        text.push_str(&format!(
            "; or it waits in the stream behind the first {seen} jobs, which were searched"
        ));
    }
    match name {
        JobName::Id(id) if id.as_str().parse::<u64>().is_ok() => {
            text.push_str(&format!("; the job at sequence {id} is '#{id}'"));
        }
        JobName::Id(_) => {}
        JobName::Sequence(_) => {
            text.push_str("; a job that has ended is found by its sequence only if it got no id");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_shows_where_it_may_be() {
        let unknown_text = |name: &str, searched| not_known(&name.parse().unwrap(), searched);
        let text = unknown_text("order-7", Searched::Absent);
        assert!(
            text.contains("never accepted") && !text.contains("stream"),
            "{text}"
        );
        let text = unknown_text("order-7", Searched::Unfinished { seen: 1000 });
        assert!(text.contains("behind the first 1000 jobs"), "{text}");
        let text = unknown_text("7", Searched::Absent);
        assert!(text.ends_with("the job at sequence 7 is '#7'"), "{text}");
        let text = unknown_text("#7", Searched::Absent);
        assert!(text.ends_with("only if it got no id"), "{text}");
    }
}
