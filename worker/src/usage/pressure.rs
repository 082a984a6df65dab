//! Reads Linux pressure stall information, of a host or of a control group.

use rolecast_common::wire::Share;

/// Returns the share of the last ten seconds in which some task stalled.
pub(crate) fn parse(text: &str) -> Option<Share> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let average = some
        .split_whitespace()
        .find_map(|f| f.strip_prefix("avg10="))?;
    let percent: f64 = average.parse().ok()?;
    Some(Share::clamped(percent / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str = "some avg10=12.50 avg60=0.63 avg300=0.94 total=21973190\n\
                            full avg10=3.00 avg60=0.00 avg300=0.00 total=0\n";

    #[test]
    fn the_share_in_which_some_task_stalled_is_read() {
        assert_eq!(parse(CAPTURED).unwrap().get(), 0.125);
    }

    #[test]
    fn what_is_not_pressure_is_none_and_nonsense_is_clamped() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("full avg10=1.00"), None);
        assert_eq!(parse("some avg10=x"), None);
        assert_eq!(parse("some avg10=900.00").unwrap().get(), 1.0);
        assert_eq!(parse("some avg10=NaN").unwrap().get(), 0.0);
    }
}
