//! Models, the horizons on which they forecast, and the form of a forecast.

/// Horizons on which models forecast, in steps; others are interpolated.
pub const HORIZONS: [u32; 9] = [1, 2, 3, 5, 8, 15, 25, 40, 60];
/// Horizons up to which window peaks are forecast, in steps.
pub const PEAK_HORIZONS: [u32; 4] = [1, 5, 15, 60];
/// The longest horizon, in steps.
pub const HORIZON_MAX: u32 = 60;
/// Number of experts that vote.
pub(crate) const MEMBERS: usize = 8;

/// A forecasting model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    Naive,
    SeasonalNaive,
    Ewma,
    Ets,
    Arima,
    Prophet,
    Lstm,
    Stack,
    /// All of them, each weighted by its recent accuracy.
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

    /// Returns the model of this name.
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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
}
