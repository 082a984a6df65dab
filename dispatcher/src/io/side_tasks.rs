//! Tasks beside the leader's loop: what waits for an answer of JetStream, or computes for
//! long, runs in a task of its own and reports back as an input.

use async_nats::jetstream;
use rolecast_common::assignment::Ack;
use rolecast_common::id::{JobId, NodeId, Sequence};
use rolecast_common::subjects::{KEY_CAPACITY, STREAM_DEAD, STREAM_RESULTS};
use rolecast_common::time::Time;
use rolecast_common::wire::{CancelAnswer, CapacityMap, Encoding, Record, RoleDocument, encode};
use rolecast_forecast::{Lesson, Stack};
use rolecast_nats::{Connection, Meaning, ServerError};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::bucket::{Bucket, Buckets};
use super::dead_lettering::{self, JobMessage};
use super::request::Request;
use super::{
    Streams, api, cancels, forecasts, histories, refusals, rights, roles, server_clock, training,
    upkeep,
};
use crate::lease::Written;
use crate::roles::Input as RolesInput;
use crate::scheduler::{Cancel, CancelInput, History, Input, Trouble};
use crate::shortening::shorten_capacity;

/// The tasks, and the ways to give them work.
pub(super) struct SideTasks {
    jetstream: jetstream::Context,
    reports: mpsc::Sender<Input>,
    histories: mpsc::UnboundedSender<histories::Change>,
    forecasts: forecasts::Keeper,
    lessons: mpsc::Sender<Vec<Lesson>>,
    upkeep: mpsc::Sender<upkeep::Order>,
    cancels: Bucket,
    capacity: Bucket,
    roles: Bucket,
    /// Time when room for outcomes was last made.
    reclaimed: Option<Time>,
    /// Keeps the clock set while it exists.
    _timekeeper: server_clock::Keeper,
}

impl SideTasks {
    /// Starts them; they end when this is dropped. `has_stack` shows whether there is a
    /// stack from before the start.
    pub(super) fn start(
        buckets: Buckets,
        upkeep: upkeep::Start,
        has_stack: bool,
        timekeeper: server_clock::Keeper,
    ) -> anyhow::Result<Self> {
        let reports = upkeep.reports.clone();
        let jetstream = upkeep.streams.jetstream.clone();
        let (histories, changes) = mpsc::unbounded_channel();
        tokio::spawn(histories::write(buckets.attempts, changes, reports.clone()));
        let lessons = training::start(reports.clone(), has_stack)?;
        Ok(Self {
            jetstream,
            histories,
            forecasts: forecasts::Keeper::start(buckets.forecasts),
            lessons,
            upkeep: upkeep::start(upkeep),
            cancels: buckets.cancels,
            capacity: buckets.capacity,
            roles: buckets.roles,
            reclaimed: None,
            _timekeeper: timekeeper,
            reports,
        })
    }

    /// Reports missing rights that the server notices later.
    pub(super) fn watch_rights(&self, connection: &Connection) {
        tokio::spawn(rights::watch(connection.clone(), self.reports.clone()));
    }

    /// Passes an input to the scheduler in its next turn.
    pub(super) fn report(&self, input: Input) {
        let reports = self.reports.clone();
        tokio::spawn(async move {
            // The receiver is gone only when the program ends.
            let _ = reports.send(input).await;
        });
    }

    /// Passes the input that some work ends with.
    fn report_end(&self, work: impl Future<Output = Input> + Send + 'static) {
        let reports = self.reports.clone();
        tokio::spawn(async move {
            // The receiver is gone only when the program ends.
            let _ = reports.send(work.await).await;
        });
    }

    /// Has the assets checked soon, as one may be missing.
    pub(super) fn check_assets(&self) {
        // If there is no room, a check is due already.
        let _ = self.upkeep.try_send(upkeep::Order::Check);
    }

    /// Orders the recovery from the task that owns the consumers.
    pub(super) fn recover(&self) {
        let upkeep = self.upkeep.clone();
        tokio::spawn(async move {
            // The receiver is gone only when this lead ends.
            let _ = upkeep.send(upkeep::Order::Recover).await;
        });
    }

    /// Stores the failed attempts of a job; `None` removes them.
    pub(super) fn save_history(&self, sequence: Sequence, history: Option<History>) {
        // The writer ends only with the program.
        let _ = self.histories.send((sequence, history));
    }

    pub(super) fn learn(&self, lessons: Vec<Lesson>) {
        // While the stack is fitted there may be no room for more lessons.
        drop(self.lessons.try_send(lessons));
    }

    pub(super) fn save_forecast(&self, node: &NodeId, bytes: Vec<u8>) {
        self.forecasts.keep(node, bytes);
    }

    pub(super) fn save_stack(&self, stack: &Stack) {
        self.forecasts.keep_stack(stack);
    }

    /// Waits until the forecasts are written, or a limit has passed.
    pub(super) async fn finish(self) {
        self.forecasts.finish().await;
    }

    /// Makes room for outcomes if the server has none; returns the trouble to report.
    pub(super) fn on_record_error(&mut self, now: Time, error: &ServerError) -> Option<Trouble> {
        let is_due = self
            .reclaimed
            .is_none_or(|last| now.since(last) >= refusals::RECLAIM_INTERVAL);
        if error.meaning() == Meaning::NoResources && is_due {
            self.reclaimed = Some(now);
            let jetstream = self.jetstream.clone();
            tokio::spawn(async move { refusals::reclaim(&jetstream).await });
        }
        refusals::trouble(STREAM_RESULTS, error)
    }

    pub(super) fn dead_letter(
        &self,
        record: Box<Record>,
        ack: Option<Ack>,
        message: Option<JobMessage>,
    ) {
        let jetstream = self.jetstream.clone();
        let reports = self.reports.clone();
        self.report_end(async move {
            let sequence = record.sequence;
            let result =
                dead_lettering::dead_letter(&jetstream, &record, ack.as_ref(), message).await;
            if let Err(error) = &result {
                tracing::warn!(event = "burial_failed", job = %record.job, "{error:#}");
                if let Some(trouble) = refusals::trouble_of(STREAM_DEAD, error) {
                    let _ = reports.send(Input::Troubled(trouble)).await;
                }
            }
            let is_done = result.is_ok();
            Input::DeadLettered { sequence, is_done }
        });
    }

    pub(super) fn store_cancel(&self, id: u64, cancel: Cancel) {
        let bucket = self.cancels.clone();
        self.report_end(async move {
            let result = cancels::store(&bucket, cancel).await;
            Input::Cancel(CancelInput::Stored { id, result })
        });
    }

    pub(super) fn forget_cancel(&self, job: JobId) {
        let bucket = self.cancels.clone();
        tokio::spawn(async move { cancels::forget(&bucket, &job).await });
    }

    /// Answers the cancel of a job that is not held.
    pub(super) fn answer_pending(&self, streams: Streams, answer: CancelAnswer, request: Request) {
        let reports = self.reports.clone();
        tokio::spawn(async move {
            if let Some(input) = cancels::answer_pending(streams, answer, request).await {
                // The receiver is gone only when the program ends.
                let _ = reports.send(input).await;
            }
        });
    }

    pub(super) fn remove_cancelled(&self, record: Box<Record>) {
        let jetstream = self.jetstream.clone();
        self.report_end(async move {
            let sequence = record.sequence;
            let result = dead_lettering::remove(&jetstream, *record).await;
            if let Err(error) = &result {
                tracing::warn!(event = "removal_failed", %sequence, "{error:#}");
            }
            let is_done = result.is_ok();
            Input::Cancel(CancelInput::Removed { sequence, is_done })
        });
    }

    pub(super) fn read_roles(&self, request: u64) {
        let bucket = self.roles.clone();
        self.report_end(async move { Input::Roles(roles::read(&bucket, request).await) });
    }

    pub(super) fn store_roles(&self, request: u64, revision: u64, document: Box<RoleDocument>) {
        let bucket = self.roles.clone();
        self.report_end(async move {
            let result: Written = roles::write(&bucket, revision, &document).await;
            Input::Roles(RolesInput::Stored { request, result })
        });
    }

    pub(super) fn publish_capacity(&self, mut map: Box<CapacityMap>) {
        let bucket = self.capacity.clone();
        let len_max = api::len_max(&self.jetstream.client(), Encoding::Json);
        tokio::spawn(async move {
            // Encoding a large map takes milliseconds; the loop must not wait.
            let encoded = spawn_blocking(move || {
                shorten_capacity(&mut map, Encoding::Json, len_max);
                encode(Encoding::Json, &*map)
            });
            let encoded = encoded.await;
            let Ok(value) = encoded else {
                return;
            };
            let stored = async {
                bucket.open().await?.put(KEY_CAPACITY, value.into()).await?;
                anyhow::Ok(())
            };
            if let Err(error) = stored.await {
                tracing::warn!(
                    event = "capacity_not_stored",
                    "capacity map not stored: {error:#}"
                );
            }
        });
    }
}
