//! Tests of losses: a job that goes down with its node is not blamed for it, unless it
//! was alone there.

use rolecast_common::wire::{OutcomeStatus, RecordStatus};

use super::*;

#[test]
fn losses_do_not_use_up_attempts_and_their_delays_grow() {
    let mut machine = machine();
    let mut delays = Vec::new();
    // More losses than the category has attempts, each long after the start.
    for round in 1..=6u64 {
        let seconds = 1000.0 * f64::from(u32::try_from(round).unwrap());
        let boot = heartbeat("n1", &format!("b{round}"), 1, vec![]);
        let mut out = turn(&mut machine, seconds, [boot, delivery(1, round)]);
        // The node to keep for it is chosen in a sweep.
        out.extend(turn(&mut machine, seconds + 0.3, []));
        let (_, assignment) = forwarded(&out).remove(0);
        // A job that was alone for so long is not to blame for the end of its node.
        for second in 1..=125u32 {
            let beat = heartbeat(
                "n1",
                &format!("b{round}"),
                u64::from(second) + 1,
                vec![assignment.clone()],
            );
            turn(&mut machine, seconds + f64::from(second), [beat]);
        }
        let again = heartbeat("n1", &format!("c{round}"), 1, vec![]);
        let out = turn(&mut machine, seconds + 130.0, [again]);
        for output in out {
            if let Output::GiveBack { delay, .. } = output {
                delays.push(delay.as_secs_f64());
            }
        }
    }
    assert_eq!((delays.len(), delays[0]), (6, 0.0));
    for (delay, most) in delays[1..].iter().zip([1.5, 2.0, 4.0, 8.0, 16.0]) {
        assert!(*delay <= most && *delay >= most / 2.0, "{delays:?}");
    }
    let mut sent = turn(
        &mut machine,
        9000.0,
        [heartbeat("n1", "z", 1, vec![]), delivery(1, 9)],
    );
    sent.extend(turn(&mut machine, 9000.3, []));
    let (_, assignment) = forwarded(&sent).remove(0);
    let completed = report("n1", &assignment, OutcomeStatus::Completed);
    let out = turn(&mut machine, 9001.0, [completed]);
    let [Output::Record(record)] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!((record.failures.len(), record.losses.len()), (0, 6));
    assert!(record.losses.iter().all(|lost| lost.companions == Some(0)));
}

#[test]
fn a_job_that_is_alone_on_each_node_it_takes_down_is_dead_with_that_reason() {
    let mut machine = machine();
    let mut died = None;
    for round in 1..=3u64 {
        let seconds = 100.0 * f64::from(u32::try_from(round).unwrap());
        let boot = format!("b{round}");
        let sent = turn(
            &mut machine,
            seconds,
            [heartbeat("n1", &boot, 1, vec![]), delivery(1, round)],
        );
        assert_eq!(forwarded(&sent).len(), 1, "{sent:?}");
        // Its heartbeats stop.
        let out = turn(&mut machine, seconds + 20.0, []);
        let job = JobId::new("job-1").unwrap();
        for output in out {
            if let Output::DeadLetter { record, .. } = output {
                died = Some(record);
            }
        }
        if round < 3 {
            let view = machine.job(now(seconds), &job).unwrap();
            assert_eq!((view.state, view.failed), (JobState::Delayed, 0));
            assert_eq!(u64::from(view.lost), round);
        }
    }
    let record = died.expect("it is dead-lettered after its third loss");
    assert_eq!(record.status, RecordStatus::Dead);
    let reason = "took its node down 3 times, alone on it the last 3 times";
    assert_eq!(record.reason, reason);
    assert_eq!(record.node, Some(node("n1")));
}

#[test]
fn a_job_that_never_reached_its_node_is_lost_and_nobody_suspected() {
    let (mut machine, _) = running();
    for second in 1..=3u32 {
        let beat = heartbeat("n1", "a", u64::from(second) + 1, vec![]);
        turn(&mut machine, f64::from(second), [beat]);
    }
    let away = machine.jobs.given_back(Sequence::new(1)).unwrap();
    let history = &away.history;
    assert_eq!(history.losses[0].companions, None);
    assert_eq!(history.suspicion, None);
}
