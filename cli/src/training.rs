//! Training data from a recording: its first half, without gaps.

use rolecast_simulator::recording::Series;

/// Returns the samples of the first half of the rows, to learn from; the second
/// half is for a backtest. A missing sample is as the one before it.
#[allow(
    clippy::cast_possible_truncation,
    reason = "models reckon with f32; what does not fit is left out"
)]
pub(crate) fn first_half(series: &Series) -> Vec<f32> {
    let half = &series.samples[..series.samples.len() / 2];
    let mut last = None;
    let known = half.iter().filter_map(|sample| {
        let sample = sample.map(|sample| sample as f32);
        last = sample.filter(|sample| sample.is_finite()).or(last);
        last
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_and_the_second_half_stays_unseen() {
        let mut samples = vec![None, Some(1.0), None, Some(1e300), Some(2.0), Some(3.0)];
        samples.extend([Some(9.0); 6]);
        let series = Series {
            name: "a".to_owned(),
            samples,
        };
        assert_eq!(first_half(&series), [1.0, 1.0, 1.0, 2.0, 3.0]);
    }
}
