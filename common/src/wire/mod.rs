//! Messages: their fields and their encoding.
//!
//! A message is a MessagePack map with field names; where its `Content-Type`
//! header is `application/json` it is the same object in JSON, and is
//! answered in JSON. Unknown fields are ignored, so newer programs can add
//! some; `v` names the version, and another one is refused. Size and depth are
//! limited before decoding, trailing bytes are refused, and every number is
//! finite by its type.

mod admission;
mod blob;
mod cancel;
mod capacity;
mod decision;
mod event;
mod forecast;
mod forecast_mode;
mod heartbeat;
mod job_list;
mod lease_record;
mod lenient;
mod log;
mod node_view;
mod outcome;
mod profile;
mod progress;
mod record;
mod role_document;
mod role_view;
mod roles;
mod shape;
mod share;
mod status;
mod status_page;
mod surroundings;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::bounds::{
    CATEGORIES_MAX, JOBS_IN_HAND_MAX, LOG_LEN_MAX, OUTCOMES_MAX, PROGRESS_CHARS_MAX,
    REMARK_CHARS_MAX, ROLES_MAX,
};
pub use admission::{Admission, AdmissionVerdict};
pub use blob::Blob;
pub use cancel::{AttemptCancel, CancelAnswer, CancelCounts, CancelFate, CancelRequest};
pub use capacity::{CapacityAt, CapacityMap, NodeCapacity, ResourceBand, RoleCapacity};
pub use decision::{Decision, DecisionNeeds, DecisionNode, Verdict};
pub use event::{CLOUD_EVENTS_VERSION, CONTENT_TYPE_EVENT, CloudEvent, EventsPage, EventsRequest};
pub use forecast::{
    AccuracyAt, ForecastAt, ForecastView, PastForecast, PastForecasts, ResourceForecast, WeightsAt,
};
pub use forecast_mode::ForecastMode;
pub use heartbeat::{Heartbeat, Pressure, Usage};
pub use job_list::{JobList, JobTotals, JobsRequest, ListedJob};
pub use lease_record::{LeaseRecord, SealEra, SealKey};
pub use log::{AttemptLog, LogPage, LogRequest};
pub use node_view::{NodeRefusal, NodeView};
pub use outcome::{JobUsage, Outcome, OutcomeBatch, OutcomeStatus};
pub use profile::{LearnedProfile, ProfileView};
pub use progress::{JobProgress, Progress, ProgressView};
pub use record::{FailedAttempt, LostAttempt, Record, RecordStatus};
pub use role_document::{
    Figures, PAST_CHANGES_MAX, PastRoleChange, RoleChange, RoleChangeResult, RoleDocument,
    RolePhase, Why,
};
pub use role_view::{Done, ManagedRole, RoleOrder, RoleOrderKind, RolesView};
pub use roles::{RoleAssignment, RoleFailure, RoleVersion};
pub use share::Share;
pub use status::{
    CategoryStatus, Counters, Distrust, DistrustKind, JobState, JobView, NodeHealth, NodeStatus,
    RefusedSender, RoleStatus, Status, Trouble,
};
pub use status_page::{StatusCursor, StatusRequest, Totals};
pub use surroundings::{
    DispatcherSign, DispatcherState, DispatcherStatus, NatsStatus, StreamStatus, VacantRole,
};

/// The version every message carries in `v`.
pub const VERSION: u8 = 1;
/// The largest heartbeat accepted: 1,024 jobs in hand fit.
pub const HEARTBEAT_LEN_MAX: usize = 256 * 1024;
/// The largest of all other messages: NATS's own default limit.
pub const MESSAGE_LEN_MAX: usize = 1024 * 1024;

const CONTENT_TYPE_JSON: &str = "application/json";

/// The header that names a message's encoding.
pub const HEADER_CONTENT_TYPE: &str = "Content-Type";
/// The headers of an error answer: its reason, and a status code as in HTTP. The names
/// are those of NATS's own service API.
pub const HEADER_ERROR: &str = "Nats-Service-Error";
pub const HEADER_ERROR_CODE: &str = "Nats-Service-Error-Code";
/// The code of a request that cannot be answered, and of one about something that does
/// not exist.
pub const ERROR_REQUEST: &str = "400";
pub const ERROR_MISSING: &str = "404";

/// Encoding of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    MessagePack,
    Json,
}

impl Encoding {
    /// Reads the `Content-Type` header's value; MessagePack without one.
    pub fn of(content_type: Option<&str>) -> Self {
        match content_type {
            Some(value) if value.trim_start().starts_with(CONTENT_TYPE_JSON) => Encoding::Json,
            Some(_) | None => Encoding::MessagePack,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Encoding::MessagePack => "application/msgpack",
            Encoding::Json => CONTENT_TYPE_JSON,
        }
    }
}

/// A message of a known version.
pub trait Message: Serialize + DeserializeOwned {
    /// The most bytes one may have.
    const LEN_MAX: usize = MESSAGE_LEN_MAX;

    /// Returns the field `v`.
    fn version(&self) -> u8;
}

/// Bytes that are not the expected message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("message of {len} bytes is larger than {max}")]
    TooLarge { len: usize, max: usize },
    #[error("message is not a map with field names")]
    NotAMap,
    #[error("message ends too early")]
    Incomplete,
    #[error("message is nested too deep")]
    TooDeep,
    #[error("message has {0} bytes after its end")]
    TrailingBytes(usize),
    #[error("message has version {0}, this program reads {VERSION}")]
    Version(u8),
    #[error("message cannot be decoded: {0}")]
    Undecodable(String),
}

/// Writes a message.
pub fn encode<M: Message>(encoding: Encoding, message: &M) -> Vec<u8> {
    write(encoding, message)
}

/// Returns how many bytes a message, or a part of one, takes.
pub fn encoded_len<T: Serialize>(encoding: Encoding, part: &T) -> usize {
    write(encoding, part).len()
}

fn write<T: Serialize>(encoding: Encoding, part: &T) -> Vec<u8> {
    match encoding {
        Encoding::MessagePack => {
            rmp_serde::to_vec_named(part).expect("our messages have no unserialisable field")
        }
        Encoding::Json => {
            serde_json::to_vec(part).expect("our messages have no unserialisable field")
        }
    }
}

/// Reads a message, and refuses one that is too large, too deep, or followed by more
/// bytes.
pub fn decode<M: Message>(encoding: Encoding, bytes: &[u8]) -> Result<M, Malformed> {
    if bytes.len() > M::LEN_MAX {
        return Err(Malformed::TooLarge {
            len: bytes.len(),
            max: M::LEN_MAX,
        });
    }
    let message: M = match encoding {
        Encoding::MessagePack => decode_message_pack(bytes)?,
        Encoding::Json => decode_json(bytes)?,
    };
    if message.version() != VERSION {
        return Err(Malformed::Version(message.version()));
    }
    Ok(message)
}

/// Reads it as it is, and if that fails rewritten to our own form: so a well-formed
/// message, as nearly all are, costs nothing more.
fn decode_message_pack<M: Message>(bytes: &[u8]) -> Result<M, Malformed> {
    shape::check(bytes)?;
    let strict = match rmp_serde::from_slice(bytes) {
        Ok(message) => return Ok(message),
        Err(error) => error,
    };
    let rewritten = lenient::rewrite(bytes);
    let read = rewritten.map_or(Err(strict), |bytes| rmp_serde::from_slice(&bytes));
    read.map_err(|error| Malformed::Undecodable(quoted(&error.to_string())))
}

fn decode_json<M: Message>(bytes: &[u8]) -> Result<M, Malformed> {
    shape::check_json(bytes)?;
    let strict = match serde_json::from_slice(bytes) {
        Ok(message) => return Ok(message),
        Err(error) => error,
    };
    let value = serde_json::from_slice(bytes).ok();
    let read = value.map_or(Err(strict), |value| {
        serde_json::from_value(lenient::rewrite_json(value))
    });
    read.map_err(|error| Malformed::Undecodable(quoted(&error.to_string())))
}

/// Whether a count is better left out of a message.
#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Keeps hostile input from filling a log line.
fn quoted(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
