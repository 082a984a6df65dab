//! Tests of jobs that wait: reports to operators, the order of jobs, and the memory that
//! is kept free.

use rolecast_common::unit::Bytes;
use rolecast_common::wire::Verdict;

use super::*;

fn job(source: &str, sequence: u64, require: &str) -> Input {
    let mut delivery = delivery_of(source, sequence, 1);
    if !require.is_empty() {
        delivery.options.as_mut().unwrap().require = Requirement::parse(require).unwrap();
    }
    Input::Delivered(delivery)
}

/// A heartbeat of a node that uses this many MiB of its 1024 and has this label.
fn beat_of(name: &str, sequence: u64, used_mib: u64, label: Option<(&str, &str)>) -> Input {
    let Input::Heartbeat {
        from,
        mut heartbeat,
    } = heartbeat(name, "a", sequence, vec![])
    else {
        unreachable!("it is a heartbeat");
    };
    heartbeat.usage.total.memory = Bytes::from_mib(used_mib);
    if let Some((name, value)) = label {
        heartbeat.labels.insert(name, value).unwrap();
    }
    Input::Heartbeat { from, heartbeat }
}

fn count(out: &[Output], is_meant: fn(&Event) -> bool) -> usize {
    let is_counted = |output: &&Output| matches!(output, Output::Event(event) if is_meant(event));
    out.iter().filter(is_counted).count()
}

fn is_none_eligible(event: &Event) -> bool {
    matches!(event, Event::NoEligibleNode { .. })
}

fn is_eligible_again(event: &Event) -> bool {
    matches!(event, Event::EligibleAgain { .. })
}

fn is_wait(event: &Event) -> bool {
    matches!(event, Event::JobsWait(_))
}

fn is_late(machine: &Scheduler, seconds: f64) -> bool {
    machine.status(now(seconds)).categories[0].late
}

#[test]
fn a_job_without_a_node_is_reported_once_while_others_pass_it() {
    for source in ["rolecast.jobs.ocr", "rolecast.jobs.ocr.high"] {
        let mut machine = machine();
        let mut told = [0; 3];
        let mut out = all(&mut machine, 0.0, [job("rolecast.jobs.ocr", 1, "gpu=a100")]);
        for half in 1..60u32 {
            let seconds = f64::from(half) / 2.0;
            let beat = beat_of("n1", u64::from(half), 0, None);
            let passing = job(source, u64::from(half) + 100, "");
            out.extend(all(&mut machine, seconds, [beat, passing]));
            let sent = forwarded(&out);
            assert_eq!(sent.len(), 1, "one passes");
            for (seen, is_meant) in
                told.iter_mut()
                    .zip([is_none_eligible, is_eligible_again, is_wait])
            {
                *seen += count(&out, is_meant);
            }
            let done = report("n1", &sent[0].1, OutcomeStatus::Retry);
            out = all(&mut machine, seconds, [done]);
        }
        assert_eq!(told, [1, 0, 1], "{source}");
        assert!(is_late(&machine, 30.0));
        let labelled = beat_of("n1", 100, 0, Some(("gpu", "a100")));
        let out = all(&mut machine, 30.5, [labelled]);
        assert_eq!(forwarded(&out).len(), 1);
        assert_eq!(count(&out, is_eligible_again), 1);
        all(&mut machine, 31.0, []);
        assert!(!is_late(&machine, 31.0));
    }
}

#[test]
fn jobs_that_all_wait_long_are_reported_once() {
    let mut machine = machine();
    let jobs = (1..40).map(|sequence| job("rolecast.jobs.ocr", sequence, ""));
    all(&mut machine, 0.0, jobs);
    let mut told = 0;
    let mut running = Vec::new();
    for half in 20..60u32 {
        let seconds = f64::from(half) / 2.0;
        let mut inputs = vec![beat_of("n1", u64::from(half), 0, None)];
        for (node, assignment) in running.drain(..).take(1) {
            let node: NodeId = node;
            inputs.push(report(node.as_str(), &assignment, OutcomeStatus::Retry));
        }
        let out = all(&mut machine, seconds, inputs);
        told += count(&out, is_wait);
        running = forwarded(&out);
    }
    assert_eq!(told, 1);
}

#[test]
fn a_job_passes_others_by_its_own_wait_and_not_by_that_of_a_stuck_one() {
    let mut machine = machine();
    all(&mut machine, 0.0, [job("rolecast.jobs.ocr", 1, "gpu=a100")]);
    let fresh = [
        job("rolecast.jobs.ocr", 2, ""),
        job("rolecast.jobs.scan.high", 3, ""),
    ];
    all(&mut machine, 45.0, fresh);
    let out = all(&mut machine, 45.1, [beat_of("n1", 1, 0, None)]);
    let order: Vec<u64> = forwarded(&out)
        .iter()
        .map(|(_, assignment)| assignment.ack().sequence().get())
        .collect();
    assert_eq!(order, [3, 2]);
}

/// A scheduler whose category `scan` needs half of a node's memory.
fn machine_of_large() -> Scheduler {
    let large = Resources {
        memory: Bytes::from_mib(512),
        ..Resources::default()
    };
    let scan = fleet::tests::policy("scan", large);
    machine_of(vec![policy("ocr"), scan])
}

/// Returns the node where memory is kept free for a job of the category.
fn claimed(machine: &Scheduler) -> Option<String> {
    let source = Source::parse("rolecast.jobs.scan").unwrap();
    let (_, slot) = machine.queue.room(&source)?.claim()?;
    Some(machine.fleet.id_of(slot).to_string())
}

#[test]
fn memory_is_kept_free_only_where_the_job_may_still_go() {
    let mut machine = machine_of_large();
    let jobs = [
        job("rolecast.jobs.scan", 1, ""),
        beat_of("n1", 1, 900, None),
    ];
    all(&mut machine, 0.0, jobs);
    let beats = |sequence| {
        let full = |name| beat_of(name, sequence, 900, None);
        [full("n1"), full("n2")]
    };
    for second in 1..5u32 {
        let [n1, _] = beats(u64::from(second) + 1);
        all(&mut machine, f64::from(second), [n1]);
    }
    assert_eq!(claimed(&machine).as_deref(), Some("n1"));
    // Another joins, and the first drains.
    for second in 5..9u32 {
        let [mut n1, n2] = beats(u64::from(second) + 1);
        if let Input::Heartbeat { heartbeat, .. } = &mut n1 {
            heartbeat.draining = true;
        }
        all(&mut machine, f64::from(second), [n1, n2]);
    }
    assert_eq!(claimed(&machine).as_deref(), Some("n2"));
    // It loses the category, and the first is back.
    for second in 9..13u32 {
        let [n1, mut n2] = beats(u64::from(second) + 1);
        if let Input::Heartbeat { heartbeat, .. } = &mut n2 {
            heartbeat.categories.clear();
        }
        all(&mut machine, f64::from(second), [n1, n2]);
    }
    assert_eq!(claimed(&machine).as_deref(), Some("n1"));
    // Its heartbeats stop.
    for second in 13..20u32 {
        all(&mut machine, f64::from(second), []);
    }
    assert_eq!(claimed(&machine), None);
}

#[test]
fn memory_is_kept_free_for_a_job_behind_one_that_no_node_can_take() {
    let mut machine = machine_of_large();
    let jobs = [
        job("rolecast.jobs.scan", 1, "gpu=a100"),
        job("rolecast.jobs.scan", 2, ""),
    ];
    all(&mut machine, 0.0, jobs);
    for second in 1..8u32 {
        let beat = beat_of("n1", u64::from(second), 900, None);
        all(&mut machine, f64::from(second), [beat]);
    }
    assert_eq!(claimed(&machine).as_deref(), Some("n1"));
}

#[test]
fn jobs_held_back_by_their_number_are_reported_as_such_and_keep_no_memory() {
    let mut scan = fleet::tests::policy(
        "scan",
        Resources {
            memory: Bytes::from_mib(512),
            ..Resources::default()
        },
    );
    scan.running_max = Some(1);
    let mut machine = machine_of(vec![scan]);
    all(&mut machine, 0.0, [job("rolecast.jobs.scan", 1, "")]);
    for second in 1..5u32 {
        let beat = beat_of("n1", u64::from(second), 900, None);
        all(&mut machine, f64::from(second), [beat]);
    }
    assert_eq!(claimed(&machine).as_deref(), Some("n1"));
    let urgent = job("rolecast.jobs.scan.high", 2, "");
    let out = all(&mut machine, 5.0, [beat_of("n2", 1, 0, None), urgent]);
    let (_, sent) = forwarded(&out).remove(0);
    assert_eq!(sent.ack().sequence(), Sequence::new(2));
    let mut why = String::new();
    for second in 6..20u32 {
        let beat = |name| {
            let full = beat_of(name, u64::from(second) + 1, 0, None);
            let Input::Heartbeat {
                from,
                mut heartbeat,
            } = full
            else {
                unreachable!("it is a heartbeat");
            };
            if name == "n2" {
                heartbeat.jobs = vec![sent.clone()];
            }
            Input::Heartbeat { from, heartbeat }
        };
        let out = all(&mut machine, f64::from(second), [beat("n1"), beat("n2")]);
        assert_eq!(claimed(&machine), None);
        for output in out {
            if let Output::Event(Event::JobsWait(LongWait { why: told, .. })) = output {
                why = told;
            }
        }
    }
    assert!(why.contains("max_running"), "{why}");
    let view = machine
        .job(now(4.0), &JobId::new("job-1").unwrap())
        .unwrap();
    assert!(view.reason.contains("max_running"), "{}", view.reason);
}

#[test]
fn a_job_whose_wait_was_written_down_is_written_down_when_it_is_sent() {
    let mut machine = machine();
    let waiting =
        (1..6).map(|sequence| job("rolecast.jobs.ocr", sequence, &format!("n{sequence}=1")));
    let written = |out: &[Output], meant: Verdict| {
        let records = out.iter().filter(|output| {
            matches!(output, Output::RecordDecision(decision) if decision.verdict == meant)
        });
        records.count()
    };
    let out = all(&mut machine, 0.0, waiting);
    assert_eq!(written(&out, Verdict::Nowhere), 5);
    let mut inputs: Vec<Input> = (0..20)
        .map(|node| {
            let mut beat = beat_of(&format!("n{node}"), 1, 0, None);
            if let Input::Heartbeat { heartbeat, .. } = &mut beat {
                for label in ["n1", "n2", "n3", "n4", "n5"] {
                    heartbeat.labels.insert(label, "1").unwrap();
                }
            }
            beat
        })
        .collect();
    inputs.extend((100..130).map(|sequence| job("rolecast.jobs.ocr.high", sequence, "")));
    let out = all(&mut machine, 0.1, inputs);
    assert_eq!(forwarded(&out).len(), 35);
    assert_eq!(written(&out, Verdict::Sent), 25);
}
