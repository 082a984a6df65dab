//! Tests of pulls that are lost, take-overs, and streams that are recreated.

use super::*;

fn fetched(out: &[Output], source: &str) -> bool {
    let wanted = Source::parse(source).unwrap();
    let mut fetches = out.iter();
    fetches.any(|output| matches!(output, Output::Fetch { source, .. } if *source == wanted))
}

fn source() -> Source {
    Source::parse("rolecast.jobs.ocr").unwrap()
}

#[test]
fn a_pull_that_nobody_works_on_is_asked_for_again_within_two_seconds() {
    let mut machine = machine();
    let out = all(&mut machine, 0.0, [heartbeat("n1", "a", 1, vec![])]);
    assert!(fetched(&out, "rolecast.jobs.ocr"));
    let alive = Input::PullAlive { source: source() };
    assert!(!fetched(
        &all(&mut machine, 0.5, [alive]),
        "rolecast.jobs.ocr"
    ));
    assert!(!fetched(&all(&mut machine, 1.9, []), "rolecast.jobs.ocr"));
    let out = all(&mut machine, 2.2, []);
    assert!(fetched(&out, "rolecast.jobs.ocr"), "{out:?}");
}

#[test]
fn a_pull_that_failed_is_asked_for_again_after_a_pause_and_others_are_not_touched() {
    let mut machine = machine();
    all(&mut machine, 0.0, [heartbeat("n1", "a", 1, vec![])]);
    let failed = Input::PullFailed { source: source() };
    let out = all(&mut machine, 0.01, [failed]);
    assert!(!fetched(&out, "rolecast.jobs.ocr"), "{out:?}");
    let out = all(&mut machine, 0.3, []);
    assert!(fetched(&out, "rolecast.jobs.ocr"), "{out:?}");
    assert!(!fetched(&out, "rolecast.jobs.scan"), "{out:?}");
}

#[test]
fn a_found_category_is_served_until_it_is_deserted_and_again_when_it_is_found() {
    let mut machine = machine();
    let new = Category::new("new").unwrap();
    let beat = heartbeat("n1", "a", 1, vec![]);
    let out = all(&mut machine, 0.0, [beat, Input::Found(new.clone())]);
    assert!(fetched(&out, "rolecast.jobs.new"), "{out:?}");
    let out = all(&mut machine, 0.1, [Input::Deserted(new.clone())]);
    assert!(!fetched(&out, "rolecast.jobs.new"), "{out:?}");
    assert!(!machine.served().contains(&new));
    let out = all(&mut machine, 0.2, [Input::Found(new)]);
    assert!(fetched(&out, "rolecast.jobs.new"), "{out:?}");
    let declared = Category::new("ocr").unwrap();
    all(&mut machine, 0.3, [Input::Deserted(declared.clone())]);
    assert!(machine.served().contains(&declared));
}

/// A scheduler that has observed two nodes for two seconds, and then leads.
fn successor() -> (Scheduler, Vec<Output>) {
    let params = Params {
        warm_up: Duration::from_millis(1300),
        ..machine().params
    };
    let mut machine = Scheduler::new(params, now(0.0));
    for name in ["n1", "n2"] {
        all(&mut machine, 1.5, [heartbeat(name, "a", 1, vec![])]);
    }
    let lead = Input::Lead {
        epoch: Epoch::new(6),
        until: Time::from_start(Duration::MAX),
        seals: seals(6),
        histories: Vec::new(),
    };
    let out = all(&mut machine, 2.0, [lead]);
    (machine, out)
}

#[test]
fn a_successor_asks_all_nodes_and_goes_on_when_they_have_answered() {
    let (mut machine, out) = successor();
    let asked = |output: &Output| {
        let Output::AskReport { node, .. } = output else {
            return None;
        };
        Some(node.clone())
    };
    let asked: Vec<NodeId> = out.iter().filter_map(asked).collect();
    assert_eq!(asked, [node("n1"), node("n2")]);
    let recovers = |out: &[Output]| out.contains(&Output::Recover);
    assert!(!fetched(&out, "rolecast.jobs.ocr"));
    let out = all(&mut machine, 2.01, [heartbeat("n1", "a", 2, vec![])]);
    assert!(!fetched(&out, "rolecast.jobs.ocr") && !recovers(&out));
    let out = all(&mut machine, 2.02, [heartbeat("n2", "a", 2, vec![])]);
    assert!(
        fetched(&out, "rolecast.jobs.ocr") && recovers(&out),
        "{out:?}"
    );
    let out = all(&mut machine, 2.03, [heartbeat("n2", "a", 3, vec![])]);
    assert!(!recovers(&out), "once is enough");
}

#[test]
fn what_an_unheard_node_may_have_in_hand_is_not_delivered_again() {
    let (mut machine, _) = successor();
    all(&mut machine, 2.01, [heartbeat("n1", "a", 2, vec![])]);
    let out = all(&mut machine, 3.31, []);
    assert!(fetched(&out, "rolecast.jobs.ocr"), "{out:?}");
    assert!(!out.contains(&Output::Recover));
    let out = all(&mut machine, 3.4, [heartbeat("n2", "a", 2, vec![])]);
    assert!(out.contains(&Output::Recover), "{out:?}");
}

#[test]
fn a_job_that_comes_before_its_delay_is_over_is_given_back_for_the_rest_of_it() {
    let mut machine = Scheduler::new(machine().params, now(0.0));
    let history = |seconds: f64| History {
        job: JobId::new("job-1").unwrap(),
        attempt: 1,
        failures: Vec::new(),
        losses: Vec::new(),
        suspicion: None,
        not_before: Some(now(seconds).wall),
    };
    let lead = Input::Lead {
        epoch: Epoch::new(6),
        until: Time::from_start(Duration::MAX),
        seals: seals(6),
        histories: vec![(Sequence::new(1), history(8.0))],
    };
    all(&mut machine, 0.0, [lead, heartbeat("n1", "a", 1, vec![])]);
    let out = turn(&mut machine, 3.0, [delivery(1, 2)]);
    let given_back = Output::GiveBack {
        sequence: Sequence::new(1),
        ack: ack(1, 2),
        delay: Duration::from_secs(5),
    };
    assert_eq!(out, [given_back]);
    let beat = heartbeat("n1", "a", 2, vec![]);
    let out = turn(&mut machine, 8.0, [beat, delivery(1, 3)]);
    assert_eq!(forwarded(&out).len(), 1, "{out:?}");
}

/// A delivery from a stream that was created ten seconds later than the usual one.
fn new_delivery(sequence: u64) -> Input {
    let stored = (START + 10_000) * 1_000_000;
    let subject = format!("$JS.ACK.ROLECAST_JOBS.normal-ocr.1.{sequence}.1.{stored}.0");
    let mut delivery = delivery_of("rolecast.jobs.ocr", sequence, 1);
    delivery.ack = Ack::parse(&subject).unwrap();
    delivery.job = JobId::new("new").unwrap();
    if let Ok(options) = &mut delivery.options {
        options.job = delivery.job.clone();
    }
    Input::Delivered(delivery)
}

#[test]
fn nothing_of_a_stream_that_is_gone_is_taken_for_something_of_the_new_one() {
    let (mut machine, old) = running();
    for second in 1..10u32 {
        let beat = heartbeat("n1", "a", u64::from(second) + 1, vec![old.clone()]);
        all(&mut machine, f64::from(second), [beat]);
    }
    let renewed = Input::StreamRenewed {
        created: now(9.0).wall,
    };
    let out = all(&mut machine, 10.0, [renewed]);
    let gone = Event::JobsGone(JobsGone {
        waiting: 0,
        running: 1,
        given_back: 0,
    });
    assert!(out.contains(&Output::Event(gone)), "{out:?}");
    // The new stream counts from 1 again.
    let beat = heartbeat("n1", "a", 20, vec![old.clone()]);
    let out = turn(&mut machine, 10.1, [beat, new_delivery(1)]);
    let (_, new) = forwarded(&out).remove(0);
    assert_eq!(new.job().as_str(), "new");
    let out = turn(
        &mut machine,
        10.2,
        [report("n1", &old, OutcomeStatus::Completed)],
    );
    let [Output::Record(record), Output::Confirm(_)] = &out[..] else {
        panic!("the old one is recorded, and not acknowledged: {out:?}");
    };
    assert_eq!(record.job, *old.job());
    let out = turn(
        &mut machine,
        10.3,
        [report("n1", &new, OutcomeStatus::Completed)],
    );
    assert!(matches!(&out[..], [Output::Record(record)] if record.job.as_str() == "new"));
}

#[test]
fn a_settled_sequence_of_the_old_stream_is_a_new_job_in_the_new_one() {
    let (mut machine, old) = running();
    let done = report("n1", &old, OutcomeStatus::Completed);
    let recorded = Input::Recorded {
        sequence: Sequence::new(1),
        result: Recorded::Stored,
    };
    turn(&mut machine, 1.0, [done, recorded]);
    let renewed = Input::StreamRenewed {
        created: now(9.0).wall,
    };
    turn(&mut machine, 10.0, [renewed]);
    let beat = heartbeat("n1", "a", 2, vec![]);
    let out = turn(&mut machine, 10.1, [beat, new_delivery(1)]);
    assert_eq!(forwarded(&out).len(), 1, "{out:?}");
}
