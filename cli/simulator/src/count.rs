//! Conversion of amounts into counts.

/// Returns the whole part; the cast saturates, and nothing is below zero.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
pub(crate) fn whole(amount: f64) -> usize {
    amount as usize
}

/// Returns the nearest integer; the cast saturates, and nothing is below zero.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
pub(crate) fn rounded(amount: f64) -> u64 {
    amount.round() as u64
}
