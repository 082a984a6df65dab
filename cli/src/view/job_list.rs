//! Jobs as a list.

use std::time::Duration;

use rolecast_common::time::WallTime;
use rolecast_common::wire::{JobState, ListedJob};

use crate::quantity::seconds;
use crate::style::{Palette, Tone, one_line};
use crate::table::{Align, Text, plain, table};
use crate::view::job::done;

const COLUMNS: [(&str, Align); 8] = [
    ("place", Align::Right),
    ("job", Align::Left),
    ("category", Align::Left),
    ("state", Align::Left),
    ("for", Align::Right),
    ("node", Align::Left),
    ("age", Align::Right),
    ("reason", Align::Left),
];

/// The characters of a reason shown in a table.
const REASON_CHARS_MAX: usize = 60;

/// Lists jobs; ages count until `now`.
pub(crate) fn list(jobs: &[ListedJob], now: WallTime, palette: Palette) -> String {
    if jobs.is_empty() {
        return "no such jobs\n".to_owned();
    }
    let rows = jobs.iter().map(|job| row(job, now)).collect();
    format!("{}\n", table(palette, &COLUMNS, rows))
}

fn row(job: &ListedJob, now: WallTime) -> Vec<Text> {
    let category = job.category.as_ref();
    let age = job.submitted_ms.map(|at| now.since(at));
    vec![
        plain(format!("#{}", job.sequence)),
        (job.job.to_string(), Tone::Strong),
        plain(category.map_or("-", |category| category.as_str())),
        (job.state.as_str().to_owned(), Tone::of_state(job.state)),
        plain(lasting(job)),
        plain(job.node.as_ref().map_or("-", |node| node.as_str())),
        plain(age.map_or("-".to_owned(), seconds)),
        plain(one_line(&reason(job), REASON_CHARS_MAX)),
    ]
}

/// Returns the time for which it has been in its state.
fn lasting(job: &ListedJob) -> String {
    let since = job.since_ms.map(Duration::from_millis);
    since.map_or("-".to_owned(), seconds)
}

fn reason(job: &ListedJob) -> String {
    let attempt = match (job.attempt, job.state) {
        (Some(attempt), JobState::Running) if attempt.get() > 1 => format!("attempt {attempt}"),
        _ => String::new(),
    };
    let until = job.until_ms.map(|until| format!("until {until}"));
    // The reason of a delay that its producer set is the state again.
    let reason = Some(&job.reason).filter(|reason| *reason != job.state.as_str());
    let progress = job.progress.as_ref().map(done);
    let parts = [
        progress.unwrap_or_default(),
        attempt,
        until.unwrap_or_default(),
        reason.cloned().unwrap_or_default(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::{Attempt, Category, JobId, NodeId, Priority, Sequence};
    use serde_json::json;

    use super::*;

    fn job(sequence: u64, state: JobState) -> ListedJob {
        ListedJob {
            job: JobId::new(&format!("j{sequence}")).unwrap(),
            sequence: Sequence::new(sequence),
            category: Some(Category::new("ocr").unwrap()),
            priority: Priority::Normal,
            state,
            node: None,
            attempt: None,
            submitted_ms: Some(WallTime::from_millis(5_000)),
            since_ms: None,
            until_ms: None,
            progress: None,
            reason: String::new(),
            failed: 0,
            lost: 0,
        }
    }

    #[test]
    fn each_job_has_a_line_with_its_age_and_what_it_waits_for() {
        let running = ListedJob {
            node: Some(NodeId::new("oak").unwrap()),
            attempt: Some(Attempt::new(2)),
            since_ms: Some(1_500),
            reason: "exit code 1".to_owned(),
            progress: serde_json::from_value(json!({"done": 0.4, "text": "p 3", "since_ms": 0}))
                .unwrap(),
            ..job(7, JobState::Running)
        };
        let delayed = ListedJob {
            until_ms: Some(WallTime::from_millis(70_000)),
            reason: "delayed".to_owned(),
            submitted_ms: None,
            category: None,
            ..job(12, JobState::Delayed)
        };
        let text = list(
            &[running, delayed],
            WallTime::from_millis(65_000),
            Palette::PLAIN,
        );
        let expected = "\
PLACE  JOB  CATEGORY  STATE      FOR  NODE  AGE  REASON
   #7  j7   ocr       running  1.5 s  oak    1m  40 %  p 3, attempt 2, exit code 1
  #12  j12  -         delayed      -  -       -  until 1970-01-01T00:01:10.000Z
";
        assert_eq!(text, expected);
        assert_eq!(
            list(&[], WallTime::from_millis(0), Palette::PLAIN),
            "no such jobs\n"
        );
    }
}
