//! The life of a job: delivery, attempts, settlement.

use super::*;

#[test]
fn a_completed_job_is_recorded_then_acknowledged_then_confirmed() {
    let (mut machine, assignment) = running();
    let out = turn(
        &mut machine,
        1.0,
        [report("n1", &assignment, OutcomeStatus::Completed)],
    );
    let [Output::Record(record)] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(
        (record.status, record.epoch),
        (RecordStatus::Completed, Epoch::new(5))
    );
    let recorded = Input::Recorded {
        sequence: Sequence::new(1),
        result: Recorded::Stored,
    };
    let out = turn(&mut machine, 1.0, [recorded]);
    let expected = [
        Output::Ack {
            sequence: Sequence::new(1),
            ack: ack(1, 1),
        },
        Output::Confirm("confirm".to_owned()),
    ];
    assert_eq!(out, expected);
    assert!(machine.is_idle());
}

#[test]
fn an_unanswered_record_is_asked_for_again() {
    let (mut machine, assignment) = running();
    turn(
        &mut machine,
        1.0,
        [report("n1", &assignment, OutcomeStatus::Completed)],
    );
    assert!(turn(&mut machine, 2.5, [heartbeat("n1", "a", 2, vec![])]).is_empty());
    let out = turn(&mut machine, 3.1, []);
    assert!(matches!(out[..], [Output::Record(_)]), "{out:?}");
}

#[test]
fn a_category_without_records_is_acknowledged_at_once() {
    let (mut machine, assignment) = running();
    let ocr = Category::new("ocr").unwrap();
    let policy = machine.queue.categories_mut().policy_mut(&ocr);
    policy.records_completed = false;
    let out = turn(
        &mut machine,
        1.0,
        [report("n1", &assignment, OutcomeStatus::Completed)],
    );
    assert!(
        matches!(out[..], [Output::Ack { .. }, Output::Confirm(_)]),
        "{out:?}"
    );
}

#[test]
fn a_failed_job_goes_back_with_a_delay_until_its_attempts_are_used_up() {
    let (mut machine, first) = running();
    let out = turn(
        &mut machine,
        1.0,
        [report("n1", &first, OutcomeStatus::Retry)],
    );
    let [
        Output::SaveHistory { history, .. },
        Output::GiveBack { delay, .. },
        Output::Confirm(_),
    ] = &out[..]
    else {
        panic!("{out:?}");
    };
    assert_eq!(history.failures.len(), 1);
    assert!((1000..=1500).contains(&delay.as_millis()), "{delay:?}");
    assert_eq!(
        machine.job(now(0.0), first.job()).unwrap().state,
        JobState::Delayed
    );
    let out = turn(&mut machine, 2.6, [delivery(1, 2)]);
    let (_, second) = forwarded(&out).remove(0);
    assert_eq!(second.attempt().get(), 2);
    let out = turn(
        &mut machine,
        3.0,
        [report("n1", &second, OutcomeStatus::Retry)],
    );
    let [
        Output::DeadLetter {
            record,
            ack: Some(_),
        },
        Output::Confirm(_),
    ] = &out[..]
    else {
        panic!("{out:?}");
    };
    assert_eq!(
        (record.status, record.failures.len()),
        (RecordStatus::Dead, 2)
    );
    let dead_lettered = Input::DeadLettered {
        sequence: Sequence::new(1),
        is_done: true,
    };
    let out = turn(&mut machine, 3.0, [dead_lettered]);
    assert_eq!(out, [Output::ForgetHistory(Sequence::new(1))]);
}

#[test]
fn a_failed_dead_letter_is_tried_again() {
    let (mut machine, assignment) = running();
    turn(
        &mut machine,
        1.0,
        [report("n1", &assignment, OutcomeStatus::GiveUp)],
    );
    let failed = Input::DeadLettered {
        sequence: Sequence::new(1),
        is_done: false,
    };
    assert!(turn(&mut machine, 1.1, [failed, heartbeat("n1", "a", 2, vec![])]).is_empty());
    let out = turn(&mut machine, 3.5, []);
    assert!(matches!(out[..], [Output::DeadLetter { .. }]), "{out:?}");
}

#[test]
fn a_settled_job_that_is_delivered_again_is_acknowledged_and_not_run() {
    let (mut machine, assignment) = running();
    let recorded = Input::Recorded {
        sequence: Sequence::new(1),
        result: Recorded::Already,
    };
    let done = report("n1", &assignment, OutcomeStatus::Completed);
    turn(&mut machine, 1.0, [done, recorded]);
    assert_eq!(machine.reporting.counters().duplicates, 1);
    let out = turn(&mut machine, 1.1, [delivery(1, 2)]);
    assert!(matches!(out[..], [Output::Ack { .. }]), "{out:?}");
}

#[test]
fn a_flood_in_one_category_leaves_room_for_the_others() {
    let mut machine = machine();
    turn(&mut machine, 0.0, (1..9).map(|job| delivery(job, 1)));
    let scan = Input::Delivered(delivery_of("rolecast.jobs.scan", 100, 1));
    let urgent = Input::Delivered(delivery_of("rolecast.jobs.scan.high", 101, 1));
    turn(&mut machine, 0.1, [scan, urgent]);
    let out = turn(&mut machine, 0.2, [heartbeat("n1", "a", 1, vec![])]);
    let jobs: Vec<u64> = forwarded(&out)
        .iter()
        .map(|(_, assignment)| assignment.ack().sequence().get())
        .collect();
    assert_eq!(jobs.len(), 4);
    assert_eq!(jobs[0], 101);
    assert!(jobs.contains(&100), "{jobs:?}");
}

#[test]
fn delays_deadlines_and_bad_options_are_judged_on_arrival_and_while_waiting() {
    let mut machine = machine();
    let with = |sequence, options: Result<Options, InvalidOption>| {
        Input::Delivered(Delivery {
            options,
            ..delivery_of("rolecast.jobs.ocr", sequence, 1)
        })
    };
    let options = |deadline: Option<u64>, not_before: Option<u64>| {
        Ok(Options {
            deadline: deadline.map(|s| now(0.0).wall + Duration::from_secs(s)),
            not_before: not_before.map(|s| now(0.0).wall + Duration::from_secs(s)),
            ..Options::new(JobId::new("j").unwrap())
        })
    };
    let bad = options::parse(
        options::Origin {
            sequence: Sequence::new(3),
            stored: WallTime::default(),
            stream_created: WallTime::default(),
        },
        &Headers::read([("rolecast-delay", "soon")]),
    );
    let inputs = [
        with(1, options(None, Some(10))),
        with(2, options(Some(1), None)),
        with(3, bad),
        with(4, options(Some(5), None)),
    ];
    let out = turn(&mut machine, 2.0, inputs);
    let [
        Output::GiveBack { delay, .. },
        Output::DeadLetter { record: late, .. },
        Output::DeadLetter { record: bad, .. },
    ] = &out[..]
    else {
        panic!("{out:?}");
    };
    assert_eq!(*delay, Duration::from_secs(8));
    assert_eq!(late.status, RecordStatus::Expired);
    assert!(bad.reason.contains("soon"), "{}", bad.reason);
    let out = turn(&mut machine, 5.1, []);
    assert!(
        matches!(&out[..], [Output::DeadLetter { record, .. }] if record.status == RecordStatus::Expired),
        "{out:?}"
    );
}

#[test]
fn without_a_node_jobs_wait_and_only_a_few_are_fetched() {
    let mut machine = machine();
    let mut out = Vec::new();
    machine.handle(now(0.0), Input::Turn, &mut out);
    let batches: BTreeSet<u32> = out
        .iter()
        .filter_map(|output| {
            let Output::Fetch { batch, .. } = output else {
                return None;
            };
            Some(*batch)
        })
        .collect();
    assert_eq!(batches, BTreeSet::from([16]));
    out.clear();
    machine.handle(now(0.1), delivery(1, 1), &mut out);
    machine.handle(now(0.1), Input::Turn, &mut out);
    assert!(
        out.iter()
            .any(|o| matches!(o, Output::Event(Event::NoEligibleNode { .. }))),
        "{out:?}"
    );
    let status = machine.status(now(0.2));
    assert_eq!(status.categories[0].waiting, 1);
    assert_eq!(status.categories[0].nodes_eligible, 0);
}

#[test]
fn an_undeclared_category_is_served_with_the_default_policy() {
    let mut machine = machine();
    let new = Category::new("new").unwrap();
    turn(&mut machine, 0.0, [Input::Found(new)]);
    let job = Input::Delivered(delivery_of("rolecast.jobs.new", 1, 1));
    let out = turn(&mut machine, 0.1, [heartbeat("n1", "a", 1, vec![]), job]);
    assert_eq!(forwarded(&out).len(), 1);
}

#[test]
fn a_stopping_machine_gives_back_what_it_has_not_sent() {
    let mut machine = machine();
    turn(&mut machine, 0.0, [delivery(1, 1), delivery(2, 1)]);
    let out = turn(&mut machine, 0.1, [Input::Stop, delivery(3, 1)]);
    let given_back = out.iter().filter(|o| matches!(o, Output::GiveBack { .. }));
    assert_eq!(given_back.count(), 3);
    assert!(machine.is_idle());
}
