//! The task that keeps the lease: it reads and writes the key in the control bucket, and
//! publishes until when the lease is held.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::jetstream::kv::{Store, UpdateError};
use rolecast_common::id::Epoch;
use rolecast_common::subjects::{BUCKET_CONTROL, KEY_DISPATCHER};
use rolecast_common::time::Time;
use rolecast_common::wire::{LeaseRecord, SealKey};
use rolecast_nats::{Clock, Meaning, meaning_of};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};

use super::holder::Holder;
use super::kv::{self, Newest};
use crate::lease::timing::{ANSWER_WAIT, JITTER_MAX};
use crate::lease::{Entry, Input, Lease, Output, Written};
use crate::seal::Seals;

/// Orders that may wait for the task; it takes them between two requests.
const ORDERS_MAX: usize = 16;
/// Interval of reports that the lease cannot be stored: it is tried several times a
/// second.
const REPORT_INTERVAL: Duration = Duration::from_secs(20);
const NOT_CONTENDED: &str = "the lease is not contended for any more";

/// The lease as held by this dispatcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldLease {
    pub(super) epoch: Epoch,
    pub(super) seals: Seals,
    /// End of the lease on this process's clock; renewed all the time.
    pub(super) until: Time,
}

enum Order {
    Observe(Epoch),
    Doubt,
    GiveBack(Duration),
    Resign,
}

/// The task that keeps the lease; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    held: watch::Receiver<Option<HeldLease>>,
    /// The epoch of the last lease that was returned. The lease may be lost and taken again
    /// between two readings: then a reader of the former lease must not use it.
    epoch: Epoch,
    holder: watch::Receiver<Option<Holder>>,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Starts to contend for the lease. `known` is the largest epoch known from any
    /// source; `incarnation` differs for each start of the program.
    pub(super) async fn start(
        jetstream: &jetstream::Context,
        clock: Clock,
        name: &str,
        incarnation: &str,
        known: Epoch,
    ) -> anyhow::Result<Self> {
        let bucket = jetstream.get_key_value(BUCKET_CONTROL).await;
        let bucket = bucket.context("cannot open the control bucket")?;
        let jitter = JITTER_MAX.mul_f32(fastrand::f32());
        let (name, incarnation) = (name.to_owned(), incarnation.to_owned());
        let lease = Lease::new(name, incarnation, known, new_key()?, jitter);
        let (shown, held) = watch::channel(None);
        let (named, holder) = watch::channel(None);
        let (orders, orders_in) = mpsc::channel(ORDERS_MAX);
        let task = Task {
            lease,
            bucket,
            clock,
            shown,
            named,
            reported: None,
        };
        Ok(Self {
            held,
            epoch: Epoch::default(),
            holder,
            orders,
            task: tokio::spawn(task.run(orders_in)),
        })
    }

    /// Whether the lease is held at this moment of the process's clock.
    pub(super) fn is_held(&self, now: Time) -> bool {
        self.until().is_some_and(|until| now < until)
    }

    /// Returns the end of the lease, if it is held.
    pub(super) fn until(&self) -> Option<Time> {
        until(self.held.borrow().as_ref(), self.epoch)
    }

    /// Returns the dispatcher that the key named last.
    pub(super) fn holder(&self) -> watch::Receiver<Option<Holder>> {
        self.holder.clone()
    }

    /// Returns a view by which another task sees whether the lease is held.
    pub(super) fn view(&self) -> View {
        View {
            held: self.held.clone(),
            epoch: self.epoch,
        }
    }

    /// Waits until the lease is held.
    pub(super) async fn taken(&mut self) -> anyhow::Result<HeldLease> {
        let held = self.held.wait_for(Option::is_some).await;
        let held = held.context(NOT_CONTENDED)?.clone();
        let held = held.context("it was just held")?;
        self.epoch = held.epoch;
        Ok(held)
    }

    /// Waits until it is renewed or lost; returns its end. A time after a pause in which
    /// it was not held means that no other dispatcher took it meanwhile.
    pub(super) async fn changed(&mut self) -> Option<Time> {
        // The task ends only with this.
        let _ = self.held.changed().await;
        until(self.held.borrow_and_update().as_ref(), self.epoch)
    }

    /// Reports an epoch that was seen elsewhere.
    pub(super) fn observe(&self, epoch: Epoch) {
        // If there is no room, the next heartbeat reports it.
        let _ = self.orders.try_send(Order::Observe(epoch));
    }

    /// Has the key read at once: a later epoch was reported.
    pub(super) fn doubt(&self) {
        // If there is no room, it is read or written within a moment anyway.
        let _ = self.orders.try_send(Order::Doubt);
    }

    /// Gives the lease back, for another dispatcher to take it, and contends for it
    /// again after a pause: this one may fare better then.
    pub(super) async fn give_back(&mut self, pause: Duration) -> anyhow::Result<()> {
        let sent = self.orders.send(Order::GiveBack(pause)).await;
        sent.ok().context(NOT_CONTENDED)?;
        let given = self.held.wait_for(Option::is_none).await;
        given.map(drop).context(NOT_CONTENDED)
    }

    /// Gives the lease up, so that another dispatcher need not wait for its end.
    pub(super) async fn resign(mut self) {
        if self.orders.send(Order::Resign).await.is_ok() {
            let ended = timeout(2 * ANSWER_WAIT, &mut self.task).await;
            tracing::debug!(event = "lease_resigned", ok = ended.is_ok());
        }
    }
}

/// A view that shows whether the lease is held.
#[derive(Clone, Debug)]
pub(super) struct View {
    held: watch::Receiver<Option<HeldLease>>,
    epoch: Epoch,
}

impl View {
    pub(super) fn is_held(&self, now: Time) -> bool {
        until(self.held.borrow().as_ref(), self.epoch).is_some_and(|until| now < until)
    }
}

/// Returns the end of the lease, if it is held under the epoch.
fn until(held: Option<&HeldLease>, epoch: Epoch) -> Option<Time> {
    held.filter(|held| held.epoch == epoch)
        .map(|held| held.until)
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task {
    lease: Lease,
    bucket: Store,
    clock: Clock,
    shown: watch::Sender<Option<HeldLease>>,
    named: watch::Sender<Option<Holder>>,
    /// Time of the last report that the bucket has no room.
    reported: Option<Time>,
}

impl Task {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let (mut epoch, mut seals) = (Epoch::default(), Seals::default());
        loop {
            let due = self.clock.instant(self.lease.next_deadline());
            let order = tokio::select! {
                () = sleep_until(due.into()) => None,
                order = orders.recv() => match order {
                    Some(order) => Some(order),
                    None => return,
                },
            };
            let is_over = matches!(order, Some(Order::Resign));
            let mut inputs = match order {
                None => vec![Input::Tick],
                Some(Order::Resign) => vec![Input::Resign],
                Some(Order::Doubt) => vec![Input::Doubt],
                Some(Order::GiveBack(pause)) => vec![Input::GiveBack { pause }],
                Some(Order::Observe(epoch)) => {
                    self.lease.observe(epoch);
                    Vec::new()
                }
            };
            while let Some(input) = inputs.pop() {
                let mut outputs = Vec::new();
                self.lease
                    .handle(self.clock.now().time, input, &mut outputs);
                for output in outputs {
                    inputs.extend(self.carry_out(output, &mut epoch, &mut seals).await);
                }
                let until = self.lease.held_until();
                let held = until.map(|until| HeldLease {
                    epoch,
                    seals: seals.clone(),
                    until,
                });
                self.shown.send_if_modified(|shown| {
                    let is_new = *shown != held;
                    *shown = held;
                    is_new
                });
            }
            if is_over {
                return;
            }
        }
    }

    async fn carry_out(
        &mut self,
        output: Output,
        held: &mut Epoch,
        known: &mut Seals,
    ) -> Option<Input> {
        match output {
            Output::Read { asked } => return Some(self.read(asked).await),
            Output::Write {
                asked,
                revision,
                record,
            } => {
                let result = self.write(revision, &record).await;
                if matches!(result, Written::Done(_)) {
                    self.show_holder(Holder::of(&record));
                }
                return Some(Input::Written { asked, result });
            }
            Output::Lead { epoch, seals } => {
                (*held, *known) = (epoch, seals);
                tracing::info!(event = "lease_taken", %epoch, "this dispatcher leads");
            }
            Output::StepDown { reason } => {
                tracing::warn!(event = "lease_lost", "stepping down: {reason}");
            }
            Output::RolledBack { .. } | Output::Lost | Output::Unreadable { .. } => warn(&output),
        }
        None
    }

    async fn read(&self, asked: Time) -> Input {
        let read = timeout(ANSWER_WAIT, kv::newest(&self.bucket, KEY_DISPATCHER)).await;
        match read.map_err(anyhow::Error::from) {
            Ok(Ok(newest)) => {
                let entry = parse(newest);
                self.show_holder(match &entry {
                    Entry::Record { record, .. } => Holder::of(record),
                    Entry::Missing | Entry::Deleted { .. } | Entry::Unreadable { .. } => None,
                });
                Input::Read { asked, entry }
            }
            Ok(Err(error)) => unread(asked, &error),
            Err(error) => unread(asked, &error),
        }
    }

    async fn write(&mut self, revision: u64, record: &LeaseRecord) -> Written {
        let Ok(value) = serde_json::to_vec(record) else {
            return Written::Unknown;
        };
        let update = self.bucket.update(KEY_DISPATCHER, value.into(), revision);
        match timeout(ANSWER_WAIT, update).await {
            Ok(Ok(revision)) => Written::Done(revision),
            Ok(Err(error)) if meaning_of(&error) == Some(Meaning::Conflict) => Written::Conflict,
            Ok(Err(error)) => {
                if meaning_of(&error).is_some_and(Meaning::is_out_of_room) {
                    self.report_full(&error);
                }
                Written::Unknown
            }
            Err(_) => Written::Unknown,
        }
    }

    fn show_holder(&self, holder: Option<Holder>) {
        self.named.send_if_modified(|shown| {
            let is_new = *shown != holder;
            *shown = holder;
            is_new
        });
    }

    fn report_full(&mut self, error: &UpdateError) {
        let now = self.clock.now().time;
        let is_due = self
            .reported
            .is_none_or(|last| now.since(last) >= REPORT_INTERVAL);
        if is_due {
            self.reported = Some(now);
            tracing::error!(
                event = "lease_not_stored",
                "no dispatcher can lead, because the server stores nothing ({error}): raise \
                 max_file_store of nats-server or the account's limit, or delete streams and \
                 messages that are not needed"
            );
        }
    }
}

fn parse(newest: Newest) -> Entry {
    match newest {
        Newest::Missing => Entry::Missing,
        Newest::Deleted { revision } => Entry::Deleted { revision },
        Newest::Value { revision, value } => match serde_json::from_slice(&value) {
            Ok(record) if is_possible(&record) => Entry::Record { revision, record },
            Ok(_) | Err(_) => Entry::Unreadable { revision },
        },
    }
}

/// Returns whether there is room for epochs above its own.
fn is_possible(record: &LeaseRecord) -> bool {
    Epoch::default().may_reach(record.epoch)
}

/// Generates the key of this start's seals.
fn new_key() -> anyhow::Result<SealKey> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    Ok(SealKey::new(bytes))
}

/// Reports faults of the key.
fn warn(output: &Output) {
    match output {
        Output::RolledBack { known, found } => tracing::error!(
            event = "bucket_rolled_back",
            %known,
            %found,
            "the control bucket was set back: it has epoch {found}, and {known} was seen \
            before; this dispatcher leads under a later epoch. Check the stores of nats-server"
        ),
        Output::Lost => tracing::error!(
            event = "lease_key_lost",
            "key {KEY_DISPATCHER} in bucket {BUCKET_CONTROL} was deleted; it is written again \
             within seconds, and nothing needs to be done. Find out who deletes it"
        ),
        Output::Unreadable { revision } => tracing::error!(
            event = "lease_key_unreadable",
            revision,
            "key {KEY_DISPATCHER} in bucket {BUCKET_CONTROL} has a value that no dispatcher \
            wrote; it is overwritten within seconds. If this happens again: nats kv del \
             {BUCKET_CONTROL} {KEY_DISPATCHER} --force"
        ),
        Output::Read { .. }
        | Output::Write { .. }
        | Output::Lead { .. }
        | Output::StepDown { .. } => {}
    }
}

fn unread(asked: Time, error: &anyhow::Error) -> Input {
    tracing::debug!(event = "lease_unread", "cannot read the lease: {error:#}");
    Input::Unread { asked }
}

/// Time for which a dispatcher stands by before it reports that.
pub(super) const STANDBY_REPORT_DELAY: Duration = Duration::from_millis(700);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_whose_epoch_leaves_no_room_for_others_is_no_record() {
        let read = |epoch: u64| {
            let value = format!(r#"{{"epoch":{epoch},"name":"d"}}"#).into_bytes();
            parse(Newest::Value {
                revision: 3,
                value: value.into(),
            })
        };
        assert!(matches!(read(7), Entry::Record { revision: 3, .. }));
        assert_eq!(read(u64::MAX), Entry::Unreadable { revision: 3 });
    }

    #[tokio::test]
    async fn a_lease_that_was_lost_and_taken_again_between_two_readings_was_lost() {
        let (shown, held) = watch::channel(None);
        let (orders, _orders) = mpsc::channel(1);
        let epoch = Epoch::default();
        let task = tokio::spawn(std::future::pending());
        let mut keeper = Keeper {
            held,
            epoch,
            holder: watch::channel(None).1,
            orders,
            task,
        };
        let until = |millis| Time::from_start(Duration::from_millis(millis));
        let hold = |epoch, millis| {
            let (epoch, until) = (Epoch::new(epoch), until(millis));
            let seals = Seals::default();
            shown.send_replace(Some(HeldLease {
                epoch,
                seals,
                until,
            }));
        };
        hold(5, 1000);
        assert_eq!(keeper.taken().await.unwrap().epoch, Epoch::new(5));
        hold(5, 1300);
        assert_eq!(keeper.changed().await, Some(until(1300)));
        let view = keeper.view();
        shown.send_replace(None);
        hold(7, 9000);
        assert_eq!(keeper.changed().await, None);
        assert!(!keeper.is_held(until(2000)) && !view.is_held(until(2000)));
    }
}
