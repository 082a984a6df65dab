//! Comparison of policies: every world under every policy, on all cores.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Context as _;

use crate::report::Run;
use crate::scenario::build::Cell;
use crate::world::World;
use crate::{engine, peers};

/// Makes the world of a cell; it is called from several threads, once for each cell.
pub type Make<'a> = dyn Fn(&Cell) -> anyhow::Result<World> + Sync + 'a;

/// Runs the world of each cell under each policy, and calls `on_end` after each run.
///
/// It blocks, with as many threads as there are cores; each calls `on_end`. The runs are in
/// the order of the cells, and within a cell in that of the policies, whichever core was
/// faster. A world is kept only while runs need it.
///
/// # Errors
/// An error of `make`, or that [`peers::NAMES`] lacks one of the policies; no runs are
/// returned then.
///
/// # Panics
/// As [`run`](crate::run), for a world that is not valid.
pub fn compare(
    cells: &[Cell],
    policies: &[&str],
    make: &Make<'_>,
    on_end: &(dyn Fn() + Sync),
) -> anyhow::Result<Vec<Run>> {
    let plans: Vec<Plan<'_>> = cells
        .iter()
        .map(|cell| Plan::new(make, *cell, policies.len()))
        .collect();
    let count = plans.len() * policies.len();
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<Vec<(usize, Run)>> {
        let mut runs = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(runs);
            }
            let plan = &plans[index / policies.len()];
            runs.push((index, plan.run(policies[index % policies.len()])?));
            on_end();
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut runs = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores.min(count)).map(|_| scope.spawn(work)).collect();
        let mut runs = Vec::new();
        for thread in threads {
            // A panic is a bug, and continues as one.
            let result = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            runs.extend(result?);
        }
        Ok::<_, anyhow::Error>(runs)
    })?;
    runs.sort_by_key(|(index, _)| *index);
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

/// A world that is built when the first policy needs it and dropped after the last.
struct Plan<'a> {
    make: &'a Make<'a>,
    cell: Cell,
    shared: Mutex<Shared>,
}

struct Shared {
    world: Option<Arc<World>>,
    /// The number of policies that have not begun.
    left: usize,
}

impl<'a> Plan<'a> {
    fn new(make: &'a Make<'a>, cell: Cell, left: usize) -> Self {
        let world = None;
        Self {
            make,
            cell,
            shared: Mutex::new(Shared { world, left }),
        }
    }

    fn run(&self, policy: &str) -> anyhow::Result<Run> {
        let world = self.world()?;
        let chosen = peers::create(policy, &world);
        let mut chosen = chosen.with_context(|| format!("there is no policy {policy}"))?;
        Ok(Run {
            policy: policy.to_owned(),
            cell: self.cell,
            metrics: engine::run(&world, chosen.as_mut()),
        })
    }

    fn world(&self) -> anyhow::Result<Arc<World>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let world = match shared.world.take() {
            Some(world) => world,
            None => Arc::new((self.make)(&self.cell)?),
        };
        shared.left -= 1;
        if shared.left > 0 {
            shared.world = Some(Arc::clone(&world));
        }
        Ok(world)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::files::{read_scenario, tests::scenarios};
    use crate::scenario::build::{Files, build};

    #[test]
    fn runs_are_in_one_order_and_have_one_result() {
        let mut scenario = read_scenario(&scenarios().join("spikes.toml")).unwrap();
        scenario.loads = vec![0.5];
        scenario.fleet.hosts = 4;
        scenario.times.length_s = 200.0;
        scenario.times.history_s = 0.0;
        let make = |cell: &Cell| Ok(build(&scenario, cell, &Files::default())?);
        let run = || {
            let cells = scenario.cells(1);
            compare(&cells, &["p2c", "random"], &make, &|| {}).unwrap()
        };
        let runs = run();
        let order: Vec<_> = runs
            .iter()
            .map(|run| (run.policy.as_str(), run.cell.seed))
            .collect();
        assert_eq!(
            order,
            [("p2c", 1), ("random", 1), ("p2c", 2), ("random", 2)]
        );
        assert!(runs.iter().all(|run| run.metrics.kinds[0].jobs > 10));
        assert_eq!(format!("{runs:?}"), format!("{:?}", run()));
    }

    #[test]
    fn an_unknown_policy_is_an_error() {
        let scenario = read_scenario(&scenarios().join("spikes.toml")).unwrap();
        let make = |cell: &Cell| Ok(build(&scenario, cell, &Files::default())?);
        let error = compare(&scenario.cells(1)[..1], &["best"], &make, &|| {}).unwrap_err();
        assert_eq!(error.to_string(), "there is no policy best");
    }
}
