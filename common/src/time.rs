//! Points in time: a monotonic one for decisions, a wall-clock one for calendars.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on one process's monotonic clock, in nanoseconds since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    pub const ZERO: Time = Time(0);

    /// Returns the point this long after the clock's start.
    pub fn from_start(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Returns how long ago `earlier` was, or zero if it lies ahead.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, length: Duration) -> Time {
        Time(self.0.saturating_add(Time::from_start(length).0))
    }
}

/// A point on the wall clock, in milliseconds since the Unix epoch.
///
/// Deadlines, delays and logs use it; no safety rule does, because clocks jump.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WallTime(u64);

impl WallTime {
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns how long ago `earlier` was, or zero if it lies ahead.
    pub fn since(self, earlier: WallTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Parses RFC 3339, such as `2026-01-31T12:00:00Z`, with any offset. A time before
    /// 1970 is read as 1970. The last day and a half of the year 9999, which people write
    /// for "never", is read as its last moment that can be written everywhere.
    pub fn parse(text: &str) -> Option<Self> {
        let timestamp = text.parse().ok().or_else(|| last_moment(text))?;
        let millis = jiff::Timestamp::as_millisecond(timestamp);
        Some(Self(u64::try_from(millis).unwrap_or(0)))
    }
}

/// Returns the last moment of all if the text names a later one.
fn last_moment(text: &str) -> Option<jiff::Timestamp> {
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let is_whole = pieces.time().is_some() && pieces.offset().is_some();
    // Whole seconds: a fraction of the very last one is rounded up when it is written.
    let last = jiff::Timestamp::from_second(jiff::Timestamp::MAX.as_second()).ok()?;
    (is_whole && pieces.date().year() == 9999).then_some(last)
}

impl Add<Duration> for WallTime {
    type Output = WallTime;

    fn add(self, length: Duration) -> WallTime {
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        WallTime(self.0.saturating_add(millis))
    }
}

impl fmt::Display for WallTime {
    /// Writes RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// The readings of both clocks at one moment, which the shell passes to the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub time: Time,
    pub wall: WallTime,
}

/// Parses a length such as `250ms`, `30s`, `1h 30m` or `7d`; a day has 24 hours.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.parse().ok()?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let length = span.to_duration(days).ok()?;
    Duration::try_from(length).ok()
}

/// Writes a length as [`parse_duration`] reads it, with a precision for people.
pub fn format_duration(length: Duration) -> String {
    let rounded = match length {
        l if l < Duration::from_millis(1) => l,
        l if l < Duration::from_secs(10) => Duration::from_millis(round_millis(l)),
        l => Duration::from_secs(l.as_secs()),
    };
    let signed = jiff::SignedDuration::try_from(rounded).unwrap_or(jiff::SignedDuration::MAX);
    format!("{signed:#}")
}

fn round_millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_people_write_them() {
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("1h 30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("7d"), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(parse_duration("-3s"), None);
        assert_eq!(parse_duration("soon"), None);
        assert_eq!(format_duration(Duration::from_millis(90_250)), "1m 30s");
    }

    #[test]
    fn wall_time_is_rfc_3339_both_ways() {
        let time = WallTime::parse("2026-01-31T12:00:00.5+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-01-31T11:00:00.500Z");
        assert_eq!(WallTime::parse("yesterday"), None);
    }

    #[test]
    fn times_at_the_ends_are_times() {
        for never in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999+00:00"] {
            let time = WallTime::parse(never).unwrap();
            assert_eq!(WallTime::parse(&time.to_string()), Some(time), "{never}");
            assert!(time.to_string().starts_with("9999-12-30T"), "{time}");
        }
        assert_eq!(WallTime::parse("1960-01-01T00:00:00Z"), Some(WallTime(0)));
        for no_time in ["9999-12-31", "9999-12-31T23:59:59", "9999-13-31T23:59:59Z"] {
            assert_eq!(WallTime::parse(no_time), None, "{no_time}");
        }
    }

    #[test]
    fn arithmetic_saturates_at_the_ends() {
        let end = Time::from_start(Duration::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Time::ZERO.since(end), Duration::ZERO);
    }
}
