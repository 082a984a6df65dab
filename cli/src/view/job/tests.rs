//! Tests of the texts about one job, and their records.

use rolecast_common::id::{Attempt, Epoch, JobId, NodeId, Sequence};
use rolecast_common::wire::{AttemptLog, Blob, JobUsage, OutcomeStatus, Share, VERSION};

use super::*;

#[test]
fn a_completed_job_shows_its_times_its_use_and_its_output() {
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
fn long_output_is_cut_and_shows_how_to_get_it() {
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
fn output_that_is_not_whole_is_reported_with_how_much_there_is() {
    let mut cut = completed();
    assert_eq!(truncation(&cut), None);
    cut.output_truncated = true;
    let text = truncation(&cut).unwrap();
    let expected = "the output is truncated: its first 6 B were kept; see output_max";
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
fn a_waiting_job_shows_why() {
    let waiting = unplaced(JobState::Waiting, "no node has the role leader");
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
fn a_delayed_job_shows_until_when() {
    let delayed = JobView {
        until_ms: Some(WallTime::from_millis(9000)),
        ..unplaced(JobState::Delayed, "delayed")
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
fn losses_are_distinguished_from_failures() {
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
        lost: 2,
        ..unplaced(JobState::Delayed, "lost with node elm")
    };
    let text = view(&waiting, Palette::PLAIN);
    let expected = "before    0 attempts failed, 2 attempts lost with a node\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn progress_is_shown_in_whole_percent_and_cannot_drive_the_terminal() {
    let running = |done, text: &str| JobView {
        node: Some(NodeId::new("oak").unwrap()),
        attempt: Some(Attempt::FIRST),
        progress: Some(ProgressView {
            done: Share::clamped(done),
            text: text.to_owned(),
            since_ms: WallTime::from_millis(1060),
        }),
        ..unplaced(JobState::Running, "")
    };
    let text = view(&running(0.29, "page\u{1b}[2J 3"), Palette::PLAIN);
    let expected = "progress  29 %  page\u{fffd}[2J 3, since 1970-01-01T00:00:01.060Z\n";
    assert!(text.ends_with(expected), "{text}");
    let now = WallTime::from_millis(2000);
    let line = change(&running(0.999, ""), now, Palette::PLAIN);
    let expected = "1970-01-01T00:00:02.000Z  running on oak, attempt 1, 99 %";
    assert_eq!(line, expected);
}

#[test]
fn attempts_without_a_log_are_named_with_the_cause() {
    let log = AttemptLog {
        v: VERSION,
        job: JobId::new("j1").unwrap(),
        category: rolecast_common::id::Category::new("ocr").unwrap(),
        sequence: Sequence::new(7),
        attempt: Attempt::FIRST,
        node: NodeId::new("elm").unwrap(),
        status: OutcomeStatus::Retry,
        reason: "exit code 75".to_owned(),
        at_ms: WallTime::from_millis(1060),
        log: Blob(vec![b'x'; 2048].into()),
        log_truncated: true,
    };
    let expected = "==> attempt 1 on elm failed 1970-01-01T00:00:01.060Z, the last 2.0 KiB: exit \
                    code 75";
    assert_eq!(heading(&log, Palette::PLAIN), expected);
    let mut ended = completed();
    ended.losses = vec![LostAttempt {
        attempt: Attempt::new(2),
        node: NodeId::new("ash").unwrap(),
        at_ms: WallTime::from_millis(1070),
        ran_ms: 40,
        companions: None,
    }];
    let lost = "attempt 2 on ash: it was lost with its node, and has no log";
    let lines = |logs: &[AttemptLog]| -> Vec<String> {
        missing(&ended, logs)
            .iter()
            .map(Missing::to_string)
            .collect()
    };
    assert_eq!(lines(&[log]), [lost]);
    let all = lines(&[]);
    let none =
        "attempt 1 on elm: exit code 75; it wrote nothing to stderr, or its log was not kept";
    assert_eq!(all, [none, lost]);
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
        trace: None,
    }
}

fn unplaced(state: JobState, reason: &str) -> JobView {
    JobView::new(JobId::new("j1").unwrap(), state, reason.to_owned())
}
