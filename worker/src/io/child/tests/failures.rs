//! Tests of the kinds of failures.

use super::*;
use crate::io::groups::OwnGroup;

#[test]
fn a_failure_has_a_kind() {
    assert_eq!(shell("exit 0").failure, None);
    assert_eq!(shell("exit 3").failure, Some(Failure::ExitCode));
    assert_eq!(shell("kill -TERM $$").failure, Some(Failure::Signal));
    assert_eq!(
        run(task("/nowhere/x", &[])).failure,
        Some(Failure::NotStarted)
    );
    // It was stopped, although it reports success.
    let task = task("/bin/sh", &["-c", "trap 'exit 0' TERM; sleep 60 & wait"]);
    task.stop.ask();
    assert_eq!(run(task).failure, Some(Failure::TimeLimit));
}

#[test]
fn a_kill_while_the_kernel_frees_memory_is_for_lack_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let events = directory.path().join("memory.events");
    std::fs::write(&events, "oom 1\noom_kill 1\n").unwrap();
    let run_beside = |script: &str| {
        run(Task {
            leash: Arc::new(Leash {
                own_group: OwnGroup::with_events(events.clone()),
                ..Leash::default()
            }),
            ..task("/bin/sh", &["-c", script])
        })
    };
    // Kills before its start are no reason.
    let killed = run_beside("kill -KILL $$");
    assert_eq!(killed.failure, Some(Failure::Signal));
    let kill = format!("echo 'oom_kill 2' > {}; ", events.display());
    let killed = run_beside(&format!("{kill} kill -KILL $$"));
    assert_eq!(killed.failure, Some(Failure::Memory));
    assert!(
        killed
            .reason
            .ends_with("is out of memory: killed by SIGKILL")
    );
    let kill = kill.replace('2', "3");
    let part = run_beside(&format!("{kill} sh -c 'kill -KILL $$'; exit $?"));
    assert_eq!(part.failure, Some(Failure::Memory));
    // A failure of its own is none of the kernel's.
    let other = run_beside(&format!("{} exit 1", kill.replace('3', "4")));
    assert_eq!(other.failure, Some(Failure::ExitCode));
}
