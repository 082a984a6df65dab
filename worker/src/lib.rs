//! The agent that runs jobs on a host and reports its use, and the library for workers in
//! Rust.
//!
//! The program `rolecast-worker` runs a command for each job ([`config`] describes it). A
//! program of your own runs functions: it names a handler for each category of jobs, and
//! enters by [`Worker::builder`] and [`Worker::run`]. The worker takes the jobs that a
//! dispatcher sends to its node, reports each outcome until it is confirmed, and sends
//! heartbeats with the use of the host.
//!
//! ```
//! use rolecast_nats::Settings;
//! use rolecast_worker::{Job, JobError, Worker};
//!
//! async fn thumbnail(job: Job) -> Result<Vec<u8>, JobError> {
//!     if job.payload().is_empty() {
//!         return Err(JobError::give_up("there is no picture in it"));
//!     }
//!     let picture = String::from_utf8(job.payload().to_vec())?; // An error: try again.
//!     Ok(picture.into_bytes())
//! }
//!
//! let worker = Worker::builder()
//!     .node("n1")
//!     .role("follower")
//!     .handle("thumbnail", thumbnail)
//!     .handle("ping", |job: Job| async move { Ok(format!("pong {}", job.id())) })
//!     .max_jobs(4)
//!     .nats(Settings::default())
//!     .build()?;
//! // Nothing is connected before `run`; it ends after the future that it is given.
//! let served = worker.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() });
//! # drop(served);
//!
//! // All mistakes of a worker are reported at once.
//! let mistakes = Worker::builder().node("A B").max_jobs(0).build().unwrap_err();
//! assert!(mistakes.to_string().contains("node id \"A B\" is not"));
//! assert!(mistakes.to_string().contains("max_jobs is 0"));
//! # Ok::<(), rolecast_worker::Mistakes>(())
//! ```
//!
//! A handler returns the output of its job, at most 960 KiB, or a [`JobError`], which
//! shows whether another attempt is useful. A handler that panics has failed its attempt.
//! A job that is cancelled shows it by [`Job::is_cancelled`] and [`Job::cancelled`]; five
//! seconds later its handler is aborted.
//! Jobs run at least once: a handler must tolerate that a job which it finished is run
//! again elsewhere.
//!
//! Inside, [`agent`] decides, without a clock or a network, which jobs are taken
//! and what is reported; `io` carries that out.

#![warn(missing_docs)]

pub mod agent;
pub mod args;
mod cancellation;
mod command;
pub mod config;
mod confinement;
mod host;
mod host_name;
mod io;
mod job;
mod metrics;
mod progress;
mod record;
mod usage;

pub use io::{
    Builder, Mistakes, Recording, Worker, forget_epoch, record_host, run_if_leashed,
    shutdown_signals,
};
pub use job::{Job, JobError};
pub use metrics::documentation as metrics_documentation;
pub use usage::Scope;
