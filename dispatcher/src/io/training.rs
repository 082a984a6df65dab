//! Periodic training, every five minutes and away from the loop: the stack over the experts
//! is fitted again, and checkpoints are stored.
//!
//! A thread of its own owns the lessons, so that neither fitting nor copying them costs
//! the loop anything. The scheduler needs a runtime with threads, which the loop's is
//! not, so the thread brings one. Its ticks follow the wall clock and may be doubled or
//! bunched; both jobs tolerate that.

use std::sync::Arc;

use anyhow::Context as _;
use rolecast_forecast::{Lesson, Stack, StackTrainer};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

use crate::scheduler::Input;

/// Every five minutes.
const SCHEDULE: &str = "0 */5 * * * *";
/// The most batches of lessons that wait; while the stack is fitted, more are lost.
const BATCHES_MAX: usize = 256;
/// Lessons below which a new stack is not used.
const LESSONS_MIN: usize = 2_000;
/// Lessons from which on a new stack replaces one from before the start, which is better
/// than the first lessons (a half of what a trainer keeps).
const LESSONS_ENOUGH: usize = 18_000;

/// Starts the thread; it ends when the returned sender is dropped. `has_stack` shows
/// whether there is a stack from before the start.
pub(super) fn start(
    reports: mpsc::Sender<Input>,
    has_stack: bool,
) -> anyhow::Result<mpsc::Sender<Vec<Lesson>>> {
    let (lessons, batches) = mpsc::channel(BATCHES_MAX);
    let thread = std::thread::Builder::new().name("training".to_owned());
    let body = move || {
        if let Err(error) = run(&reports, batches, has_stack) {
            tracing::warn!(
                event = "training_failed",
                "forecasts no longer learn: {error:#}"
            );
        }
    };
    thread.spawn(body).context("cannot start a thread")?;
    Ok(lessons)
}

fn run(
    reports: &mpsc::Sender<Input>,
    batches: mpsc::Receiver<Vec<Lesson>>,
    has_stack: bool,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("scheduler")
        .enable_time()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(async {
        // A tick during the work on the last one is dropped.
        let (ticks, due) = mpsc::channel(1);
        let mut scheduler = schedule(ticks).await.context("cannot schedule")?;
        train(reports, batches, due, has_stack).await;
        scheduler.shutdown().await.context("cannot stop")
    })
}

async fn schedule(ticks: mpsc::Sender<()>) -> anyhow::Result<JobScheduler> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new(SCHEDULE, move |_, _| {
        let _ = ticks.try_send(());
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

/// Learns until the loop ends; at each tick fits and reports.
async fn train(
    reports: &mpsc::Sender<Input>,
    mut batches: mpsc::Receiver<Vec<Lesson>>,
    mut due: mpsc::Receiver<()>,
    has_stack: bool,
) {
    let mut trainer = StackTrainer::default();
    let mut learned = 0;
    let enough = if has_stack {
        LESSONS_ENOUGH
    } else {
        LESSONS_MIN
    };
    loop {
        tokio::select! {
            batch = batches.recv() => {
                let Some(batch) = batch else {
                    return;
                };
                learned += batch.len();
                batch.iter().for_each(|lesson| trainer.learn(lesson));
            }
            Some(()) = due.recv() => {
                if learned >= enough {
                    report_fit(&trainer, learned, reports).await;
                }
                // The receiver is gone only when the program ends.
                let _ = reports.send(Input::CheckpointsDue).await;
            }
        }
    }
}

async fn report_fit(trainer: &StackTrainer, learned: usize, reports: &mpsc::Sender<Input>) {
    let stack = trainer.fit();
    if stack == Stack::default() {
        return;
    }
    tracing::debug!(event = "stack_fitted", learned, "fitted the stack");
    // The receiver is gone only when the program ends.
    let _ = reports.send(Input::StackFitted(Arc::new(stack))).await;
}
