//! Lengths of time, sizes and shares as readable text for tables.

use std::time::Duration;

use rolecast_common::time::format_duration;
use rolecast_common::unit::Cores;

/// Writes a length with three digits or so: `0.35 ms`, `85 ms`, `1.24 s`, `3m 20s`.
pub(crate) fn length(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    if seconds < 0.01 {
        return format!("{:.2} ms", seconds * 1000.0);
    }
    if seconds < 1.0 {
        return format!("{:.0} ms", seconds * 1000.0);
    }
    if seconds < 60.0 {
        return format!("{seconds:.2} s");
    }
    format_duration(length)
}

/// Writes a length with tenths of seconds: `0.3 s`, `12.0 s`, `3m 20s`.
pub(crate) fn seconds(length: Duration) -> String {
    if length < Duration::from_secs(60) {
        return format!("{:.1} s", length.as_secs_f64());
    }
    format_duration(length)
}

/// Writes cores with two digits behind the point.
pub(crate) fn cores(cores: Cores) -> String {
    format!("{:.2}", cores.get())
}

/// Writes a count with the noun it belongs to: `1 job`, `3 jobs`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    if count == 1 {
        return format!("1 {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_the_digits_that_matter() {
        for (millis, text) in [
            (0.35, "0.35 ms"),
            (85.4, "85 ms"),
            (1240.0, "1.24 s"),
            (200_000.0, "3m 20s"),
        ] {
            assert_eq!(length(Duration::from_secs_f64(millis / 1000.0)), text);
        }
    }

    #[test]
    fn nouns_follow_their_count() {
        assert_eq!(counted(1, "job"), "1 job");
        assert_eq!(counted(0, "job"), "0 jobs");
        assert_eq!(counted(2, "category"), "2 categories");
    }
}
