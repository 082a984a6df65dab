//! Job as text: its state, or its end.

use std::time::Duration;

use rolecast_common::time::WallTime;
use rolecast_common::unit::Bytes;
use rolecast_common::wire::{FailedAttempt, JobState, JobView, LostAttempt, Record, RecordStatus};

use crate::quantity::{counted, length};
use crate::style::{Palette, Tone, one_line, printable};

/// The lines of output shown; a flag shows the rest.
const OUTPUT_LINES_MAX: usize = 20;
/// The characters of a reason shown in a line.
const REASON_CHARS_MAX: usize = 300;

/// Returns the time that a job waited between submission and its last start, if it
/// started.
///
/// The start is on the worker's clock, the submission on the server's; where they
/// disagree it is zero.
pub(crate) fn waited(record: &Record) -> Option<Duration> {
    Some(record.started_ms?.since(record.submitted_ms))
}

/// Returns in one line the end of a job.
pub(crate) fn summary(record: &Record, palette: Palette) -> String {
    let status = palette.paint(Tone::of_record(record.status), record.status.as_str());
    let mut line = format!("job {} {status}", record.job);
    if let (Some(node), Some(attempt)) = (&record.node, record.attempt) {
        line.push_str(&format!(" on {node}, attempt {attempt}"));
    }
    if let Some(waited) = waited(record) {
        let run = length(Duration::from_micros(record.run_us));
        line.push_str(&format!(", waited {}, ran {run}", length(waited)));
    }
    if record.status != RecordStatus::Completed {
        line.push_str(": ");
        line.push_str(&one_line(&record.reason, REASON_CHARS_MAX));
    }
    line
}

/// Shows a job that has ended.
pub(crate) fn record(record: &Record, palette: Palette) -> String {
    let mut block = Block::new(palette);
    let tone = Tone::of_record(record.status);
    let title = palette.paint(Tone::Strong, record.job.as_str());
    let status = palette.paint(tone, record.status.as_str());
    block.line("job", &format!("{title}  {status}"));
    if !record.reason.is_empty() {
        block.line("reason", &one_line(&record.reason, REASON_CHARS_MAX));
    }
    let category = one_line(&record.category, 80);
    block.line(
        "category",
        &format!("{category}, sequence {}", record.sequence),
    );
    if let Some(node) = &record.node {
        let attempt = record.attempt.map(|a| format!(", attempt {a}"));
        block.line("node", &format!("{node}{}", attempt.unwrap_or_default()));
    }
    times(&mut block, record);
    failures(&mut block, &record.failures);
    losses(&mut block, &record.losses);
    output(&mut block, record);
    block.text
}

fn times(block: &mut Block, record: &Record) {
    block.line("submitted", &record.submitted_ms.to_string());
    if let (Some(started), Some(waited)) = (record.started_ms, waited(record)) {
        block.line("started", &format!("{started}  waited {}", length(waited)));
    }
    let finished = record.finished_ms;
    if record.started_ms.is_none() {
        block.line("finished", &finished.to_string());
        return;
    }
    let run = length(Duration::from_micros(record.run_us));
    block.line("finished", &format!("{finished}  ran {run}"));
    let cpu = length(Duration::from_micros(record.usage.cpu_us));
    let memory = Bytes::new(record.usage.memory_max);
    block.line("used", &format!("{cpu} of CPU, {memory} of memory"));
}

fn failures(block: &mut Block, failures: &[FailedAttempt]) {
    for (index, failure) in failures.iter().enumerate() {
        let key = if index == 0 { "failures" } else { "" };
        block.line(key, &failed_attempt(failure));
    }
}

fn losses(block: &mut Block, losses: &[LostAttempt]) {
    for (index, lost) in losses.iter().enumerate() {
        let key = if index == 0 { "losses" } else { "" };
        block.line(key, &lost_attempt(lost));
    }
}

/// Returns in one line the loss of an attempt.
fn lost_attempt(lost: &LostAttempt) -> String {
    let how = match lost.companions {
        None => "never reached it".to_owned(),
        Some(0) => "went down with it, alone".to_owned(),
        Some(others) => {
            let others = counted(u64::from(others), "other job");
            format!("went down with it and {others}")
        }
    };
    let ran = length(Duration::from_millis(lost.ran_ms));
    let LostAttempt {
        attempt,
        node,
        at_ms,
        ..
    } = lost;
    format!("{at_ms}  attempt {attempt} on {node}: {how}, after {ran}")
}

/// Returns in one line the failure of an attempt.
pub(crate) fn failed_attempt(failure: &FailedAttempt) -> String {
    let FailedAttempt {
        attempt,
        node,
        reason,
        at_ms,
        gave_up,
    } = failure;
    let reason = one_line(reason, REASON_CHARS_MAX);
    let gave_up = if *gave_up { " (gave up)" } else { "" };
    format!("{at_ms}  attempt {attempt} on {node}: {reason}{gave_up}")
}

/// Returns a note if the output is not complete.
pub(crate) fn truncation(record: &Record) -> Option<String> {
    record.output_truncated.then(|| {
        let kept = size_of(record.output.0.len());
        format!(
            "the output is not whole: its first {kept} were kept; see output_max in worker.toml, \
             and max_payload of nats-server"
        )
    })
}

fn output(block: &mut Block, record: &Record) {
    let bytes = &record.output.0;
    if bytes.is_empty() {
        return;
    }
    let size = size_of(bytes.len());
    let cut = if record.output_truncated {
        ", cut at the worker's limit"
    } else {
        ""
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        block.line("output", &format!("{size}, not text{cut}; see --output"));
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    let hidden = lines.len().saturating_sub(OUTPUT_LINES_MAX);
    let more = if hidden > 0 {
        format!("; the first {OUTPUT_LINES_MAX} of {} lines", lines.len())
    } else {
        String::new()
    };
    block.line("output", &format!("{size}{cut}{more}"));
    for line in lines.iter().take(OUTPUT_LINES_MAX) {
        block.text.push_str("  ");
        block.text.push_str(&one_line(line, 400));
        block.text.push('\n');
    }
    if hidden > 0 {
        block.text.push_str("  ... all of it with --output\n");
    }
}

fn size_of(len: usize) -> Bytes {
    Bytes::new(u64::try_from(len).unwrap_or(u64::MAX))
}

/// Shows a job that has not ended, or is unknown.
pub(crate) fn view(view: &JobView, palette: Palette) -> String {
    let mut block = Block::new(palette);
    let title = palette.paint(Tone::Strong, view.job.as_str());
    let state = palette.paint(Tone::of_state(view.state), view.state.as_str());
    block.line("job", &format!("{title}  {state}"));
    if let Some(node) = &view.node {
        let attempt = view.attempt.map(|a| format!(", attempt {a}"));
        block.line("node", &format!("{node}{}", attempt.unwrap_or_default()));
    }
    if let Some(until) = view.until_ms {
        block.line("until", &until.to_string());
    }
    if has_news(view) {
        block.line("reason", &one_line(&view.reason, REASON_CHARS_MAX));
    }
    if view.failed + view.lost > 0 {
        let failed = counted(u64::from(view.failed), "attempt");
        let lost = counted(u64::from(view.lost), "attempt");
        block.line(
            "before",
            &format!("{failed} failed, {lost} lost with a node"),
        );
    }
    block.text
}

/// Returns whether the reason adds something to the state.
fn has_news(view: &JobView) -> bool {
    !view.reason.is_empty() && view.reason != view.state.as_str()
}

/// Returns the line of `job watch`, which prints it when one of these fields changes.
pub(crate) fn change(view: &JobView, now: WallTime, palette: Palette) -> String {
    let state = palette.paint(Tone::of_state(view.state), view.state.as_str());
    let mut line = format!("{now}  {state}");
    if let Some(node) = &view.node {
        line.push_str(&format!(" on {node}"));
    }
    if let Some(attempt) = view.attempt {
        line.push_str(&format!(", attempt {attempt}"));
    }
    if let Some(until) = view.until_ms {
        line.push_str(&format!(" until {until}"));
    }
    if has_news(view) {
        line.push_str(": ");
        line.push_str(&one_line(&view.reason, REASON_CHARS_MAX));
    }
    line
}

/// Returns in one line why a job has not started; `None` if it has, or is unknown.
pub(crate) fn why_not_started(view: &JobView) -> Option<String> {
    match view.state {
        JobState::Waiting | JobState::Delayed => {}
        JobState::Unknown
        | JobState::Running
        | JobState::Completed
        | JobState::Dead
        | JobState::Expired => return None,
    }
    let mut line = format!("job {} is {}", view.job, view.state.as_str());
    if let Some(until) = view.until_ms {
        line.push_str(&format!(" until {until}"));
    }
    if has_news(view) {
        line.push_str(&format!(": {}", one_line(&view.reason, REASON_CHARS_MAX)));
    }
    Some(line)
}

/// Lines of a key and a value.
pub(super) struct Block {
    palette: Palette,
    pub(super) text: String,
}

impl Block {
    pub(super) fn new(palette: Palette) -> Self {
        Self {
            palette,
            text: String::new(),
        }
    }

    pub(super) fn line(&mut self, key: &str, value: &str) {
        let key = self.palette.paint(Tone::Faint, &format!("{key:<10}"));
        self.text.push_str(&key);
        // The palette's own escapes are in the value already.
        self.text.push_str(&value.replace('\n', " "));
        self.text.push('\n');
    }
}

/// Shows the payload of a job, or that it is not text.
pub(crate) fn payload(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().take(OUTPUT_LINES_MAX).collect();
            printable(&lines.join("\n"))
        }
        Err(_) => format!("{}, not text", size_of(bytes.len())),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rolecast_common::id::{Attempt, Epoch, JobId, NodeId, Sequence};
    use rolecast_common::wire::{Blob, JobUsage, VERSION};

    use super::*;

    #[test]
    fn a_completed_job_tells_its_times_its_use_and_its_output() {
        let text = record(&completed(), Palette::PLAIN);
        let expected = "\
job       j1  completed
category  ocr, sequence 7
node      oak, attempt 2
submitted 1970-01-01T00:00:01.000Z
started   1970-01-01T00:00:01.120Z  waited 120 ms
finished  1970-01-01T00:00:01.210Z  ran 85 ms
used      84 ms of CPU, 12.0 MiB of memory
failures  1970-01-01T00:00:01.060Z  attempt 1 on elm: exit code 75
output    6 B
  hello
";
        assert_eq!(text, expected);
    }

    #[test]
    fn long_output_is_cut_and_says_how_to_get_it() {
        let mut long = completed();
        long.output = Blob("line\n".repeat(50).into());
        let text = record(&long, Palette::PLAIN);
        assert_eq!(text.matches("  line\n").count(), OUTPUT_LINES_MAX);
        assert!(text.contains("the first 20 of 50 lines"), "{text}");
        assert!(text.contains("--output"), "{text}");
    }

    #[test]
    fn output_that_is_no_text_is_not_written_to_the_terminal() {
        let mut binary = completed();
        binary.output = Blob(vec![0x1f, 0x8b, 0xff].into());
        let text = record(&binary, Palette::PLAIN);
        assert!(text.contains("3 B, not text"), "{text}");
        let mut hostile = completed();
        hostile.output = Blob("\x1b[2Jgone".into());
        assert!(!record(&hostile, Palette::PLAIN).contains('\x1b'));
    }

    #[test]
    fn output_that_is_not_whole_is_told_with_how_much_there_is() {
        let mut cut = completed();
        assert_eq!(truncation(&cut), None);
        cut.output_truncated = true;
        let text = truncation(&cut).unwrap();
        let expected = "the output is not whole: its first 6 B were kept; see output_max";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn the_summary_of_a_dead_job_has_its_reason() {
        let mut dead = completed();
        dead.status = RecordStatus::Dead;
        dead.reason = "attempt 2 of 2 failed".to_owned();
        let line = summary(&dead, Palette::PLAIN);
        assert_eq!(
            line,
            "job j1 dead on oak, attempt 2, waited 120 ms, ran 85 ms: attempt 2 of 2 failed"
        );
    }

    #[test]
    fn a_waiting_job_says_why() {
        let waiting = JobView {
            v: VERSION,
            job: JobId::new("j1").unwrap(),
            state: JobState::Waiting,
            node: None,
            attempt: None,
            until_ms: None,
            reason: "no node has the role leader".to_owned(),
            failed: 0,
            lost: 0,
            record: None,
        };
        let text = view(&waiting, Palette::PLAIN);
        assert_eq!(
            text,
            "job       j1  waiting\nreason    no node has the role leader\n"
        );
        let now = WallTime::from_millis(0);
        let line = change(&waiting, now, Palette::PLAIN);
        assert!(line.ends_with("waiting: no node has the role leader"));
        let text = why_not_started(&waiting).unwrap();
        assert_eq!(text, "job j1 is waiting: no node has the role leader");
    }

    #[test]
    fn a_delayed_job_says_until_when() {
        let delayed = JobView {
            v: VERSION,
            job: JobId::new("j1").unwrap(),
            state: JobState::Delayed,
            node: None,
            attempt: None,
            until_ms: Some(WallTime::from_millis(9000)),
            reason: "delayed".to_owned(),
            failed: 0,
            lost: 0,
            record: None,
        };
        let text = view(&delayed, Palette::PLAIN);
        let expected = "job       j1  delayed\nuntil     1970-01-01T00:00:09.000Z\n";
        assert_eq!(text, expected);
        let line = change(&delayed, WallTime::from_millis(0), Palette::PLAIN);
        assert!(
            line.ends_with("delayed until 1970-01-01T00:00:09.000Z"),
            "{line}"
        );
        let text = why_not_started(&delayed).unwrap();
        assert_eq!(text, "job j1 is delayed until 1970-01-01T00:00:09.000Z");
        let running = JobView {
            state: JobState::Running,
            ..delayed
        };
        assert_eq!(why_not_started(&running), None);
    }

    #[test]
    fn losses_are_told_apart_from_failures() {
        let lost = |companions| LostAttempt {
            attempt: Attempt::FIRST,
            node: NodeId::new("elm").unwrap(),
            at_ms: WallTime::from_millis(1060),
            ran_ms: 40,
            companions,
        };
        let mut ended = completed();
        ended.failures.clear();
        ended.losses = vec![lost(Some(3)), lost(Some(0)), lost(None)];
        let text = record(&ended, Palette::PLAIN);
        let expected = "\
losses    1970-01-01T00:00:01.060Z  attempt 1 on elm: went down with it and 3 other jobs, after 40 ms
          1970-01-01T00:00:01.060Z  attempt 1 on elm: went down with it, alone, after 40 ms
          1970-01-01T00:00:01.060Z  attempt 1 on elm: never reached it, after 40 ms
";
        assert!(text.contains(expected), "{text}");
        let waiting = JobView {
            v: VERSION,
            job: JobId::new("j1").unwrap(),
            state: JobState::Delayed,
            node: None,
            attempt: None,
            until_ms: None,
            reason: "lost with node elm".to_owned(),
            failed: 0,
            lost: 2,
            record: None,
        };
        let text = view(&waiting, Palette::PLAIN);
        let expected = "before    0 attempts failed, 2 attempts lost with a node\n";
        assert!(text.ends_with(expected), "{text}");
    }

    pub(crate) fn completed() -> Record {
        Record {
            v: VERSION,
            job: JobId::new("j1").unwrap(),
            category: "ocr".to_owned(),
            sequence: Sequence::new(7),
            status: RecordStatus::Completed,
            reason: String::new(),
            epoch: Epoch::new(1),
            node: Some(NodeId::new("oak").unwrap()),
            attempt: Some(Attempt::new(2)),
            failures: vec![FailedAttempt {
                attempt: Attempt::FIRST,
                node: NodeId::new("elm").unwrap(),
                reason: "exit code 75".to_owned(),
                at_ms: WallTime::from_millis(1060),
                gave_up: false,
            }],
            losses: Vec::new(),
            submitted_ms: WallTime::from_millis(1000),
            started_ms: Some(WallTime::from_millis(1120)),
            finished_ms: WallTime::from_millis(1210),
            run_us: 85_000,
            usage: JobUsage {
                cpu_us: 84_000,
                memory_max: 12 * 1024 * 1024,
                ..JobUsage::default()
            },
            output: Blob("hello\n".into()),
            output_truncated: false,
        }
    }
}
