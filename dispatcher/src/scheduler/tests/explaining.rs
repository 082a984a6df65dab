//! Tests of dry runs: the node that a job would go to.

use rolecast_common::label::ShardKey;
use rolecast_common::wire::Decision;

use super::*;

#[test]
fn a_decision_without_a_job_is_the_one_a_job_gets_and_sends_nothing() {
    let mut machine = machine();
    let beats = ["n1", "n2", "n3"].map(|name| heartbeat(name, "a", 1, Vec::new()));
    turn(&mut machine, 0.0, beats);
    for sequence in 1..9 {
        let key = ShardKey::parse(&format!("customer-{sequence}")).unwrap();
        let asked = ask(&mut machine, "ocr", &key).unwrap();
        assert_eq!(ask(&mut machine, "ocr", &key), Some(asked.clone()));
        assert_eq!(asked.job, None);
        let sent: u64 = machine.status(now(0.5)).nodes.iter().map(|n| n.sent).sum();
        assert_eq!(sent, sequence - 1);
        let mut delivery = delivery_of("rolecast.jobs.ocr", sequence, 1);
        delivery.options.as_mut().unwrap().key = Some(key);
        let out = turn(&mut machine, 0.5, [Input::Delivered(delivery)]);
        assert_eq!(forwarded(&out)[0].0, asked.node.unwrap());
    }
    let key = ShardKey::parse("customer").unwrap();
    assert_eq!(ask(&mut machine, "other", &key), None);
}

fn ask(machine: &mut Scheduler, category: &str, key: &ShardKey) -> Option<Decision> {
    let category = Category::new(category).unwrap();
    machine.explain(
        now(0.5),
        &category,
        &Requirement::default(),
        Some(key.hash()),
    )
}
