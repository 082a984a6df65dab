//! Tests of the figures for metrics.

use super::*;

fn figures_of(machine: &Scheduler, seconds: f64) -> crate::metrics::CategoryFigures {
    let figures = machine.figures(now(seconds));
    let mut categories = figures.categories.into_iter();
    categories
        .find(|state| state.category.as_str() == "ocr")
        .unwrap()
}

fn count(ends: &[(&'static str, u64)], end: &str) -> u64 {
    ends.iter().find(|(name, _)| *name == end).unwrap().1
}

#[test]
fn jobs_and_attempts_are_counted_by_their_ends_and_their_times_observed() {
    let (mut machine, first) = running();
    all(&mut machine, 0.5, [delivery(2, 1), delivery(3, 1)]);
    let ocr = figures_of(&machine, 1.0);
    assert_eq!((ocr.running, ocr.waiting, ocr.backlog), (3, 0, None));
    assert_eq!((ocr.waits.count(), ocr.delays.count()), (3, 3));
    // Each was stored at 0 s; the last two were sent at 0.5 s.
    assert!((ocr.waits.sum_s() - 1.0).abs() < 1e-6, "{:?}", ocr.waits);

    all(
        &mut machine,
        1.0,
        [report("n1", &first, OutcomeStatus::Completed)],
    );
    let ocr = figures_of(&machine, 1.0);
    assert_eq!(count(&ocr.jobs, "completed"), 1);
    assert_eq!(count(&ocr.attempts, "completed"), 1);
    assert_eq!((ocr.runs.count(), ocr.running), (1, 2));

    // The node is started again: its other jobs are lost.
    all(&mut machine, 30.0, [heartbeat("n1", "b", 1, vec![])]);
    let ocr = figures_of(&machine, 30.0);
    assert_eq!(count(&ocr.attempts, "lost"), 2);
    assert_eq!(count(&ocr.jobs, "dead"), 0);

    let held = [(Category::new("ocr").unwrap(), 7)].into_iter().collect();
    all(&mut machine, 31.0, [Input::Backlogs(held)]);
    assert_eq!(figures_of(&machine, 31.0).backlog, Some(7));
}

#[test]
fn a_waiting_job_has_an_age_from_when_it_could_be_sent() {
    let mut machine = machine();
    all(&mut machine, 1.0, [delivery(1, 1)]);
    let ocr = figures_of(&machine, 9.0);
    assert_eq!((ocr.waiting, ocr.oldest), (1, Duration::from_secs(9)));
    assert_eq!(figures_of(&machine, 9.0).waits.count(), 0);
}

#[test]
fn nodes_are_listed_one_by_one_up_to_a_limit() {
    let mut machine = machine();
    let join = |number: u32| heartbeat(&format!("n{number}"), "a", 1, vec![]);
    all(&mut machine, 0.0, (0..250).map(join));
    let nodes = machine.figures(now(0.1)).nodes;
    assert_eq!((nodes.ready, nodes.each.len()), (250, 250));
    all(&mut machine, 0.1, [join(250)]);
    let nodes = machine.figures(now(0.2)).nodes;
    assert_eq!((nodes.ready, nodes.each.len()), (251, 0));
}

#[test]
fn refused_messages_are_counted_by_their_reason() {
    let mut machine = machine();
    let inputs = [
        heartbeat("n1", "a", 2, vec![]),
        heartbeat("n1", "a", 2, vec![]),
        Input::Malformed {
            what: Malformed::Request,
            from: "x".to_owned(),
            why: "any text".to_owned(),
        },
    ];
    all(&mut machine, 0.0, inputs);
    let refused = machine.figures(now(0.1)).refused;
    let expected = [
        (("heartbeat", "replayed"), 1),
        (("request", "malformed"), 1),
    ];
    assert_eq!(refused, expected.into_iter().collect());
}
