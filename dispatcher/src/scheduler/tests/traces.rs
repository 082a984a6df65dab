//! Tests of the spans of jobs that are traced.

use rolecast_common::trace::TraceContext;

use super::*;
use crate::span::{self, Passed, Span, Stage};

const PRODUCER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn context() -> TraceContext {
    TraceContext::parse(PRODUCER).unwrap()
}

/// A delivery of job 1 in this trace, stored at the start.
fn traced(context: TraceContext, delivered: u64) -> Input {
    let plain = delivery_of("rolecast.jobs.ocr", 1, delivered);
    Input::Delivered(Delivery {
        options: Ok(Options {
            trace: Some(context),
            ..Options::new(plain.job.clone())
        }),
        ..plain
    })
}

fn spans(out: &[Output]) -> Vec<Span> {
    let spans = out.iter().filter_map(|output| {
        let Output::Trace(spans) = output else {
            return None;
        };
        Some(spans.clone())
    });
    spans.flatten().collect()
}

/// Returns the stages with their begin and end in milliseconds since the start.
fn stages(out: &[Output]) -> Vec<(Stage, u64, u64)> {
    let since = |micros: u64| (micros - START * 1000) / 1000;
    let spans = spans(out).into_iter();
    spans
        .map(|span| (span.stage, since(span.begin_us), since(span.end_us)))
        .collect()
}

fn sent(out: &[Output]) -> (Assignment, Option<Passed>) {
    let sent = out.iter().find_map(|output| {
        let Output::Forward {
            assignment, trace, ..
        } = output
        else {
            return None;
        };
        Some((assignment.clone(), *trace))
    });
    sent.expect("a job was sent")
}

fn ended(assignment: &Assignment, status: OutcomeStatus, run_ms: u64) -> Input {
    let outcome = Outcome {
        run_us: run_ms * 1000,
        reason: if status == OutcomeStatus::Completed {
            String::new()
        } else {
            "because".to_owned()
        },
        ..outcome(status)
    };
    Input::Outcomes {
        from: node("n1"),
        reply: None,
        outcomes: vec![(Claimed::new(assignment.clone()), outcome)],
    }
}

#[test]
fn each_stage_of_a_traced_job_is_a_span() {
    let mut machine = machine();
    let out = all(&mut machine, 0.5, [traced(context(), 1)]);
    assert_eq!(stages(&out), []);
    let out = all(&mut machine, 0.7, [heartbeat("n1", "a", 1, vec![])]);
    let (first, at_node) = sent(&out);
    let run = span::id(context(), first.job(), 1, Stage::Run);
    let passed = Passed {
        at_node: context().below(run),
        producer: context(),
    };
    assert_eq!(at_node, Some(passed));

    let retry = ended(&first, OutcomeStatus::Retry, 100);
    let out = all(&mut machine, 1.0, [retry]);
    let expected = [
        (Stage::Wait, 0, 500),
        (Stage::Place, 500, 700),
        (Stage::Send, 700, 900),
        (Stage::Run, 900, 1000),
    ];
    assert_eq!(stages(&out), expected);
    let failed = spans(&out);
    assert_eq!(failed[3].id, run);
    assert_eq!(failed[3].error.as_deref(), Some("because"));
    assert!(failed[..3].iter().all(|span| span.error.is_none()));
    assert!(failed.iter().all(|span| span.parent == context().span));

    // The second attempt, after its delay.
    let out = all(
        &mut machine,
        9.0,
        [traced(context(), 2), heartbeat("n1", "a", 2, vec![])],
    );
    let (second, _) = sent(&out);
    let done = ended(&second, OutcomeStatus::Completed, 300);
    let out = all(&mut machine, 9.5, [done]);
    let expected = [
        (Stage::Place, 9000, 9000),
        (Stage::Send, 9000, 9200),
        (Stage::Run, 9200, 9500),
    ];
    assert_eq!(stages(&out), expected);
    let recorded = Input::Recorded {
        sequence: Sequence::new(1),
        result: Recorded::Stored,
    };
    let out = all(&mut machine, 9.6, [recorded]);
    assert_eq!(stages(&out), [(Stage::Record, 9500, 9600)]);
}

#[test]
fn the_record_names_the_trace_even_if_it_is_not_sampled() {
    let unsampled = TraceContext::parse(&PRODUCER.replace("-01", "-00")).unwrap();
    let mut machine = machine();
    let beat = heartbeat("n1", "a", 1, vec![]);
    let out = all(&mut machine, 0.0, [beat, traced(unsampled, 1)]);
    let (assignment, at_node) = sent(&out);
    assert_eq!(at_node, None);
    let done = ended(&assignment, OutcomeStatus::Completed, 1);
    let out = all(&mut machine, 0.1, [done]);
    assert_eq!(spans(&out), []);
    let record = out.iter().find_map(|output| {
        let Output::Record(record) = output else {
            return None;
        };
        Some(record.trace)
    });
    assert_eq!(record, Some(Some(unsampled.trace)));
}

#[test]
fn a_worker_that_claims_an_endless_run_gets_no_more_than_the_time_since_it_was_sent() {
    let mut machine = machine();
    let beat = heartbeat("n1", "a", 1, vec![]);
    let out = all(&mut machine, 0.0, [beat, traced(context(), 1)]);
    let (assignment, _) = sent(&out);
    let done = ended(&assignment, OutcomeStatus::Completed, u64::MAX / 1000);
    let out = all(&mut machine, 0.1, [done]);
    let runs = stages(&out);
    assert_eq!(runs.last(), Some(&(Stage::Run, 0, 100)));
}

/// Returns the assignment of job 1 by a former dispatcher.
fn former() -> Assignment {
    let (_, theirs) = running();
    sent_as(4, &theirs, ack(1, 1))
}

fn ended_in(trace: Option<TraceContext>, assignment: &Assignment, run_ms: u64) -> Input {
    let mut input = ended(assignment, OutcomeStatus::Completed, run_ms);
    if let Input::Outcomes { outcomes, .. } = &mut input {
        outcomes[0].1.traceparent = trace;
    }
    input
}

#[test]
fn a_job_that_ran_during_a_take_over_gets_its_trace_back_with_its_outcome() {
    let mut machine = machine();
    let assignment = former();
    let beat = heartbeat("n1", "a", 9, vec![assignment.clone()]);
    all(&mut machine, 1.0, [beat]);
    let done = ended_in(Some(context()), &assignment, 400);
    let out = all(&mut machine, 1.5, [done]);
    // The stages before are known to the former dispatcher only.
    assert_eq!(stages(&out), [(Stage::Run, 1100, 1500)]);
    let run = &spans(&out)[0];
    let id = span::id(context(), assignment.job(), 1, Stage::Run);
    assert_eq!((run.id, run.parent), (id, context().span));
    let recorded = Input::Recorded {
        sequence: Sequence::new(1),
        result: Recorded::Stored,
    };
    let out = all(&mut machine, 1.6, [recorded]);
    assert_eq!(stages(&out), [(Stage::Record, 1500, 1600)]);
}

#[test]
fn a_job_that_was_redelivered_before_its_outcome_keeps_its_trace() {
    let mut machine = machine();
    let former = former();
    all(&mut machine, 1.0, [traced(context(), 2)]);
    let claimed = TraceContext::parse(&PRODUCER.replace("4bf9", "4bf8"));
    let out = all(&mut machine, 1.5, [ended_in(claimed, &former, 400)]);
    assert_eq!(stages(&out), [(Stage::Run, 1100, 1500)]);
    assert_eq!(spans(&out)[0].trace, context().trace);
}

#[test]
fn a_worker_cannot_put_a_job_that_was_sent_here_into_a_trace() {
    let mut machine = machine();
    let beat = heartbeat("n1", "a", 1, vec![]);
    let out = all(&mut machine, 0.0, [beat, delivery(1, 1)]);
    let (assignment, _) = sent(&out);
    let out = all(
        &mut machine,
        0.1,
        [ended_in(Some(context()), &assignment, 1)],
    );
    assert_eq!(spans(&out), []);
}

#[test]
fn a_histogram_names_the_trace_of_a_job_if_it_is_sampled() {
    let unsampled = TraceContext::parse(&PRODUCER.replace("-01", "-00")).unwrap();
    for (context, exemplars) in [(context(), 1), (unsampled, 0)] {
        let mut machine = machine();
        let beat = heartbeat("n1", "a", 1, vec![]);
        let out = all(&mut machine, 0.7, [beat, traced(context, 1)]);
        let (assignment, _) = sent(&out);
        let done = ended(&assignment, OutcomeStatus::Completed, 30);
        all(&mut machine, 0.8, [done]);
        let figures = machine.figures(now(0.8));
        let ocr = &figures.categories[0];
        for (histogram, seconds) in [(&ocr.waits, 0.7), (&ocr.delays, 0.0), (&ocr.runs, 0.03)] {
            let found = histogram.exemplars().into_iter().flatten().flatten();
            let found: Vec<_> = found.collect();
            assert_eq!(found.len(), exemplars, "{found:?}");
            for exemplar in found {
                assert_eq!(exemplar.trace, context.trace);
                assert!((exemplar.seconds - seconds).abs() < 1e-9, "{exemplar:?}");
            }
        }
    }
}
