//! Autocorrelation by the fast Fourier transform (Wiener-Khinchin).

#![allow(
    clippy::cast_precision_loss,
    reason = "series have a few thousand samples"
)]

use std::f32::consts::PI;

/// A complex number: its real and its imaginary part.
type Complex = [f32; 2];

/// Returns the mean product of samples a lag apart, for lags up to `lag_max`, relative to
/// the mean square; all zero if the series is.
pub(super) fn autocorrelation(series: &[f32], lag_max: usize) -> Vec<f32> {
    // Zeros behind the series keep its end from touching its beginning.
    let len = (series.len() + lag_max + 1).next_power_of_two();
    let mut values: Vec<Complex> = series.iter().map(|value| [*value, 0.0]).collect();
    values.resize(len, [0.0; 2]);
    transform(&mut values);
    for value in &mut values {
        *value = [value[0] * value[0] + value[1] * value[1], 0.0];
    }
    // A power spectrum is even, so it needs no inverse transform.
    transform(&mut values);
    let count = series.len() as f32;
    let square = (values[0][0] / count).max(f32::MIN_POSITIVE);
    let lags = values.iter().take(lag_max + 1).enumerate();
    lags.map(|(lag, value)| value[0] / (count - lag as f32).max(1.0) / square)
        .collect()
}

/// Transforms in place (Cooley & Tukey, 1965); the length is a power of two.
fn transform(values: &mut [Complex]) {
    let len = values.len();
    let shift = usize::BITS - len.trailing_zeros();
    for index in 0..len {
        let mirrored = index.reverse_bits() >> shift;
        if index < mirrored {
            values.swap(index, mirrored);
        }
    }
    let angle = |index: usize| -2.0 * PI * index as f32 / len as f32;
    let turns: Vec<Complex> = (0..len / 2)
        .map(|index| [angle(index).cos(), angle(index).sin()])
        .collect();
    let mut half = 1;
    while half < len {
        let stride = len / (2 * half);
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            let turns = turns.iter().step_by(stride);
            for ((low, high), turn) in low.iter_mut().zip(high).zip(turns) {
                let product = [
                    high[0] * turn[0] - high[1] * turn[1],
                    high[0] * turn[1] + high[1] * turn[0],
                ];
                *high = [low[0] - product[0], low[1] - product[1]];
                *low = [low[0] + product[0], low[1] + product[1]];
            }
        }
        half *= 2;
    }
}
