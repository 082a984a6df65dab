//! Tests of the progress of jobs and of the logs of attempts, both claims of a node.

use rolecast_common::wire::{AttemptLog, JobProgress, LOG_LEN_MAX, ProgressView, Share};

use super::*;

/// A heartbeat that lists these jobs and reports progress by their place.
fn reporting(name: &str, sequence: u64, jobs: Vec<Assignment>, progress: &[(u32, f64)]) -> Input {
    let Input::Heartbeat {
        from,
        mut heartbeat,
    } = heartbeat(name, "a", sequence, jobs)
    else {
        unreachable!("it is a heartbeat");
    };
    let entries = progress.iter().map(|(job, done)| JobProgress {
        job: *job,
        done: Share::clamped(*done),
        text: format!("{done}"),
    });
    heartbeat.progress = entries.collect();
    Input::Heartbeat { from, heartbeat }
}

/// Returns the progress of job 1 as it is shown, and the milliseconds until it began.
fn shown(machine: &Scheduler) -> Option<(f64, u64)> {
    let view = machine.job(now(100.0), &JobId::new("job-1").unwrap());
    let ProgressView { done, since_ms, .. } = view?.progress?;
    Some((done.get(), since_ms.as_millis() - START))
}

#[test]
fn progress_is_shown_while_the_job_runs_and_gone_with_it() {
    let (mut machine, job) = running();
    assert_eq!(shown(&machine), None);
    turn(
        &mut machine,
        1.0,
        [reporting("n1", 2, vec![job.clone()], &[(0, 0.4)])],
    );
    assert_eq!(shown(&machine), Some((0.4, 1000)));
    // It is the same, or not repeated: it has lasted since then.
    turn(
        &mut machine,
        2.0,
        [reporting("n1", 3, vec![job.clone()], &[(0, 0.4)])],
    );
    turn(
        &mut machine,
        3.0,
        [reporting("n1", 4, vec![job.clone()], &[])],
    );
    assert_eq!(shown(&machine), Some((0.4, 1000)));
    turn(
        &mut machine,
        4.0,
        [reporting("n1", 5, vec![job.clone()], &[(0, 0.3)])],
    );
    assert_eq!(shown(&machine), Some((0.3, 4000)));
    let out = turn(
        &mut machine,
        4.5,
        [report("n1", &job, OutcomeStatus::Retry)],
    );
    assert!(matches!(out[..], [.., Output::Confirm(_)]), "{out:?}");
    assert_eq!(shown(&machine), None);
    // The attempt is over: its progress is not that of the next one.
    let beats = reporting("n1", 6, vec![job], &[(0, 0.9)]);
    turn(&mut machine, 5.0, [beats, delivery(1, 2)]);
    assert_eq!(shown(&machine), None);
}

#[test]
fn no_other_node_attempt_or_job_claims_progress() {
    let (mut machine, job) = running();
    let other = job
        .as_str()
        .replace("job-1.1.", "job-2.1.")
        .parse()
        .unwrap();
    let later = job
        .as_str()
        .replace("job-1.1.", "job-1.2.")
        .parse()
        .unwrap();
    let beats = [
        reporting("n2", 1, vec![job.clone()], &[(0, 0.9)]),
        reporting("n1", 2, vec![job.clone(), other], &[(1, 0.9)]),
        reporting("n1", 3, vec![later, job.clone()], &[(0, 0.9)]),
        reporting("n1", 4, vec![job.clone()], &[(1, 0.9), (u32::MAX, 0.9)]),
    ];
    for beat in beats {
        turn(&mut machine, 0.2, [beat]);
        assert_eq!(shown(&machine), None);
    }
    turn(
        &mut machine,
        1.0,
        [reporting("n1", 5, vec![job], &[(0, 0.2)])],
    );
    assert_eq!(shown(&machine), Some((0.2, 1000)));
}

#[test]
fn a_dispatcher_that_takes_the_lead_learns_progress_from_the_next_heartbeat() {
    let (_, job) = running();
    let mut next = led(Scheduler::new(machine().params, now(0.0)), 6);
    turn(&mut next, 1.0, [reporting("n1", 7, vec![job], &[(0, 0.6)])]);
    assert_eq!(shown(&next), Some((0.6, 1000)));
}

/// Returns the logs that the outcome of job 1 has stored.
fn stored(from: &str, status: OutcomeStatus, log: Vec<u8>) -> Vec<AttemptLog> {
    let (mut machine, job) = running();
    let mut outcome = outcome(status);
    outcome.log = Blob(log.into());
    let input = Input::Outcomes {
        from: node(from),
        reply: Some("confirm".to_owned()),
        outcomes: vec![(Claimed::new(job), outcome)],
    };
    let outputs = turn(&mut machine, 1.0, [input.clone()]);
    let again = turn(&mut machine, 1.1, [input]);
    let logs = outputs.into_iter().chain(again).filter_map(|output| {
        let Output::StoreLog(log) = output else {
            return None;
        };
        Some(*log)
    });
    logs.collect()
}

#[test]
fn the_log_of_an_attempt_is_stored_once_and_bounded() {
    for status in [
        OutcomeStatus::Completed,
        OutcomeStatus::Retry,
        OutcomeStatus::GiveUp,
    ] {
        let logs = stored("n1", status, b"broken\n".to_vec());
        assert_eq!(logs.len(), 1, "{status:?}");
        assert_eq!((logs[0].status, logs[0].node.clone()), (status, node("n1")));
        assert_eq!(
            (&logs[0].log.0[..], logs[0].log_truncated),
            (&b"broken\n"[..], false)
        );
    }
    let mut long = vec![b'x'; LOG_LEN_MAX + 7];
    long[7] = b'y';
    let logs = stored("n1", OutcomeStatus::Retry, long.clone());
    assert_eq!(&logs[0].log.0[..], &long[7..]);
    assert!(logs[0].log_truncated);
    assert_eq!(stored("n1", OutcomeStatus::Retry, Vec::new()), []);
    assert_eq!(stored("n1", OutcomeStatus::Refused, b"x".to_vec()), []);
    assert_eq!(stored("n2", OutcomeStatus::Retry, b"x".to_vec()), []);
}
