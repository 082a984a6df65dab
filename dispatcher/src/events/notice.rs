//! Content of a published event.

use std::time::Duration;

use rolecast_common::id::Epoch;
use rolecast_common::time::format_duration;
use serde_json::{Map, Value};

use super::kind::Kind;

/// Characters of a text that are kept: reasons of jobs and nodes have as many at most.
const TEXT_CHARS_MAX: usize = 1_000;

/// The content of a published event: all but what depends on its publisher.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notice {
    pub(crate) kind: Kind,
    /// The thing that it is about.
    pub(crate) subject: String,
    pub(crate) data: Map<String, Value>,
}

impl Notice {
    pub(super) fn new(
        kind: Kind,
        subject: &(impl ToString + ?Sized),
        message: impl Into<String>,
    ) -> Self {
        let notice = Self {
            kind,
            subject: subject.to_string(),
            data: Map::new(),
        };
        notice.with("message", message.into())
    }

    /// Adds a field, which the catalogue must have.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        let form = self.kind.form();
        assert!(form.has(field), "{} has no field {field}", form.name);
        let mut value = value.into();
        if let Value::String(text) = &mut value {
            *text = text.chars().take(TEXT_CHARS_MAX).collect();
        }
        self.data.insert(field.to_owned(), value);
        self
    }

    /// Adds a field that may be absent.
    pub(super) fn with_some(self, field: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(field, value),
            None => self,
        }
    }

    /// Returns the event that a dispatcher leads.
    pub(crate) fn lease_taken(dispatcher: &str, epoch: Epoch) -> Self {
        let message = format!("dispatcher {dispatcher} leads in epoch {epoch}");
        Self::new(Kind::LeaseTaken, dispatcher, message).with("epoch", epoch.get())
    }

    /// Returns the event that a dispatcher leads no longer.
    pub(crate) fn lease_lost(dispatcher: &str, epoch: Epoch, reason: &str) -> Self {
        let message = format!("dispatcher {dispatcher} stops leading: {reason}");
        Self::new(Kind::LeaseLost, dispatcher, message)
            .with("epoch", epoch.get())
            .with("reason", reason)
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns a duration in whole seconds, as text.
pub(super) fn rounded(duration: Duration) -> String {
    format_duration(Duration::from_secs(duration.as_secs()))
}
