//! Tests of the answers about nodes, categories and jobs.

use super::*;

fn requiring(sequence: u64, require: &str) -> Input {
    let mut delivery = delivery_of("rolecast.jobs.ocr", sequence, 1);
    delivery.options.as_mut().unwrap().require = Requirement::parse(require).unwrap();
    Input::Delivered(delivery)
}

#[test]
fn what_keeps_a_category_from_each_node_and_what_its_jobs_require_is_reported() {
    let mut machine = machine();
    let Input::Heartbeat {
        from,
        mut heartbeat,
    } = heartbeat("n1", "a", 1, vec![])
    else {
        unreachable!("it is a heartbeat");
    };
    heartbeat.categories.remove(&Category::new("scan").unwrap());
    let inputs = [
        Input::Heartbeat { from, heartbeat },
        requiring(1, "gpu=a100"),
        requiring(2, "gpu=a100"),
        requiring(3, "zone"),
    ];
    all(&mut machine, 0.0, inputs);
    let status = machine.status(now(0.1));
    let [ocr, scan] = &status.categories[..] else {
        panic!("{status:?}");
    };
    assert_eq!((ocr.nodes_eligible, scan.nodes_eligible), (1, 0));
    assert!(ocr.obstacles.is_empty(), "{:?}", ocr.obstacles);
    let expected = [("not running it".to_owned(), 1)];
    assert_eq!(scan.obstacles, expected.into_iter().collect());
    let expected = [("gpu=a100".to_owned(), 2), ("zone".to_owned(), 1)];
    assert_eq!(ocr.required, expected.into_iter().collect());
    assert!(scan.required.is_empty(), "{:?}", scan.required);
}

#[test]
fn a_job_that_is_delayed_shows_until_when_and_is_found_by_its_place() {
    let mut machine = machine();
    let mut delivery = delivery_of("rolecast.jobs.ocr", 7, 1);
    let until = now(0.0).wall + Duration::from_secs(30);
    delivery.options.as_mut().unwrap().not_before = Some(until);
    all(&mut machine, 1.0, [Input::Delivered(delivery)]);
    let job = machine.job_at(Sequence::new(7)).cloned().unwrap();
    let view = machine.job(now(5.0), &job).unwrap();
    assert_eq!(
        (view.state, view.until_ms),
        (JobState::Delayed, Some(until))
    );
    assert_eq!(machine.job_at(Sequence::new(8)), None);
    let (machine, assignment) = running();
    assert_eq!(machine.job_at(Sequence::new(1)), Some(assignment.job()));
    let view = machine.job(now(5.0), assignment.job()).unwrap();
    assert_eq!((view.state, view.until_ms), (JobState::Running, None));
}

#[test]
fn jobs_of_the_leader_are_no_refused_outcomes_of_a_standby() {
    let (machine, assignment) = running();
    let mut standby = Scheduler::new(machine.params, now(0.0));
    let listed = heartbeat("n1", "a", 1, vec![assignment]);
    all(&mut standby, 1.0, [listed]);
    let status = standby.status(now(2.0));
    assert_eq!(
        (status.refused.len(), status.counters.outcomes_malformed),
        (0, 0)
    );
    assert_eq!(status.nodes.len(), 1);
}

#[test]
fn whose_messages_are_refused_is_reported_with_the_reason() {
    let mut machine = machine();
    let replayed = || heartbeat("n1", "a", 5, vec![]);
    let malformed = Input::Malformed {
        what: Malformed::Outcome,
        from: "rolecast.done.n2.batch".to_owned(),
        why: "message is not a map".to_owned(),
    };
    all(&mut machine, 0.0, [replayed()]);
    all(&mut machine, 1.0, [replayed(), replayed()]);
    all(&mut machine, 2.0, [malformed]);
    let refused = machine.status(now(3.0)).refused;
    let found: Vec<(&str, u64, &str)> = refused
        .iter()
        .map(|sender| (sender.from.as_str(), sender.count, sender.why.as_str()))
        .collect();
    let expected = [
        ("rolecast.done.n2.batch", 1, "message is not a map"),
        ("n1", 2, "its sequence is not above the last accepted one"),
    ];
    assert_eq!(found, expected);
    assert_eq!(refused[1].at_ms, now(1.0).wall);
}

#[test]
fn one_failed_attempt_is_not_several() {
    for (attempts_max, expected) in [
        (1, "1 attempt failed: because"),
        (2, "2 attempts failed, the last: because"),
    ] {
        let mut strict = policy("ocr");
        strict.attempts_max = attempts_max;
        let mut machine = machine_of(vec![strict]);
        let mut reason = None;
        for attempt in 1..=attempts_max {
            let seconds = f64::from(attempt) * 100.0;
            let beat = heartbeat("n1", "a", u64::from(attempt), vec![]);
            let inputs = [beat, delivery(1, u64::from(attempt))];
            let sent = forwarded(&turn(&mut machine, seconds, inputs)).remove(0).1;
            let out = turn(
                &mut machine,
                seconds + 0.1,
                [report("n1", &sent, OutcomeStatus::Retry)],
            );
            reason = out.into_iter().find_map(|output| {
                let Output::DeadLetter { record, .. } = output else {
                    return None;
                };
                Some(record.reason)
            });
        }
        assert_eq!(reason.as_deref(), Some(expected));
    }
}
