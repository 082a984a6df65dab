//! Progress of a running job, as its worker reports it.

use serde::{Deserialize, Serialize};

use super::{Share, share};
use crate::bounds;
use crate::time::WallTime;

/// The part of a job that is done, and a text for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub done: Share,
    pub text: String,
}

impl Progress {
    /// Returns a progress with the nearest permitted values: a part from 0 to 1, in
    /// thousandths, and a text of one line and bounded length.
    pub fn clamped(done: f64, text: &str) -> Self {
        Self {
            done: Share::clamped((done * 1000.0).round() / 1000.0),
            text: bounds::one_line(text, bounds::PROGRESS_CHARS_MAX),
        }
    }
}

/// The progress of a job in hand, in a heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobProgress {
    /// The place of the job among the heartbeat's `jobs`, from 0.
    pub job: u32,
    #[serde(deserialize_with = "share::clamped")]
    pub done: Share,
    #[serde(
        default,
        deserialize_with = "bounds::progress_text",
        skip_serializing_if = "String::is_empty"
    )]
    pub text: String,
}

/// The last progress of a running job that the dispatcher has received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgressView {
    pub done: Share,
    #[serde(
        default,
        deserialize_with = "bounds::progress_text",
        skip_serializing_if = "String::is_empty"
    )]
    pub text: String,
    /// The time since which it has been the same.
    pub since_ms: WallTime,
}
