//! Lengths of time, amounts and counts as readable text.

use std::time::Duration;

use crate::time::format_duration;
use crate::unit::{Bytes, Cores, Resources};

/// Writes a length with three digits or so: `0.35 ms`, `85 ms`, `1.24 s`, `3m 20s`.
pub fn length(length: Duration) -> String {
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
pub fn seconds(length: Duration) -> String {
    if length < Duration::from_secs(60) {
        return format!("{:.1} s", length.as_secs_f64());
    }
    format_duration(length)
}

/// Writes the number of expected jobs; small ones with a fraction.
pub fn arrivals(per_minute: Option<f64>) -> String {
    match per_minute {
        None => "-".to_owned(),
        Some(rate) if rate < 9.95 => format!("{rate:.1}/min"),
        Some(rate) => format!("{rate:.0}/min"),
    }
}

/// Writes cores with two digits behind the point.
pub fn cores(cores: Cores) -> String {
    format!("{:.2}", cores.get())
}

/// Writes a count with the noun it belongs to: `1 job`, `3 jobs`.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 {
        return format!("1 {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{count} {stem}ies"),
        Some(_) | None => format!("{count} {noun}s"),
    }
}

/// Writes an amount of resources without those that are zero; `-` if all are.
pub fn amounts(resources: &Resources) -> String {
    let mut parts = Vec::new();
    if resources.cpu.get() > 0.0 {
        parts.push(format!("{:.2} cores", resources.cpu.get()));
    }
    if resources.memory > Bytes::ZERO {
        parts.push(resources.memory.to_string());
    }
    if resources.network.get() > 0.0 {
        parts.push(format!("{} network", rate(resources.network.get())));
    }
    if resources.disk.get() > 0.0 {
        parts.push(format!("{} disk", rate(resources.disk.get())));
    }
    if parts.is_empty() {
        return "-".to_owned();
    }
    parts.join(", ")
}

/// Writes a rate of data.
pub fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

/// Writes a length of time without a fraction: `10s`, `15m`, `1h`.
pub fn ahead(seconds: u32) -> String {
    format_duration(Duration::from_secs(u64::from(seconds)))
}

fn bytes(value: f64) -> String {
    Bytes::clamped(value.round()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::BytesPerSecond;

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
        assert_eq!(counted(5, "key"), "5 keys");
    }

    #[test]
    fn amounts_leave_out_what_is_zero() {
        let resources = Resources {
            cpu: Cores::clamped(1.5),
            disk: BytesPerSecond::clamped(2048.0),
            ..Resources::default()
        };
        assert_eq!(amounts(&resources), "1.50 cores, 2.0 KiB/s disk");
        assert_eq!(amounts(&Resources::default()), "-");
    }
}
