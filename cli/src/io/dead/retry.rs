//! `rolecast dead retry`: submits dead jobs again under their ids.
//!
//! The order makes an interruption safe: the record is purged first, so that the next
//! outcome can be recorded; then the job is published under a message id that names this
//! dead letter; the letter is deleted last. A second run after an interruption stores the
//! job once.

use rolecast_common::id::JobId;
use rolecast_common::subjects::{self, STREAM_DEAD, STREAM_JOBS, STREAM_RESULTS};
use rolecast_nats::publish_with_retry;
use serde_json::json;

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::terminal::Terminal;
use super::letters::{Whole, by_sequence, selected};
use crate::args::dead::Selection;
use crate::dead_letter::resubmission;
use crate::exit::Exit;
use crate::quantity::counted;

pub(super) async fn run(
    session: &Session,
    selection: &Selection,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let mut retried = Vec::new();
    let mut failed = Vec::new();
    for sequence in selected(session, selection).await? {
        let Some(whole) = by_sequence(session, sequence).await? else {
            continue;
        };
        let job = whole.letter.job.clone();
        match retry(session, whole).await {
            Ok(()) => {
                if !terminal.json {
                    terminal.print(&format!("job {job} queued again\n"))?;
                }
                retried.push(job);
            }
            Err(failure) => {
                let text = failure.text();
                terminal.note(&format!("job {job} stays dead: {text}"));
                failed.push((job, text));
            }
        }
    }
    finish(&retried, &failed, terminal)?;
    Ok(if failed.is_empty() {
        Exit::Fine
    } else {
        Exit::Failed
    })
}

async fn retry(session: &Session, whole: Whole) -> Result<(), Failure> {
    let Whole { letter, message } = whole;
    let (subject, headers) =
        resubmission(&letter, &message.headers).map_err(|text| Failure::new(Exit::Failed, text))?;
    let jetstream = &session.jetstream;
    let results = jetstream.get_stream_no_info(STREAM_RESULTS).await?;
    let record = subjects::result(&letter.job);
    if let Err(error) = results.purge().filter(record).await {
        return Err(session.diagnose(error.into(), STREAM_RESULTS).await);
    }
    let published = publish_with_retry(jetstream, &subject, &headers, &message.payload).await;
    if let Err(error) = published {
        return Err(session.diagnose(error.into(), STREAM_JOBS).await);
    }
    let dead = jetstream.get_stream_no_info(STREAM_DEAD).await?;
    if let Err(error) = dead.delete_message(letter.sequence).await {
        return Err(session.diagnose(error.into(), STREAM_DEAD).await);
    }
    Ok(())
}

fn finish(
    retried: &[JobId],
    failed: &[(JobId, String)],
    terminal: &Terminal,
) -> Result<(), Failure> {
    if terminal.json {
        let failed: Vec<_> = failed
            .iter()
            .map(|(job, error)| json!({ "job": job, "error": error }))
            .collect();
        return terminal.print_document(&json!({ "retried": retried, "failed": failed }));
    }
    if retried.len() + failed.len() != 1 {
        let count = u64::try_from(retried.len()).unwrap_or(u64::MAX);
        terminal.print(&format!("{} queued again\n", counted(count, "dead job")))?;
    }
    Ok(())
}
