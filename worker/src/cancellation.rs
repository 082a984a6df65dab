//! Notice to a handler that its job is cancelled.

use std::fmt;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, pending};

/// Ends when the job is cancelled; its clones end together.
#[derive(Clone)]
pub(crate) struct Cancellation(Shared<BoxFuture<'static, ()>>);

impl Cancellation {
    pub(crate) fn new(cancelled: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(cancelled.boxed().shared())
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.clone().now_or_never().is_some()
    }

    pub(crate) fn cancelled(&self) -> Shared<BoxFuture<'static, ()>> {
        self.0.clone()
    }
}

impl Default for Cancellation {
    /// Returns one of a job that is never cancelled.
    fn default() -> Self {
        Self::new(pending())
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancellation")
    }
}
