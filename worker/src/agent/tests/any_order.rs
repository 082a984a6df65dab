//! Tests of all rules at once, under any events in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::bench::{Bench, assignment_of, key, with_epoch};

#[derive(Clone, Debug)]
enum Step {
    Offer {
        job: usize,
        attempt: u32,
        category: usize,
        epoch: u64,
    },
    End {
        which: usize,
    },
    Confirm {
        which: usize,
    },
    Unreceived {
        which: usize,
    },
    Pass {
        millis: u64,
    },
    Connected,
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4usize, 1..3u32, 0..3usize, 7..9u64).prop_map(
            |(job, attempt, category, epoch)| Step::Offer { job, attempt, category, epoch }
        ),
        4 => (0..4usize).prop_map(|which| Step::End { which }),
        3 => (0..4usize).prop_map(|which| Step::Confirm { which }),
        1 => (0..4usize).prop_map(|which| Step::Unreceived { which }),
        2 => (0..4000u64).prop_map(|millis| Step::Pass { millis }),
        1 => Just(Step::Connected),
        1 => Just(Step::Drain),
    ]
}

proptest! {
    #[test]
    fn in_any_order_limits_hold_and_every_accepted_job_gets_one_outcome(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut books = Books::new();
        for step in steps {
            books.step(&step);
            books.check();
        }
        books.finish();
    }
}

/// Independent record of the executions and outcomes.
struct Books {
    bench: Bench,
    /// The batch numbers under which each execution was reported as run.
    reports: BTreeMap<Key, BTreeSet<u64>>,
    /// The most reports of each: one for a start, one for a later question.
    reports_max: BTreeMap<Key, usize>,
    started: BTreeSet<Key>,
}

type Key = (String, u32);

impl Books {
    fn new() -> Self {
        Self {
            bench: Bench::new(),
            reports: BTreeMap::new(),
            reports_max: BTreeMap::new(),
            started: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Offer {
                job,
                attempt,
                category,
                epoch,
            } => {
                let category = ["plain", "pair", "none"][category];
                let mut offered = assignment_of(category, ["a", "b", "c", "d"][job], attempt);
                offered = with_epoch(&offered, epoch);
                self.offer(offered);
            }
            Step::End { which } => {
                if let Some((run, _)) = self.bench.alive.get(which).cloned() {
                    self.bench.end(run, OutcomeStatus::Completed);
                }
            }
            Step::Confirm { which } => {
                if let Some(batch) = self.bench.unconfirmed.keys().nth(which).copied() {
                    self.bench.unconfirmed.remove(&batch);
                    self.bench.input(Input::Confirmed { batch });
                }
            }
            Step::Unreceived { which } => {
                if let Some(batch) = self.bench.unconfirmed.keys().nth(which).copied() {
                    self.bench.input(Input::Unreceived { batch });
                }
            }
            Step::Pass { millis } => self.bench.pass(Duration::from_millis(millis)),
            Step::Connected => self.bench.input(Input::Connected),
            Step::Drain => self.bench.input(Input::Drain),
        }
    }

    fn offer(&mut self, offered: Assignment) {
        let key = key(&offered);
        let in_hand = self.bench.heartbeat().jobs;
        let is_question = self.started.contains(&key)
            && !in_hand.iter().any(|held| super::bench::key(held) == key);
        if is_question {
            *self.reports_max.entry(key).or_default() += 1;
        }
        self.bench.offer(offered);
    }

    fn check(&mut self) {
        self.record();
        let alive: Vec<_> = self.bench.alive.iter().map(|(_, a)| a).collect();
        let pairs = alive.iter().filter(|a| a.category().as_str() == "pair");
        assert!(alive.len() <= 3 && pairs.count() <= 2, "{alive:?}");
        let alive: BTreeSet<Key> = alive.into_iter().map(key).collect();
        let heartbeat = self.bench.heartbeat();
        let in_hand: BTreeSet<Key> = heartbeat.jobs.iter().map(key).collect();
        assert_eq!(in_hand.len(), heartbeat.jobs.len(), "listed once");
        let unconfirmed: BTreeSet<Key> = self.bench.agent.ledger.in_hand().map(key).collect();
        if self.bench.agent.phase == Phase::Serving {
            assert_eq!(in_hand, alive.union(&unconfirmed).cloned().collect());
        }
        assert!(in_hand.is_subset(&alive.union(&unconfirmed).cloned().collect()));
        assert!(unconfirmed.is_subset(&in_hand));
    }

    /// Records the outputs since the last call.
    fn record(&mut self) {
        for output in self.bench.take() {
            match output {
                Output::Start { assignment, .. } => {
                    let key = key(&assignment);
                    assert!(self.started.insert(key.clone()), "{key:?} started twice");
                    *self.reports_max.entry(key).or_default() += 1;
                }
                Output::SendOutcomes { batch, outcomes } => {
                    for outcome in outcomes.outcomes.iter().filter(|o| o.started_ms.is_some()) {
                        let key = key(outcome.job.as_ref().unwrap());
                        self.reports.entry(key).or_default().insert(batch);
                    }
                }
                Output::Stop(_)
                | Output::Cancel(_)
                | Output::KeepEpoch(_)
                | Output::Hook { .. }
                | Output::Heartbeat(_)
                | Output::Listen
                | Output::Exit
                | Output::Fail(_)
                | Output::Event(_) => {}
            }
        }
    }

    /// Ends everything, confirms everything, and checks the final record.
    fn finish(mut self) {
        while !self.bench.alive.is_empty() || !self.bench.unconfirmed.is_empty() {
            for (run, _) in self.bench.alive.clone() {
                self.bench.end(run, OutcomeStatus::Completed);
            }
            self.check();
            self.bench.confirm_all();
        }
        self.check();
        assert!(self.bench.agent.ledger.is_empty());
        for key in &self.started {
            let reports = self.reports.get(key).map_or(0, BTreeSet::len);
            let reports_max = self.reports_max[key];
            assert!(
                (1..=reports_max).contains(&reports),
                "{key:?}: {reports} of {reports_max}"
            );
        }
    }
}
