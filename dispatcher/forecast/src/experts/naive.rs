//! The naive forecast: the last measured value stays. It costs nothing, and a model that
//! does not beat it is not worth its own cost.

use crate::series::window::Path;

pub(crate) fn predict() -> Path {
    Path::default()
}

#[cfg(test)]
mod tests {
    use crate::tests::series;
    use crate::{HORIZON_MAX, Model};

    #[test]
    fn the_last_value_is_repeated_at_every_horizon() {
        let mut forecaster = series::forecaster(Model::Naive);
        for (number, sample) in (0..).zip([3.0, 8.0, 8.0, 0.0, 2.5, 4.25]) {
            forecaster.observe(number, Some(sample));
            for horizon in 1..=HORIZON_MAX {
                assert_eq!(forecaster.predict(horizon).p50, sample);
            }
        }
    }
}
