//! Execution of the role coordinator's commands, and intake of operators' orders.

use anyhow::Context as _;
use async_nats::Message;
use foldhash::{HashMap, HashMapExt as _};
use rolecast_common::id::NodeId;
use rolecast_common::subjects::{self, BUCKET_ROLES, KEY_ASSIGNMENTS};
use rolecast_common::wire::{
    self, Done, Encoding, RoleAssignment, RoleDocument, RoleOrder, RoleOrderKind, VERSION,
};
use rolecast_nats::{Meaning, meaning_of};

use super::bucket::Bucket;
use super::leader::Leader;
use super::{api, kv};
use crate::lease::Written;
use crate::roles::{Answer, Input, Order, Output};
use crate::scheduler;

/// The most orders that may wait for their end; more are refused.
const ORDERS_MAX: usize = 1000;

/// The requests that wait for an answer, by the number of the order.
#[derive(Debug)]
pub(super) struct Orders {
    waiting: HashMap<u64, Message>,
    next: u64,
}

impl Orders {
    pub(super) fn new() -> Self {
        Self {
            waiting: HashMap::new(),
            next: 0,
        }
    }
}

impl Leader {
    pub(super) fn order(&mut self, request: Message) {
        let order = match read_order(&request) {
            Ok(_) if self.orders.waiting.len() >= ORDERS_MAX => {
                Err("too many orders wait; ask again".to_owned())
            }
            read => read,
        };
        match order {
            Ok(order) => {
                self.orders.next += 1;
                let id = self.orders.next;
                self.orders.waiting.insert(id, request);
                self.tell(scheduler::Input::Roles(Input::Order { id, order }));
            }
            Err(why) => {
                tokio::spawn(api::refuse(self.streams.clone(), why, request));
            }
        }
    }

    pub(super) async fn carry_out_roles(
        &mut self,
        output: Output,
        may_send: bool,
    ) -> anyhow::Result<()> {
        match output {
            Output::Read { request } if !may_send => {
                self.report(scheduler::Input::Roles(Input::Unread { request }));
            }
            Output::Store { request, .. } if !may_send => {
                let result = Written::Unknown;
                self.report(scheduler::Input::Roles(Input::Stored { request, result }));
            }
            Output::Assign { .. } if !may_send => {}
            Output::Read { request } => {
                let (bucket, reports) = (self.roles.clone(), self.reports.clone());
                tokio::spawn(async move {
                    let input = scheduler::Input::Roles(read(&bucket, request).await);
                    // The receiver is gone only when the program ends.
                    let _ = reports.send(input).await;
                });
            }
            Output::Store {
                request,
                revision,
                document,
            } => {
                let (bucket, reports) = (self.roles.clone(), self.reports.clone());
                tokio::spawn(async move {
                    let result = write(&bucket, revision, &document).await;
                    let input = scheduler::Input::Roles(Input::Stored { request, result });
                    // The receiver is gone only when the program ends.
                    let _ = reports.send(input).await;
                });
            }
            Output::Assign { node, assignment } => self.assign(&node, &assignment).await?,
            Output::Answer { id, result } => self.answer(id, result),
            Output::Event(_) => {}
        }
        Ok(())
    }

    async fn assign(&self, node: &NodeId, assignment: &RoleAssignment) -> anyhow::Result<()> {
        let payload = wire::encode(Encoding::MessagePack, assignment).into();
        let client = &self.connection.client;
        client.publish(subjects::node_roles(node), payload).await?;
        Ok(())
    }

    fn answer(&mut self, id: u64, result: Answer) {
        let Some(request) = self.orders.waiting.remove(&id) else {
            return;
        };
        let streams = self.streams.clone();
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

fn read_order(request: &Message) -> Result<Order, String> {
    let order: RoleOrder = api::body(request).map_err(|error| error.to_string())?;
    Ok(match order.order {
        RoleOrderKind::Set { role, node } => Order::Set { role, node },
        RoleOrderKind::Swap { role, from, to } => Order::Swap { role, from, to },
        RoleOrderKind::Drain { node } => Order::Drain(node),
        RoleOrderKind::Undrain { node } => Order::Undrain(node),
    })
}

async fn read(bucket: &Bucket, request: u64) -> Input {
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
        Err(error) => {
            tracing::error!(
                event = "roles_unread",
                "cannot read who holds which role: {error:#}"
            );
            Input::Unread { request }
        }
    }
}

async fn write(bucket: &Bucket, revision: u64, document: &RoleDocument) -> Written {
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
