//! Readable quantities, in the words that all views share.

use std::time::Duration;

use rolecast_common::time::format_duration;
pub(crate) use rolecast_common::words::{cores, counted, length};

/// Writes a length with tenths of seconds: `0.3 s`, `12.0 s`, `3m 20s`.
pub(crate) fn seconds(length: Duration) -> String {
    if length < Duration::from_secs(60) {
        return format!("{:.1} s", length.as_secs_f64());
    }
    format_duration(length)
}
