//! Limits of the time that an execution may take.

use std::time::Duration;

use rolecast_common::time::{Now, Time, WallTime, format_duration};

/// Returns when an execution that starts at `now` is stopped, and the reason.
pub(super) fn end(
    now: Now,
    time_limit: Option<Duration>,
    deadline: Option<WallTime>,
) -> Option<(Time, String)> {
    let left = deadline.map(|deadline| deadline.since(now.wall));
    match (time_limit, left) {
        (Some(limit), left) if left.is_none_or(|left| limit <= left) => {
            let reason = format!("time limit of {} reached", format_duration(limit));
            Some((now.time + limit, reason))
        }
        (Some(_) | None, Some(left)) => {
            Some((now.time + left, "deadline passed while it ran".to_owned()))
        }
        (Some(_) | None, None) => None,
    }
}
