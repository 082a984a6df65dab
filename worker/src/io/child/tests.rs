//! Tests that run real commands.

mod failures;

use std::path::PathBuf;

use rolecast_common::wire::{LOG_LEN_MAX, Progress};

use super::*;

#[test]
fn the_payload_is_stdin_and_stdout_is_the_output() {
    let payload = Bytes::from(vec![b'x'; 300_000]);
    let finished = run(Task {
        payload: payload.clone(),
        ..task("/bin/cat", &[])
    });
    assert_eq!(
        finished.status,
        OutcomeStatus::Completed,
        "{}",
        finished.reason
    );
    assert_eq!(finished.output, payload);
    assert!(finished.usage.memory_max > 0);
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_command_and_its_children_wrote_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("written");
    let script = format!("head -c 3000000 /dev/zero > {}; true", file.display());
    let moved = shell(&script).usage.disk_bytes;
    // A file system in memory, or a kernel that does not count, reports nothing.
    assert!(moved == 0 || moved >= 3_000_000, "{moved}");
    assert!(moved < 30_000_000, "{moved}");
}

#[test]
fn exit_codes_are_mapped_and_stderr_is_the_reason() {
    let finished = shell("echo out; echo broken pipe >&2; exit 65");
    assert_eq!(finished.status, OutcomeStatus::GiveUp);
    assert_eq!(finished.reason, "exit code 65: broken pipe");
    assert_eq!(finished.output, "out\n");
    assert_eq!(shell("exit 75").status, OutcomeStatus::Retry);
    let finished = shell("kill -9 $$");
    assert_eq!(finished.reason, "killed by SIGKILL");
}

#[test]
fn output_beyond_the_limit_is_dropped_and_marked() {
    let finished = shell("head -c 3000000 /dev/zero");
    assert_eq!(finished.status, OutcomeStatus::Completed);
    assert_eq!(finished.output.len(), OUTPUT_MAX);
    assert!(finished.output_truncated);
    let finished = shell(&format!("head -c {OUTPUT_MAX} /dev/zero"));
    assert!(!finished.output_truncated);
}

#[test]
fn a_command_that_does_not_read_its_payload_completes() {
    let finished = run(Task {
        payload: vec![0; 1_000_000].into(),
        ..task("/bin/sh", &["-c", "exec <&-; echo done"])
    });
    assert_eq!(
        finished.status,
        OutcomeStatus::Completed,
        "{}",
        finished.reason
    );
}

#[test]
fn the_environment_holds_what_is_named_and_nothing_else() {
    let mut task = task("/usr/bin/env", &[]);
    task.variables = vec![("ROLECAST_JOB_ID", "job-1".to_owned())];
    let finished = run(task);
    let text = String::from_utf8(finished.output.to_vec()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let expected = [
        "PATH=/usr/bin:/bin",
        "ROLECAST_JOB_ID=job-1",
        "ROLECAST_PROGRESS_FD=3",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let finished = run(task("/nowhere/x", &[]));
    assert_eq!(finished.status, OutcomeStatus::Refused);
    assert!(
        finished
            .reason
            .starts_with("unable: cannot run /nowhere/x: No such file")
    );
}

#[test]
fn a_directory_that_is_gone_is_named_rather_than_the_program() {
    let mut task = task("/bin/true", &[]);
    let command = Arc::make_mut(&mut task.command);
    command.directory = Some(PathBuf::from("/nowhere/at/all"));
    let finished = run(task);
    assert_eq!(finished.status, OutcomeStatus::Refused);
    assert!(
        finished
            .reason
            .ends_with("its directory /nowhere/at/all is not there"),
        "{}",
        finished.reason
    );
}

#[test]
fn a_stop_ends_the_whole_group() {
    let task = task("/bin/sh", &["-c", "sleep 60 & sleep 60; wait"]);
    task.stop.ask();
    let start = Instant::now();
    let finished = run(task);
    assert_eq!(finished.reason, "killed by SIGTERM");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_command_that_ignores_the_request_is_forced() {
    let task = task("/bin/sh", &["-c", "trap '' TERM; sleep 60"]);
    task.stop.force();
    let finished = run(task);
    assert_eq!(finished.reason, "killed by SIGKILL");
}

#[cfg(target_os = "linux")]
#[test]
fn a_stop_ends_what_left_the_group_and_what_its_parent_left() {
    // The first is a child that leads a session, the second an orphan that does.
    for start in [
        "setsid sh -c \"$BODY\" & wait",
        "(setsid sh -c \"$BODY\" &); sleep 60",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("id");
        let body = format!(
            "trap '' TERM; echo $$ > {}; while :; do sleep 1; done",
            file.display()
        );
        let mut task = task("/bin/sh", &["-c", start]);
        let command = Arc::make_mut(&mut task.command);
        command.environment.push(("BODY".to_owned(), body.into()));
        let job = format!("job-{}", std::process::id());
        task.variables = vec![
            ("ROLECAST_JOB_ID", job),
            ("ROLECAST_ATTEMPT", "1".to_owned()),
            ("ROLECAST_NODE", "n1".to_owned()),
        ];
        let stop = Arc::clone(&task.stop);
        let run = std::thread::spawn(move || run(task));
        let begin = Instant::now();
        let id = loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if let Some(id) = text.strip_suffix('\n') {
                break id.to_owned();
            }
            assert!(
                begin.elapsed() < Duration::from_secs(10),
                "it did not start"
            );
            std::thread::yield_now();
        };
        let is_alive = || {
            // One that has ended and was not waited for has no environment any more.
            let environment = std::fs::read(format!("/proc/{id}/environ"));
            environment.is_ok_and(|bytes| !bytes.is_empty())
        };
        assert!(is_alive());
        stop.ask();
        assert_eq!(run.join().unwrap().reason, "killed by SIGTERM", "{start}");
        let begin = Instant::now();
        while is_alive() {
            assert!(
                begin.elapsed() < Duration::from_secs(5),
                "{start}: it lives on"
            );
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_process_left_behind_in_the_group_does_not_hold_the_job_up() {
    let start = Instant::now();
    let finished = shell("sleep 60 & echo done");
    assert_eq!(finished.output, "done\n");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_process_that_left_the_group_does_not_hold_the_job_up() {
    let start = Instant::now();
    let finished = shell("setsid sleep 5 & sleep 0.3; echo done");
    assert_eq!(finished.output, "done\n");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn cpu_time_is_measured_and_reported_to_the_gauge() {
    let task = task(
        "/bin/sh",
        &["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"],
    );
    let gauge = Arc::clone(&task.gauge);
    let finished = run(task);
    assert!(finished.usage.cpu_us > 10_000, "{:?}", finished.usage);
    let commands = gauge.take();
    assert!(commands.running.is_empty());
    assert_eq!(
        commands.ended[0].1.as_micros(),
        u128::from(finished.usage.cpu_us)
    );
}

#[test]
fn progress_is_read_in_any_form_and_never_holds_the_command_up() {
    let page = Progress::clamped(0.4, "page 3 of 8");
    let script = "echo '0.4 page 3 of 8' >&$ROLECAST_PROGRESS_FD; WAIT; echo done";
    let (finished, reported) = watched(script, &page);
    assert_eq!(finished.output, "done\n", "{}", finished.reason);
    assert_eq!(reported, std::slice::from_ref(&page));
    // More than any pipe holds.
    let flood = "yes 0.1 many | head -n 300000 >&3; echo 7/8 >&3; WAIT; echo done";
    let (finished, reported) = watched(flood, &Progress::clamped(0.875, ""));
    assert_eq!(finished.output, "done\n");
    assert!(reported.len() < 10_000, "{}", reported.len());
    let (finished, reported) = watched("exec 3>&-; echo done", &page);
    assert_eq!((&finished.output[..], reported.len()), (&b"done\n"[..], 0));
    // Closed as they are, the other streams end nothing.
    let closed = "exec >&- 2>&-; echo 50% >&3; echo 60% >&3; WAIT";
    let (_, reported) = watched(closed, &Progress::clamped(0.6, ""));
    assert_eq!(reported.last(), Some(&Progress::clamped(0.6, "")));
}

#[test]
fn a_process_that_keeps_the_progress_open_does_not_hold_the_job_up() {
    let start = Instant::now();
    let left = "setsid sh -c 'exec >&- 2>&-; sleep 5' & echo 0.5 >&3; WAIT; echo done";
    let half = Progress::clamped(0.5, "");
    let (finished, reported) = watched(left, &half);
    assert_eq!(finished.output, "done\n");
    assert_eq!(reported, [half]);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_has_its_own_descriptors_and_no_others() {
    // Descriptors that this test has from its own parent.
    let others = std::process::Command::new("ls")
        .arg("/proc/self/fd")
        .output();
    let mut expected = String::from_utf8(others.unwrap().stdout).unwrap();
    expected.push_str("4\n");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let runs = (0..8).map(|_| std::thread::spawn(|| shell("ls /proc/self/fd")));
    let runs: Vec<_> = runs.collect();
    for run in runs {
        let output = run.join().unwrap().output;
        // One more, and the directory that is listed has the next number.
        let found = sorted(std::str::from_utf8(&output).unwrap());
        assert_eq!(found, sorted(&expected));
    }
}

#[test]
fn the_end_of_stderr_is_the_log_of_the_attempts_for_which_it_is_kept() {
    let script = "seq 100000 >&2; exit";
    let whole: String = (1..=100_000).map(|n| format!("{n}\n")).collect();
    for (keep_stderr, code, is_kept) in [
        (KeepStderr::Failed, 3, true),
        (KeepStderr::Failed, 0, false),
        (KeepStderr::Always, 0, true),
        (KeepStderr::Never, 3, false),
    ] {
        let mut task = task("/bin/sh", &["-c", &format!("{script} {code}")]);
        Arc::make_mut(&mut task.command).keep_stderr = keep_stderr;
        let finished = run(task);
        let expected = match is_kept {
            true => &whole[whole.len() - LOG_LEN_MAX..],
            false => "",
        };
        assert!(finished.log == expected, "{keep_stderr:?} {code}");
        assert_eq!(finished.log_truncated, is_kept);
        let has_reason = finished.reason.ends_with("| 99999 | 100000");
        assert_eq!(has_reason, code != 0, "{}", finished.reason);
    }
    let script = "trap 'echo bye >&2; exit 0' TERM; echo 1 >&3; sleep 60 & wait";
    let (sender, begun) = mpsc::channel();
    let task = Task {
        reporter: Reporter::new(move |progress| sender.send(progress).unwrap()),
        ..task("/bin/sh", &["-c", script])
    };
    let stop = Arc::clone(&task.stop);
    let stopped = std::thread::spawn(move || run(task));
    begun.recv().unwrap();
    stop.ask();
    // It ran too long, so it has failed although it ended well.
    assert_eq!(stopped.join().unwrap().log, "bye\n");
}

const OUTPUT_MAX: usize = 512 * 1024;

/// Runs a script, in which `WAIT` lasts until `awaited` was passed on; returns its end, and
/// every progress that was passed on.
fn watched(script: &str, awaited: &Progress) -> (Finished, Vec<Progress>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seen");
    let wait = format!("until [ -e {} ]; do sleep 0.01; done", file.display());
    let (sender, receiver) = mpsc::channel();
    let awaited = awaited.clone();
    let reporter = Reporter::new(move |progress| {
        if progress == awaited {
            std::fs::write(&file, "").unwrap();
        }
        sender.send(progress).unwrap();
    });
    let finished = run(Task {
        reporter,
        ..task("/bin/sh", &["-c", &script.replace("WAIT", &wait)])
    });
    (finished, receiver.try_iter().collect())
}

fn shell(script: &str) -> Finished {
    run(task("/bin/sh", &["-c", script]))
}

fn task(program: &str, arguments: &[&str]) -> Task {
    Task {
        command: Arc::new(Command {
            program: PathBuf::from(program),
            arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
            environment: vec![("PATH".to_owned(), "/usr/bin:/bin".into())],
            directory: None,
            output_max: OUTPUT_MAX,
            keep_stderr: KeepStderr::Failed,
            confinement: None,
        }),
        variables: Vec::new(),
        payload: Bytes::new(),
        stop: Arc::new(Stop::default()),
        gauge: Arc::new(Gauge::default()),
        leash: Arc::new(Leash::default()),
        reporter: Reporter::new(|_| {}),
    }
}
