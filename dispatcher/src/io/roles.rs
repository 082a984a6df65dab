//! Orders of operators that move roles, and the stored document of the roles.

use anyhow::Context as _;
use foldhash::HashMap;
use rolecast_common::subjects::{BUCKET_ROLES, KEY_ASSIGNMENTS};
use rolecast_common::wire::{
    self, Done, Encoding, RoleDocument, RoleOrder, RoleOrderKind, VERSION,
};
use rolecast_nats::{Meaning, meaning_of};

use super::bucket::Bucket;
use super::request::Request;
use super::{Streams, api, kv};
use crate::lease::Written;
use crate::roles::{Answer, Input, Order};
use crate::scheduler;

/// The most orders that may wait for their end; more are refused.
const ORDERS_MAX: usize = 1000;

/// The requests that wait for an answer, by the number of the order.
#[derive(Debug, Default)]
pub(super) struct WaitingOrders {
    waiting: HashMap<u64, Request>,
    next: u64,
}

impl WaitingOrders {
    /// Accepts an order, and returns the input that it is; or refuses it.
    pub(super) fn accept(
        &mut self,
        streams: &Streams,
        request: Request,
    ) -> Option<scheduler::Input> {
        let order = match read_order(&request) {
            Ok(_) if self.waiting.len() >= ORDERS_MAX => {
                Err("too many orders wait; ask again".to_owned())
            }
            read => read,
        };
        match order {
            Ok(order) => {
                self.next += 1;
                let id = self.next;
                self.waiting.insert(id, request);
                Some(scheduler::Input::Roles(Input::Order { id, order }))
            }
            Err(why) => {
                tokio::spawn(api::refuse(streams.clone(), why, request));
                None
            }
        }
    }

    /// Answers an order; once for each.
    pub(super) fn answer(&mut self, streams: &Streams, id: u64, result: Answer) {
        let Some(request) = self.waiting.remove(&id) else {
            return;
        };
        let streams = streams.clone();
        match result {
            Ok(()) => {
                let done = Done { v: VERSION };
                tokio::spawn(api::answer(streams, done, request));
            }
            Err(refusal) => {
                tokio::spawn(api::refuse(streams, refusal.to_string(), request));
            }
        }
    }
}

fn read_order(request: &Request) -> Result<Order, String> {
    let order: RoleOrder = api::body(request).map_err(|error| error.to_string())?;
    Ok(match order.order {
        RoleOrderKind::Set { role, node } => Order::Set { role, node },
        RoleOrderKind::Swap { role, from, to } => Order::Swap { role, from, to },
        RoleOrderKind::Drain { node } => Order::Drain(node),
        RoleOrderKind::Undrain { node } => Order::Undrain(node),
    })
}

/// Reads the document.
pub(super) async fn read(bucket: &Bucket, request: u64) -> Input {
    let entry = async {
        let bucket = bucket.open().await?;
        let Some((revision, value)) = kv::kept(bucket, KEY_ASSIGNMENTS).await? else {
            return anyhow::Ok(None);
        };
        let document: RoleDocument = wire::decode(Encoding::Json, &value)
            .with_context(|| format!("key {KEY_ASSIGNMENTS} in bucket {BUCKET_ROLES}"))?;
        anyhow::Ok(Some((revision, document)))
    };
    match entry.await {
        Ok(entry) => Input::Read { request, entry },
        // At the first start the bucket is created while it is read; it is read again.
        Err(error) if meaning_of(&*error) == Some(Meaning::StreamMissing) => {
            tracing::debug!(event = "roles_unread", "{error:#}");
            Input::Unread { request }
        }
        Err(error) => {
            tracing::error!(
                event = "roles_unread",
                "cannot read the holders of roles: {error:#}"
            );
            Input::Unread { request }
        }
    }
}

/// Writes the document if the key still has this revision.
pub(super) async fn write(bucket: &Bucket, revision: u64, document: &RoleDocument) -> Written {
    let Ok(bucket) = bucket.open().await else {
        return Written::Unknown;
    };
    let value = wire::encode(Encoding::Json, document);
    match bucket.update(KEY_ASSIGNMENTS, value.into(), revision).await {
        Ok(revision) => Written::Done(revision),
        Err(error) if meaning_of(&error) == Some(Meaning::Conflict) => Written::Conflict,
        // One that is in flight included: reading again shows which one is stored.
        Err(_) => Written::Unknown,
    }
}
