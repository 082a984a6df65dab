//! Tests of lists of jobs, and of the view of one node.

use std::num::NonZeroU32;

use rolecast_common::wire::{JobList, JobTotals, JobsRequest};

use super::*;

/// Node n1 with four slots for scan and four for ocr: of six ocr jobs, two wait; a scan
/// job is delayed.
fn busy() -> Scheduler {
    let mut machine = machine();
    let Input::Heartbeat {
        from,
        mut heartbeat,
    } = heartbeat("n1", "a", 1, vec![])
    else {
        unreachable!("it is a heartbeat");
    };
    heartbeat.jobs_max = 4;
    let mut delayed = delivery_of("rolecast.jobs.scan.low", 7, 1);
    delayed.options.as_mut().unwrap().not_before = Some(now(0.0).wall + Duration::from_secs(60));
    let mut inputs = vec![Input::Heartbeat { from, heartbeat }];
    inputs.extend((1..=6).map(|sequence| delivery(sequence, 1)));
    inputs.push(Input::Delivered(delayed));
    all(&mut machine, 0.0, inputs);
    machine
}

fn sequences(list: &JobList) -> Vec<u64> {
    list.jobs.iter().map(|job| job.sequence.get()).collect()
}

fn limited(limit: u32) -> JobsRequest {
    JobsRequest {
        limit: NonZeroU32::new(limit),
        ..JobsRequest::first()
    }
}

#[test]
fn all_jobs_are_listed_page_by_page_in_both_directions() {
    let machine = busy();
    let mut request = limited(3);
    let mut pages = Vec::new();
    loop {
        let list = machine.jobs(now(1.0), &request);
        pages.push(sequences(&list));
        let totals = JobTotals {
            waiting: 2,
            running: 4,
            delayed: 1,
        };
        assert_eq!(list.totals, totals);
        request.after = list.next;
        if list.next.is_none() {
            break;
        }
    }
    assert_eq!(pages, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    let mut request = JobsRequest {
        newest_first: true,
        ..limited(4)
    };
    let list = machine.jobs(now(1.0), &request);
    assert_eq!(sequences(&list), [7, 6, 5, 4]);
    request.after = list.next;
    let list = machine.jobs(now(1.0), &request);
    assert_eq!((sequences(&list), list.next), (vec![3, 2, 1], None));
}

#[test]
fn jobs_are_selected_by_state_node_and_category_and_show_why_they_wait() {
    let machine = busy();
    let list = |request: JobsRequest| machine.jobs(now(1.0), &request);
    let waiting = list(JobsRequest {
        states: vec![JobState::Waiting],
        ..JobsRequest::first()
    });
    assert_eq!(sequences(&waiting), [5, 6]);
    let job = &waiting.jobs[0];
    assert!(job.reason.starts_with("no node can take it: 1 "), "{job:?}");
    assert_eq!((job.since_ms, &job.node), (Some(1000), &None));
    assert_eq!(job.submitted_ms, Some(WallTime::from_millis(START)));
    let on = |name: &str| {
        list(JobsRequest {
            node: Some(node(name)),
            ..JobsRequest::first()
        })
    };
    assert_eq!(sequences(&on("n1")), [1, 2, 3, 4]);
    assert_eq!(on("n1").jobs[0].attempt.map(|a| a.get()), Some(1));
    assert!(on("n2").jobs.is_empty());
    let scans = list(JobsRequest {
        category: Some(Category::new("scan").unwrap()),
        ..JobsRequest::first()
    });
    let [job] = &scans.jobs[..] else {
        panic!("{scans:?}");
    };
    let until = now(0.0).wall + Duration::from_secs(60);
    assert_eq!((job.state, job.until_ms), (JobState::Delayed, Some(until)));
    assert_eq!(job.priority.as_str(), "low");
}

#[test]
fn a_node_shows_its_health_with_its_start_and_what_it_refused() {
    let (mut machine, assignment) = running();
    all(
        &mut machine,
        1.0,
        [report("n1", &assignment, OutcomeStatus::Refused)],
    );
    let mut leaving = beat("n1", "a", 2);
    leaving.draining = true;
    let heartbeat = Box::new(leaving);
    let from = node("n1");
    all(&mut machine, 2.0, [Input::Heartbeat { from, heartbeat }]);
    let view = machine.node(now(3.0), &node("n1")).unwrap();
    assert_eq!(view.status.health, NodeHealth::Draining);
    assert_eq!(view.since_ms, now(2.0).wall);
    let [refusal] = &view.refusals[..] else {
        panic!("{view:?}");
    };
    assert_eq!(
        (refusal.job.as_str(), refusal.reason.as_str()),
        ("job-1", "because")
    );
    assert!(machine.node(now(3.0), &node("n2")).is_none());
}
