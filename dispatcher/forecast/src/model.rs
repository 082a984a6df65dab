//! Models, the horizons on which they forecast, and the form of a forecast.

/// Horizons on which models forecast, in steps, ascending; between them forecasts are
/// interpolated by lines.
pub const HORIZONS: [u32; 9] = [1, 2, 3, 5, 8, 15, 25, 40, 60];
/// Horizons until which the largest value is forecast, in steps, ascending; between them
/// forecasts are interpolated by lines.
pub const PEAK_HORIZONS: [u32; 4] = [1, 5, 15, 60];
/// The longest horizon, in steps: the last of [`HORIZONS`]. A longer one counts as this.
pub const HORIZON_MAX: u32 = 60;
/// Number of experts that vote: all models but the ensemble.
pub(crate) const MEMBERS: usize = Model::ALL.len() - 1;

/// A forecasting model.
///
/// Each forecasts the change from the last sample until each of [`HORIZONS`], and learns
/// from every sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// No change: the last sample stays.
    Naive,
    /// The change that is usual at this time of the day, and after two weeks of the week;
    /// seven tenths of it, because days differ. No change before a whole day is known.
    SeasonalNaive,
    /// An exponentially weighted moving average (Brown, *Exponential Smoothing for
    /// Predicting Demand*, 1956).
    Ewma,
    /// Exponential smoothing with a damped trend (Gardner & McKenzie, *Forecasting Trends
    /// in Time Series*, 1985).
    Ets,
    /// An autoregression on differences, a ridge regression for each horizon (Marcellino,
    /// Stock & Watson, *A comparison of direct and iterated multistep AR methods*, 2006).
    Arima,
    /// A trend with changepoints, a usual day and week, and an autoregression on the rest
    /// (after Taylor & Letham, *Forecasting at Scale*, 2018).
    Prophet,
    /// One LSTM for all series, trained in advance (after Salinas et al., *DeepAR*, 2020,
    /// and Smyl, *A hybrid method of exponential smoothing and recurrent neural networks*,
    /// 2020).
    Lstm,
    /// A ridge regression on the forecasts of the others but the naive one, fitted to many
    /// series (Wolpert, *Stacked Generalization*, 1992). No change until a [`crate::Stack`]
    /// is set.
    Stack,
    /// All of the above, each weighted by its recent accuracy at the horizon.
    #[default]
    Ensemble,
}

impl Model {
    /// All models; the first ones are those that vote.
    pub const ALL: [Model; 9] = [
        Model::Naive,
        Model::SeasonalNaive,
        Model::Ewma,
        Model::Ets,
        Model::Arima,
        Model::Prophet,
        Model::Lstm,
        Model::Stack,
        Model::Ensemble,
    ];

    /// Returns its name, as it is written in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Model::Naive => "naive",
            Model::SeasonalNaive => "seasonal-naive",
            Model::Ewma => "ewma",
            Model::Ets => "ets",
            Model::Arima => "arima",
            Model::Prophet => "prophet",
            Model::Lstm => "lstm",
            Model::Stack => "stack",
            Model::Ensemble => "ensemble",
        }
    }

    /// Returns the model of this name; `None` if no model has it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }

    /// Returns its index among all models, by which a checkpoint names it.
    pub(crate) fn index(self) -> u16 {
        let mut indices = (0u16..).zip(Self::ALL);
        let index = indices.find(|(_, model)| *model == self);
        index.expect("every model is listed").0
    }

    /// Returns the expert's index among those that vote.
    pub(crate) fn member(self) -> Option<usize> {
        let index = usize::from(self.index());
        (index < MEMBERS).then_some(index)
    }
}

/// A forecast: values that will not be exceeded in 50, 90 and 99 of 100 cases.
///
/// All are in the unit of the samples, and `p50 <= p90 <= p99`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// The 90 % quantile.
    pub p90: f64,
    /// The 99 % quantile.
    pub p99: f64,
}
