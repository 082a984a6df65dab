//! Job as text: its state, or its end.

mod logs;

use std::time::Duration;

use rolecast_common::time::WallTime;
use rolecast_common::unit::Bytes;
use rolecast_common::wire::{
    FailedAttempt, JobState, JobView, LostAttempt, ProgressView, Record, RecordStatus,
};

use crate::quantity::{counted, length};
use crate::style::{Palette, Tone, one_line, printable};

pub(crate) use logs::{Missing, heading, lost_so_far, missing, none};

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
            "the output is truncated: its first {kept} were kept; see output_max in worker.toml, \
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

pub(super) fn size_of(len: usize) -> Bytes {
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
    if let Some(progress) = &view.progress {
        let since = progress.since_ms;
        block.line("progress", &format!("{}, since {since}", done(progress)));
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

/// Returns the thousandths of a job that are done.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is from 0 to 1"
)]
pub(crate) fn thousandths(progress: &ProgressView) -> u32 {
    (progress.done.get() * 1000.0).round() as u32
}

/// Returns which part of a job is done, and its text.
pub(crate) fn done(progress: &ProgressView) -> String {
    let text = one_line(&progress.text, REASON_CHARS_MAX);
    let line = format!("{} %  {text}", thousandths(progress) / 10);
    line.trim_end().to_owned()
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
    if let Some(progress) = &view.progress {
        line.push_str(&format!(", {}", done(progress)));
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
        | JobState::Expired
        | JobState::Cancelled => return None,
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
pub(crate) mod tests;
