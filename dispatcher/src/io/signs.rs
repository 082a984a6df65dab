//! The task that publishes this dispatcher's signs of life, and observes those of others.

use std::net::SocketAddr;
use std::time::Duration;

use async_nats::Client;
use futures_util::StreamExt as _;
use rolecast_common::id::Epoch;
use rolecast_common::subjects::DISPATCHER;
use rolecast_common::wire::{DispatcherSign, DispatcherStatus, Encoding, VERSION, decode, encode};
use rolecast_nats::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::attendance::{Attendance, SIGN_INTERVAL};

/// Time that the last sign may take: NATS may be away.
const LEAVE_LIMIT: Duration = Duration::from_millis(500);

/// The signs of this dispatcher; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Signs {
    client: Client,
    sign: watch::Sender<DispatcherSign>,
    seen: watch::Receiver<Vec<DispatcherStatus>>,
    task: JoinHandle<()>,
}

impl Signs {
    /// `page` is the address of its page, if it has one.
    pub(super) fn start(
        client: &Client,
        clock: Clock,
        (name, incarnation): (&str, &str),
        page: Option<SocketAddr>,
    ) -> Self {
        let sign = DispatcherSign {
            v: VERSION,
            name: name.to_owned(),
            incarnation: incarnation.to_owned(),
            leads: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            page: page.map_or(String::new(), |page| page.to_string()),
            is_leaving: false,
        };
        let (seen_out, seen) = watch::channel(Vec::new());
        let (sign, signs) = watch::channel(sign);
        let task = tokio::spawn(run(client.clone(), clock, signs, seen_out));
        Self {
            client: client.clone(),
            sign,
            seen,
            task,
        }
    }

    /// Shows from now on that this dispatcher leads, or stands by.
    pub(super) fn set_lead(&self, leads: Option<Epoch>) {
        self.sign.send_modify(|sign| sign.leads = leads);
    }

    /// Returns a view of the dispatchers that were seen.
    pub(super) fn seen(&self) -> watch::Receiver<Vec<DispatcherStatus>> {
        self.seen.clone()
    }

    /// Announces that this dispatcher was asked to stop.
    pub(super) async fn leave(self) {
        self.task.abort();
        let sign = DispatcherSign {
            is_leaving: true,
            ..self.sign.borrow().clone()
        };
        let left = async {
            publish(&self.client, &sign).await;
            let _ = self.client.flush().await;
        };
        let _ = timeout(LEAVE_LIMIT, left).await;
    }
}

impl Drop for Signs {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    client: Client,
    clock: Clock,
    mut own: watch::Receiver<DispatcherSign>,
    seen: watch::Sender<Vec<DispatcherStatus>>,
) {
    let Ok(mut signs) = client.subscribe(DISPATCHER).await else {
        return;
    };
    let incarnation = own.borrow().incarnation.clone();
    let mut attendance = Attendance::new(clock.now().time, &incarnation);
    let mut ticks = interval(SIGN_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = own.changed() => if changed.is_err() {
                return;
            },
            message = signs.next() => {
                let Some(message) = message else {
                    return;
                };
                let now = clock.now().time;
                if let Ok(sign) = decode(Encoding::MessagePack, &message.payload) {
                    attendance.observe(now, sign).iter().for_each(report);
                    seen.send_replace(attendance.list(now));
                }
                continue;
            }
        }
        let sign = own.borrow_and_update().clone();
        publish(&client, &sign).await;
    }
}

async fn publish(client: &Client, sign: &DispatcherSign) {
    let payload = encode(Encoding::MessagePack, sign);
    if let Err(error) = client.publish(DISPATCHER, payload.into()).await {
        tracing::debug!(event = "sign_not_sent", "{error}");
    }
}

fn report(silent: &DispatcherSign) {
    let DispatcherSign {
        name, incarnation, ..
    } = silent;
    let led = silent.leads.is_some();
    tracing::warn!(
        event = "dispatcher_silent",
        name,
        incarnation,
        led,
        "gives no sign of life and did not announce its end; start it again"
    );
}
