//! Load of a row: jobs submitted at a steady rate, each until the server acknowledges it.
//!
//! A job that is sent again has the same id.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use rolecast_common::options::{HEADER_DEADLINE, HEADER_MSG_ID};
use rolecast_common::time::WallTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::ledger::Acked;

/// Time limit of an acknowledgement, after which the job is sent again.
const ACK_LIMIT: Duration = Duration::from_secs(2);
/// Delay before another try; it doubles each time, so that a full store is not asked
/// without pause.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// Jobs that may wait for an acknowledgement: half a minute of the highest rate.
const OPEN_MAX: usize = 6_000;
/// Time after the end in which unacknowledged jobs are still sent again.
pub(crate) const LAST_LIMIT: Duration = Duration::from_secs(5);
/// Deadline of every fifth job; far longer than a row.
const DEADLINE: &str = "5m";

/// One job to be submitted.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) payload: Bytes,
    pub(crate) has_deadline: bool,
}

/// The load; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    jetstream: Context,
    acked: Arc<Mutex<Acked>>,
    /// False when jobs are no longer submitted; dropped when they are given up.
    is_on: watch::Sender<bool>,
    task: JoinHandle<()>,
    open: Arc<()>,
}

impl Load {
    /// Starts to submit short jobs, this many a second.
    pub(crate) fn start(client: Client, rate: u64, seed: u64) -> Load {
        let jetstream = jetstream::new(client);
        let acked = Arc::new(Mutex::new(Acked::default()));
        let (is_on, seen) = watch::channel(true);
        let open = Arc::new(());
        let steady = Steady {
            jetstream: jetstream.clone(),
            acked: Arc::clone(&acked),
            is_on: seen,
            open: Arc::clone(&open),
        };
        Load {
            jetstream,
            acked,
            is_on,
            task: tokio::spawn(steady.run(rate, fastrand::Rng::with_seed(seed))),
            open,
        }
    }

    /// Submits one more job in the background.
    pub(crate) fn submit(&self, submission: Submission) {
        let (jetstream, acked) = (self.jetstream.clone(), Arc::clone(&self.acked));
        let (is_on, open) = (self.is_on.subscribe(), Arc::clone(&self.open));
        tokio::spawn(submit(jetstream, acked, submission, is_on, open));
    }

    /// Forgets jobs that were acknowledged before a store was lost.
    pub(crate) fn forget_before(&self, moment: WallTime) {
        lock(&self.acked).forget_before(millis(moment));
    }

    /// Counts jobs of one kind that were acknowledged.
    pub(crate) fn acked_of(&self, lane: &str) -> usize {
        let acked = lock(&self.acked);
        acked.jobs().filter(|job| job.starts_with(lane)).count()
    }

    /// Ends the regular submissions.
    pub(crate) fn end(&self) {
        self.is_on.send_replace(false);
    }

    /// Returns whether every job that was submitted is acknowledged.
    pub(crate) fn is_idle(&self) -> bool {
        self.task.is_finished() && Arc::strong_count(&self.open) == 1
    }

    /// Gives up unacknowledged jobs, and returns the acknowledged ones.
    pub(crate) fn give_up(&mut self) -> Acked {
        // Its receivers see that the sender is gone.
        self.is_on = watch::channel(false).0;
        lock(&self.acked).clone()
    }
}

struct Steady {
    jetstream: Context,
    acked: Arc<Mutex<Acked>>,
    is_on: watch::Receiver<bool>,
    open: Arc<()>,
}

impl Steady {
    async fn run(mut self, rate: u64, mut rng: fastrand::Rng) {
        let mut ticks = interval(Duration::from_micros(1_000_000 / rate.max(1)));
        // After a pause the rate continues as it was.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = self.is_on.wait_for(|is_on| !is_on) => return,
            }
            if Arc::strong_count(&self.open) > OPEN_MAX {
                continue;
            }
            number += 1;
            let submission = short(number, &mut rng);
            let (jetstream, acked) = (self.jetstream.clone(), Arc::clone(&self.acked));
            let (is_on, open) = (self.is_on.clone(), Arc::clone(&self.open));
            tokio::spawn(submit(jetstream, acked, submission, is_on, open));
        }
    }
}

/// Returns a short job: one of ten urgent, one of ten not, and a few for the role's holder.
fn short(number: u64, rng: &mut fastrand::Rng) -> Submission {
    let (lane, subject) = match number % 20 {
        0 | 10 => ("high", "rolecast.jobs.short.high"),
        5 | 15 => ("low", "rolecast.jobs.short.low"),
        7 => ("lead", "rolecast.jobs.lead"),
        _ => ("normal", "rolecast.jobs.short"),
    };
    Submission {
        id: format!("{lane}-{number}"),
        subject: subject.to_owned(),
        payload: rng.u64(20..=400).to_string().into(),
        has_deadline: number % 5 == 2,
    }
}

/// Sends a job until it is acknowledged, or given up.
async fn submit(
    jetstream: Context,
    acked: Arc<Mutex<Acked>>,
    submission: Submission,
    mut is_on: watch::Receiver<bool>,
    open: Arc<()>,
) {
    let send = async {
        let mut delay = RETRY_MIN;
        while !is_acked(&jetstream, &submission).await {
            sleep(delay).await;
            delay = (2 * delay).min(RETRY_MAX);
        }
    };
    tokio::select! {
        () = send => lock(&acked).add(submission.id.clone(), millis(now())),
        // The sender is gone: nobody waits for it any longer.
        () = async { while is_on.changed().await.is_ok() {} } => {}
    }
    drop(open);
}

async fn is_acked(jetstream: &Context, submission: &Submission) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_MSG_ID, submission.id.as_str());
    if submission.has_deadline {
        headers.insert(HEADER_DEADLINE, DEADLINE);
    }
    let (subject, payload) = (submission.subject.clone(), submission.payload.clone());
    let sent = async {
        let ack = jetstream
            .publish_with_headers(subject, headers, payload)
            .await
            .ok()?;
        ack.await.ok()
    };
    timeout(ACK_LIMIT, sent).await.ok().flatten().is_some()
}

pub(crate) fn now() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    WallTime::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

pub(crate) fn millis(at: WallTime) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
