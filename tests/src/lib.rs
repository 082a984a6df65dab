//! Harness of the end-to-end tests, checks of the tidy test, and parts of the benchmarks.
//!
//! A test usually needs only [`cluster::Cluster`]: a real nats-server on its own port and
//! store, the real dispatcher and real workers, each a process that can be killed, frozen
//! and started again. Everything ends with the test.
//!
//! Every party logs in with the rights that `rolecast permissions` prints ([`logins`]);
//! only the harness, and a test for what no party may do, is an administrator.
//!
//! Tests wait for conditions with [`wait`], and never sleep for a guessed time. The
//! programs are those of `cargo build --workspace --bins`; `make test` builds them first.
//!
//! Other tests need no server: [`protocol`] runs the state machines of dispatchers and
//! workers in a bad world, from a seed; [`fuzz`] feeds all readers with odd input; [`tidy`]
//! holds the rules of the repository. [`chaos`] injects faults into real clusters.
//!
//! ```
//! use rolecast_tests::protocol::{Faults, run};
//!
//! // A minute of faults; all rules held after every step.
//! let figures = run(7, Faults::All, None).unwrap();
//! assert!(figures.steps > 0 && figures.recorded > 0);
//! ```

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in real time and a real environment"
)]

pub mod cluster;
pub mod document;
pub mod jobs;
pub mod logins;
pub mod server;
pub mod servers;

pub mod chaos;
pub mod cpu;
pub mod directory;
pub mod figures;
pub mod fuzz;
pub mod http;
pub mod leads;
pub mod process;
pub mod protocol;
pub mod proxy;
pub mod skew;
pub mod slot;
pub mod starts;
pub mod tidy;
pub mod wait;
