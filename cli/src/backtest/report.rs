//! Results of a backtest, for each series and for all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_simulator::metrics::{geometric_mean, mean};
use serde_json::{Map, Value, json};

use super::QUANTILE;
use super::score::{Score, Scores};

/// All results of a backtest.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The name of the model.
    pub(crate) model: &'static str,
    pub(crate) series: BTreeMap<String, Scores>,
    /// The number of samples that were observed, including missing ones.
    pub(crate) samples: u64,
    /// The time spent on observing and forecasting, of all threads.
    pub(crate) spent: Duration,
}

/// Scores over all series at one horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Overall {
    /// Geometric mean: half the error here balances twice the error there.
    pub(crate) rmae: f64,
    /// The mean over the series that moved in their first half.
    pub(crate) mase: Option<f64>,
    /// Geometric mean.
    pub(crate) rpin90: f64,
    pub(crate) cov90: f64,
    /// The mean distance of a series' coverage from 0.9.
    pub(crate) cov90_dev: f64,
}

impl Report {
    /// Sums up each horizon over the series that were scored there.
    pub(crate) fn overall(&self) -> BTreeMap<u32, Overall> {
        let mut scores = BTreeMap::<u32, Vec<&Score>>::new();
        for series in self.series.values() {
            for (horizon, score) in &series.horizons {
                scores.entry(*horizon).or_default().push(score);
            }
        }
        let overall = scores
            .iter()
            .filter_map(|(horizon, scores)| Some((*horizon, sum_up(scores)?)));
        overall.collect()
    }

    /// Returns the mean coverage of peaks by horizon.
    pub(crate) fn peaks(&self) -> BTreeMap<u32, f64> {
        let mut coverages = BTreeMap::<u32, Vec<f64>>::new();
        for series in self.series.values() {
            for (horizon, coverage) in &series.peaks {
                coverages.entry(*horizon).or_default().push(*coverage);
            }
        }
        let means = coverages
            .into_iter()
            .filter_map(|(horizon, all)| Some((horizon, mean(all)?)));
        means.collect()
    }

    /// Returns the time of one sample in microseconds.
    pub(crate) fn micros_per_sample(&self) -> f64 {
        self.spent.as_secs_f64() * 1e6 / (self.samples.max(1) as f64)
    }

    /// Returns the report for programs.
    pub(crate) fn json(&self) -> Value {
        let overall: Map<String, Value> = self
            .overall()
            .iter()
            .map(|(horizon, overall)| (horizon.to_string(), overall_json(overall)))
            .collect();
        let series: Map<String, Value> = self
            .series
            .iter()
            .map(|(name, scores)| (name.clone(), scores_json(scores)))
            .collect();
        json!({
            "model": self.model,
            "samples": self.samples,
            "us_per_sample": self.micros_per_sample(),
            "overall": overall,
            "peak": peaks_json(&self.peaks()),
            "series": series,
        })
    }
}

fn sum_up(scores: &[&Score]) -> Option<Overall> {
    let all = || scores.iter().copied();
    Some(Overall {
        rmae: geometric_mean(all().map(|score| score.rmae))?,
        mase: mean(all().filter_map(|score| score.mase)),
        rpin90: geometric_mean(all().map(|score| score.rpin90))?,
        cov90: mean(all().map(|score| score.cov90))?,
        cov90_dev: mean(all().map(deviation))?,
    })
}

/// Returns the distance of the coverage from its target.
fn deviation(score: &Score) -> f64 {
    (score.cov90 - QUANTILE).abs()
}

fn overall_json(overall: &Overall) -> Value {
    let Overall {
        rmae,
        mase,
        rpin90,
        cov90,
        cov90_dev,
    } = overall;
    json!({
        "rmae": rmae,
        "mase": mase,
        "rpin90": rpin90,
        "cov90": cov90,
        "cov90_dev": cov90_dev,
    })
}

fn scores_json(scores: &Scores) -> Value {
    let horizons = scores.horizons.iter().map(|(horizon, score)| {
        let value = json!({
            "count": score.count,
            "mae": score.mae,
            "rmae": score.rmae,
            "mase": score.mase,
            "rpin90": score.rpin90,
            "cov90": score.cov90,
            "cov90_dev": deviation(score),
        });
        (horizon.to_string(), value)
    });
    let mut object: Map<String, Value> = horizons.collect();
    object.insert("peak".to_owned(), peaks_json(&scores.peaks));
    Value::Object(object)
}

fn peaks_json(peaks: &BTreeMap<u32, f64>) -> Value {
    let peaks = peaks
        .iter()
        .map(|(horizon, coverage)| (horizon.to_string(), json!({ "cov90": coverage })));
    Value::Object(peaks.collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a report on two series, one of which never moved at first.
    pub(crate) fn report() -> Report {
        let score = Score {
            count: 10,
            mae: 2.0,
            rmae: 0.5,
            mase: Some(0.75),
            rpin90: 0.25,
            cov90: 1.0,
        };
        let still = Score {
            rmae: 2.0,
            mase: None,
            rpin90: 1.0,
            cov90: 0.8,
            ..score
        };
        let scores = |score, peak| Scores {
            horizons: BTreeMap::from([(1, score)]),
            peaks: BTreeMap::from([(15, peak)]),
        };
        Report {
            model: "ensemble",
            series: BTreeMap::from([
                ("cpu".to_owned(), scores(score, 0.9)),
                ("disk".to_owned(), scores(still, 0.8)),
            ]),
            samples: 400,
            spent: Duration::from_millis(2),
        }
    }

    #[test]
    fn ratios_have_a_geometric_mean_and_shares_an_arithmetic_one() {
        let report = report();
        let overall = report.overall()[&1];
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(overall.rmae, 1.0), "{overall:?}");
        assert!(near(overall.rpin90, 0.5), "{overall:?}");
        assert!(near(overall.cov90, 0.9), "{overall:?}");
        assert!(near(overall.cov90_dev, 0.1), "{overall:?}");
        assert_eq!(overall.mase, Some(0.75));
        assert!(near(report.peaks()[&15], 0.85));
        assert!(near(report.micros_per_sample(), 5.0));
    }

    #[test]
    fn programs_find_each_score_by_its_name() {
        let json = report().json();
        assert_eq!(json["overall"]["1"]["mase"], 0.75);
        assert_eq!(json["series"]["disk"]["1"]["rmae"], 2.0);
        assert_eq!(json["series"]["disk"]["1"]["mase"], Value::Null);
        assert_eq!(json["series"]["cpu"]["peak"]["15"]["cov90"], 0.9);
        assert!(json["peak"]["15"]["cov90"].is_number());
        assert!(json["us_per_sample"].is_number());
    }
}
