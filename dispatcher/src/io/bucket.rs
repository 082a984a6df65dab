//! A bucket that is opened at its first use: while it has no leader, nothing else has to
//! wait for it.

use std::sync::Arc;

use anyhow::Context as _;
use async_nats::jetstream::{self, kv::Store};
use rolecast_common::subjects;
use tokio::sync::OnceCell;

/// A bucket, by its name.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    jetstream: jetstream::Context,
    name: &'static str,
    store: Arc<OnceCell<Store>>,
}

impl Bucket {
    pub(super) fn new(jetstream: &jetstream::Context, name: &'static str) -> Self {
        Self {
            jetstream: jetstream.clone(),
            name,
            store: Arc::default(),
        }
    }

    /// Returns the store; opens it if that was not possible before.
    pub(super) async fn open(&self) -> anyhow::Result<&Store> {
        let open = async || {
            let store = self.jetstream.get_key_value(self.name).await;
            store.with_context(|| format!("cannot open bucket {}", self.name))
        };
        self.store.get_or_try_init(open).await
    }
}

/// The buckets that a dispatcher writes to while it runs.
#[derive(Debug)]
pub(super) struct Buckets {
    pub(super) attempts: Bucket,
    pub(super) cancels: Bucket,
    pub(super) capacity: Bucket,
    pub(super) forecasts: Bucket,
    pub(super) roles: Bucket,
}

impl Buckets {
    pub(super) fn new(jetstream: &jetstream::Context) -> Self {
        Self {
            attempts: Bucket::new(jetstream, subjects::BUCKET_ATTEMPTS),
            cancels: Bucket::new(jetstream, subjects::BUCKET_CANCELS),
            capacity: Bucket::new(jetstream, subjects::BUCKET_CAPACITY),
            forecasts: Bucket::new(jetstream, subjects::BUCKET_FORECASTS),
            roles: Bucket::new(jetstream, subjects::BUCKET_ROLES),
        }
    }
}
