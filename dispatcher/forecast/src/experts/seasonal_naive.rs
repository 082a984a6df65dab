//! The seasonal naive forecast: the usual change at this time of the day and week.

use crate::series::seasons::SeasonalParts;
use crate::series::window::Path;

pub(crate) fn predict(seasons: &SeasonalParts) -> Path {
    seasons.ahead.map(|season| season - seasons.past[0])
}

#[cfg(test)]
mod tests {
    use crate::tests::series::{self, DAY};
    use crate::{Forecaster, HORIZONS, Model};

    #[test]
    fn a_noiseless_day_is_forecast_but_for_the_share_that_is_not_believed() {
        let samples = series::season(4 * DAY);
        let errors = [Model::SeasonalNaive, Model::Naive]
            .map(|model| series::errors(model, &samples, 3 * DAY));
        let [seasonal, naive] = errors;
        for (index, horizon) in HORIZONS.into_iter().enumerate().skip(4) {
            // Of each change 0.7 is expected.
            let ratio = seasonal[index] / naive[index];
            assert!((ratio - 0.3).abs() < 0.04, "{ratio} at {horizon}");
        }
    }

    #[test]
    fn before_a_day_is_known_it_repeats_the_last_value() {
        let samples = series::season(DAY);
        let mut forecaster = series::forecaster(Model::SeasonalNaive);
        for (number, sample) in (0..).zip(&samples) {
            forecaster.observe(number, Some(*sample));
            assert_close(&forecaster, *sample);
        }
    }

    fn assert_close(forecaster: &Forecaster, last: f64) {
        let found = forecaster.predict(60).p50;
        assert!((found - last).abs() < 1e-5 * last, "{found}, not {last}");
    }
}
