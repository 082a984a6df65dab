//! Rows of the matrix, one for each fault.

use crate::leads::Group;

/// The server that a fault affects, by what it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Jobs,
    Lease,
    Meta,
}

impl Target {
    pub fn group(self) -> Group {
        match self {
            Target::Jobs => Group::Stream("ROLECAST_JOBS".to_owned()),
            Target::Lease => Group::Stream("KV_ROLECAST_CONTROL".to_owned()),
            Target::Meta => Group::Meta,
        }
    }
}

/// The way in which a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Kill,
    Terminate,
    /// It hands over, then ends: planned maintenance.
    LameDuck,
    Freeze,
}

/// A process whose clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    Worker,
    Dispatchers,
}

/// The event while jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One server fails and returns.
    Server(Target, Ending),
    /// This many servers are killed, and return together.
    Servers(usize),
    /// One server returns on an empty store.
    Wipe,
    /// The store is filled, with no worker to empty it; then the workers return.
    Full,
    /// A server and the active dispatcher are cut off together, and return.
    Partition,
    /// The active dispatcher is killed or frozen.
    Dispatcher(Ending),
    Worker,
    /// All workers and all dispatchers are killed at once.
    Programs,
    /// A server is killed together with the active dispatcher.
    ServerAndDispatcher(Target),
    /// Messages between servers are late.
    SlowDisk,
    /// A clock is ten minutes ahead from the start.
    Skew(Party),
}

/// Longest stall while one of several servers fails: elections take 4 to 9 s.
const STALL_ONE_SERVER_MAX_S: f64 = 10.0;
/// Time until the next job is recorded after servers are healthy, with and without a
/// quorum all the time.
const AFTER_QUORUM_MAX_S: f64 = 2.0;
const AFTER_ALL_MAX_S: f64 = 3.0;
/// Time until the first job is recorded on an empty cluster.
const START_MAX_S: f64 = 5.0;

/// Bounds of a row's times on a calm machine, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    pub start_s: f64,
    pub stall_s: Option<f64>,
    pub after_healthy_s: f64,
}

/// A row of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub name: &'static str,
    pub replicas: usize,
    pub fault: Fault,
}

impl Row {
    /// Returns whether a quorum of servers lives through the fault and one of them does not.
    pub fn is_one_server(&self) -> bool {
        let takes_one = match self.fault {
            Fault::Server(..) | Fault::Wipe | Fault::Partition => true,
            // The dispatcher's own end is not the server's.
            Fault::ServerAndDispatcher(_) => true,
            Fault::Servers(_)
            | Fault::Full
            | Fault::Dispatcher(_)
            | Fault::Worker
            | Fault::Programs
            | Fault::SlowDisk
            | Fault::Skew(_) => false,
        };
        takes_one && self.replicas > 1
    }

    pub fn bounds(&self) -> Bounds {
        let is_one = self.is_one_server();
        Bounds {
            start_s: START_MAX_S,
            stall_s: is_one.then_some(STALL_ONE_SERVER_MAX_S),
            after_healthy_s: if is_one {
                AFTER_QUORUM_MAX_S
            } else {
                AFTER_ALL_MAX_S
            },
        }
    }

    /// Returns whether servers need links that can be cut and slowed down.
    pub fn has_links(&self) -> bool {
        matches!(self.fault, Fault::Partition | Fault::SlowDisk)
    }
}

/// Returns the whole matrix, in the order in which it is run.
pub fn rows() -> Vec<Row> {
    use Ending::{Freeze, Kill, LameDuck, Terminate};
    use Target::{Jobs, Lease, Meta};

    let row = |replicas: usize| {
        move |(name, fault): (&'static str, Fault)| Row {
            name,
            replicas,
            fault,
        }
    };
    let single = [
        ("r1-kill", Fault::Server(Meta, Kill)),
        ("r1-term", Fault::Server(Meta, Terminate)),
        ("r1-freeze", Fault::Server(Meta, Freeze)),
        ("r1-wiped", Fault::Wipe),
        ("r1-full", Fault::Full),
        ("r1-dispatcher-kill", Fault::Dispatcher(Kill)),
        ("r1-dispatcher-freeze", Fault::Dispatcher(Freeze)),
        ("r1-worker-kill", Fault::Worker),
        ("r1-programs-kill", Fault::Programs),
        ("r1-clock-worker", Fault::Skew(Party::Worker)),
        ("r1-clock-dispatchers", Fault::Skew(Party::Dispatchers)),
    ];
    let three = [
        ("r3-jobs-kill", Fault::Server(Jobs, Kill)),
        ("r3-jobs-term", Fault::Server(Jobs, Terminate)),
        ("r3-jobs-ldm", Fault::Server(Jobs, LameDuck)),
        ("r3-jobs-freeze", Fault::Server(Jobs, Freeze)),
        ("r3-lease-kill", Fault::Server(Lease, Kill)),
        ("r3-lease-term", Fault::Server(Lease, Terminate)),
        ("r3-lease-ldm", Fault::Server(Lease, LameDuck)),
        ("r3-lease-freeze", Fault::Server(Lease, Freeze)),
        ("r3-meta-kill", Fault::Server(Meta, Kill)),
        ("r3-meta-term", Fault::Server(Meta, Terminate)),
        ("r3-meta-ldm", Fault::Server(Meta, LameDuck)),
        ("r3-meta-freeze", Fault::Server(Meta, Freeze)),
        ("r3-two-kill", Fault::Servers(2)),
        ("r3-all-kill", Fault::Servers(3)),
        ("r3-one-wiped", Fault::Wipe),
        ("r3-full", Fault::Full),
        ("r3-partition", Fault::Partition),
        ("r3-dispatcher-kill", Fault::Dispatcher(Kill)),
        ("r3-dispatcher-freeze", Fault::Dispatcher(Freeze)),
        ("r3-worker-kill", Fault::Worker),
        ("r3-programs-kill", Fault::Programs),
        ("r3-meta-dispatcher-kill", Fault::ServerAndDispatcher(Meta)),
        ("r3-jobs-dispatcher-kill", Fault::ServerAndDispatcher(Jobs)),
        ("r3-slow-disk", Fault::SlowDisk),
    ];
    let single = single.into_iter().map(row(1));
    single.chain(three.into_iter().map(row(3))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_row_has_a_name_of_its_own() {
        let rows = rows();
        let names: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows.len());
        for row in rows {
            let prefix = format!("r{}-", row.replicas);
            assert!(row.name.starts_with(&prefix), "{}", row.name);
        }
    }

    #[test]
    fn a_single_server_that_goes_away_leaves_none() {
        let is_one = |name: &str| {
            rows()
                .iter()
                .find(|row| row.name == name)
                .unwrap()
                .is_one_server()
        };
        assert!(!is_one("r1-kill") && !is_one("r3-two-kill") && !is_one("r3-worker-kill"));
        assert!(is_one("r3-meta-freeze") && is_one("r3-partition"));
    }
}
