//! The agent that runs jobs on a host and reports its use, and the library for workers in
//! Rust.
//!
//! The program `rolecast-worker` runs commands; a program of your own runs
//! functions:
//!
//! ```no_run
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
//! # async fn example(settings: Settings) -> anyhow::Result<()> {
//! Worker::builder()
//!     .node("n1")
//!     .role("follower")
//!     .handle("thumbnail", thumbnail)
//!     .handle("ping", |job: Job| async move { Ok(format!("pong {}", job.id())) })
//!     .max_jobs(4)
//!     .nats(settings)
//!     .build()?
//!     .run(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
//!     .await
//! # }
//! ```
//!
//! Inside, [`agent`] decides, without a clock or a network, which jobs are taken
//! and what is reported; `io` carries that out.

pub mod agent;
pub mod command;
pub mod config;
pub mod confinement;
pub mod host_name;
mod io;
pub mod job;
mod record;
pub mod usage;

pub use io::{
    Builder, Mistakes, Recording, Worker, forget_epoch, record_host, run_if_leashed,
    shutdown_signals,
};
pub use job::{Job, JobError};
