//! Plan of a row from a seed: the times of its steps, and its open choices.

use std::time::Duration;

use fastrand::Rng;

use super::row::{Ending, Fault, Row};

/// Long jobs: two for each worker, so that every fault hits some of them.
const LONG_COUNT: usize = 8;

/// Schedule of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Time from the first completed job to the fault.
    pub warm: Duration,
    /// Time between two parts of a fault "at the same time".
    pub gap: Duration,
    /// Time from the fault until its victims return.
    pub hold: Duration,
    /// Time from then until no more jobs are submitted.
    pub calm: Duration,
    /// Delay of messages between slow servers.
    pub delay: Duration,
    /// A number for each choice: one of the workers, for example.
    pub pick: usize,
    /// Run time of each of the jobs that exist before the fault.
    pub long: Vec<Duration>,
}

impl Plan {
    /// Returns the plan of a row: the same for the same seed. A quick one has shorter
    /// times, and long jobs that are less long, but still run across the fault.
    pub fn of(row: &Row, seed: u64, is_quick: bool) -> Plan {
        // Rows do not share their numbers.
        let own = row.name.bytes().fold(seed, |sum, byte| {
            sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
        });
        let mut rng = Rng::with_seed(own);
        let mut between = |low: u64, high: u64| Duration::from_millis(rng.u64(low..=high));
        let hold = match row.fault {
            Fault::Server(_, Ending::Freeze) => between(6_000, 7_000),
            Fault::Server(..) if row.replicas == 1 => between(3_500, 4_500),
            // Until the others have elected leaders.
            Fault::Server(..) | Fault::ServerAndDispatcher(_) => between(11_000, 13_000),
            Fault::Servers(_) => between(4_000, 8_000),
            Fault::Wipe => between(1_000, 3_000),
            Fault::Partition => between(10_000, 12_000),
            Fault::Dispatcher(Ending::Freeze) => between(5_000, 6_000),
            // A killed program is started again by `system`.
            Fault::Dispatcher(_) | Fault::Worker | Fault::Programs | Fault::Full => {
                between(4_000, 5_000)
            }
            Fault::SlowDisk => between(8_000, 10_000),
            Fault::Skew(_) => between(8_000, 9_000),
        };
        let (warm, calm, longest) = if is_quick {
            (between(2_000, 3_000), between(3_000, 4_000), 10_000)
        } else {
            (between(4_000, 6_000), between(9_000, 11_000), 20_000)
        };
        Plan {
            warm,
            gap: between(0, 400),
            hold,
            calm,
            delay: between(20, 50),
            long: (0..LONG_COUNT)
                .map(|_| between(longest / 2, longest))
                .collect(),
            pick: rng.usize(..usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::rows;
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_plan_and_another_gives_another() {
        for row in rows() {
            let plan = Plan::of(&row, 7, false);
            assert_eq!(plan, Plan::of(&row, 7, false));
            assert_ne!(plan, Plan::of(&row, 8, false));
        }
    }

    #[test]
    fn long_jobs_run_across_the_fault_of_every_row() {
        for (row, seed) in rows()
            .into_iter()
            .flat_map(|row| (0..50).map(move |seed| (row, seed)))
        {
            let plan = Plan::of(&row, seed, seed % 2 == 0);
            // They are submitted in the middle of the warm time.
            let longest = plan.long.iter().max().expect("there are long jobs");
            assert!(*longest > plan.warm / 2 + plan.gap, "{} {seed}", row.name);
            assert!(plan.long.iter().all(|long| *long > plan.warm / 2));
        }
    }
}
