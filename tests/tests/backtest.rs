//! `rolecast backtest` on small files: its output, and that it does not look ahead.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps nothing")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use fastrand::Rng;
use rolecast_forecast::Model;
use rolecast_tests::directory::Directory;
use rolecast_tests::process::{program, repository};
use serde_json::Value;

const STEP_SECONDS: u64 = 60;

#[test]
fn the_trace_of_a_real_host_is_judged() {
    let trace = repository().join("tests/fixtures/host-trace.csv.gz");
    let report = judge(&[&trace.display().to_string()]);
    for horizon in ["1", "5", "15", "60"] {
        let overall = &report["overall"][horizon];
        for name in ["rmae", "mase", "rpin90", "cov90_dev"] {
            assert!(overall[name].as_f64().unwrap() > 0.0, "{name}: {overall}");
        }
        // Network and disk of this host rest for minutes; these two never do.
        for series in ["cpu", "memory"] {
            let score = &report["series"][series][horizon];
            let value = |name: &str| score[name].as_f64().unwrap();
            let found = format!("{series} {horizon}: {score}");
            assert!(value("rmae") > 0.3 && value("rmae") < 1.5, "{found}");
            // Ten minutes teach little about a minute ahead: there p90 is worse than the
            // naive forecast's, by a factor of 1.52 when this was written.
            let most = if horizon == "60" { 1.8 } else { 1.1 };
            assert!(value("rpin90") > 0.2 && value("rpin90") < most, "{found}");
            assert!(value("cov90") > 0.6, "{found}");
        }
    }
    for horizon in ["15", "60"] {
        let coverage = report["peak"][horizon]["cov90"].as_f64().unwrap();
        assert!((0.5..=1.0).contains(&coverage), "{report}");
    }
    let series: Vec<&String> = report["series"].as_object().unwrap().keys().collect();
    assert_eq!(series, ["cpu", "disk", "memory", "network"]);
    assert!(report["us_per_sample"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_naive_model_is_as_good_as_itself() {
    let directory = Directory::new();
    let path = write(&directory, "walk.csv", &walk(400));
    let report = judge(&[&path, "--model", "naive"]);
    for horizon in ["1", "5", "15", "60"] {
        let rmae = report["overall"][horizon]["rmae"].as_f64().unwrap();
        // The forecaster keeps samples in single precision, the score in double.
        assert!((rmae - 1.0).abs() < 1e-5, "{horizon}: {rmae}");
    }
}

#[test]
fn no_model_looks_ahead() {
    let directory = Directory::new();
    let samples = walk(600);
    // A row after which forecasts are taken, so that a look at one row is seen.
    let changed_after = 300 + 21 * 7;
    let mut changed = samples.clone();
    let mut rng = Rng::with_seed(2);
    for sample in &mut changed[changed_after + 1..] {
        *sample = sample.map(|value| 3.0 * value + rng.f64());
    }
    let as_it_was = write(&directory, "as_it_was.csv", &samples);
    let changed = write(&directory, "changed.csv", &changed);
    for model in Model::ALL {
        let before = forecasts(&directory, &as_it_was, model);
        let after = forecasts(&directory, &changed, model);
        let mut differ = 0;
        assert!(before.contains_key(&(changed_after as u64 * STEP_SECONDS, 1)));
        for (key, forecast) in &before {
            let (origin, _) = key;
            if *origin <= changed_after as u64 * STEP_SECONDS {
                assert_eq!(after[key], *forecast, "{model:?} {key:?}");
            } else if after[key] != *forecast {
                differ += 1;
            }
        }
        assert!(differ > 20, "{model:?}: {differ} of {}", before.len());
    }
}

#[test]
fn a_gap_and_missing_samples_are_not_scored() {
    let directory = Directory::new();
    let mut samples = walk(400);
    samples[300] = None;
    let text = table(&samples);
    // The line of row 350 is gone altogether.
    let gone = format!("{},", 350 * STEP_SECONDS);
    let kept = text.lines().filter(|line| !line.starts_with(&gone));
    let kept: Vec<&str> = kept.collect();
    let path = directory.write("gaps.csv", &(kept.join("\n") + "\n"));
    let report = judge(&[
        &path,
        "--stride",
        "1",
        "--horizons",
        "1",
        "--model",
        "naive",
    ]);
    // 400 rows less one, forecast from row 199 on. Of these 200 forecasts the one of the
    // last row has no end, and two have no measured value.
    assert_eq!(report["series"]["cpu"]["1"]["count"], 197);
}

#[test]
fn series_of_a_directory_are_kept_apart() {
    let directory = Directory::new();
    write(&directory, "oak.csv", &walk(300));
    write(&directory, "elm.csv", &walk(300));
    directory.write("notes.txt", "not a recording");
    let (text, code) = run(&[&directory.path().display().to_string()]);
    assert_eq!(code, 0, "{text}");
    for part in [
        "\nelm/cpu ",
        "\noak/cpu ",
        "\nHORIZON",
        "2 series, 600 samples",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_cannot_be_judged_is_shown_with_a_remedy() {
    let directory = Directory::new();
    let good = table(&walk(300));
    let late = good.replace("\n600,", "\n540,");
    let word = good.replace("\n600,", "\n600,x");
    for (name, text, part) in [
        ("headless.csv", good.replace("time", "at"), "name it `time`"),
        ("late.csv", late, "line 12: its time is not later"),
        ("word.csv", word, "line 12, column \"cpu\": \"x"),
        ("short.csv", table(&walk(50)), "has 50 rows, and 200"),
        ("still.csv", table(&vec![None; 300]), "nothing to score"),
    ] {
        let (output, code) = run(&[&directory.write(name, &text)]);
        assert_eq!(code, 1, "{name}: {output}");
        assert!(output.contains(part), "{name}: {output}");
    }
    let missing = directory.path().join("missing.csv");
    let (output, code) = run(&[&missing.display().to_string()]);
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("missing.csv: No such file"), "{output}");
    let (output, code) = run(&["any.csv", "--model", "best"]);
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("seasonal-naive, "), "{output}");
}

/// Returns samples that wander, with a wave of an hour, well above zero: no use is below
/// zero, so forecasts stop there.
fn walk(rows: usize) -> Vec<Option<f64>> {
    let mut rng = Rng::with_seed(1);
    let mut level = 50.0;
    let samples = (0..rows).map(|row| {
        level += rng.f64() - 0.5;
        let wave = (row as f64 * std::f64::consts::TAU / 60.0).sin();
        Some(level + 3.0 * wave + rng.f64())
    });
    samples.collect()
}

fn table(samples: &[Option<f64>]) -> String {
    let mut text = String::from("time,cpu\n");
    for (row, sample) in samples.iter().enumerate() {
        let cell = sample.map_or(String::new(), |value| value.to_string());
        text += &format!("{},{cell}\n", row as u64 * STEP_SECONDS);
    }
    text
}

fn write(directory: &Directory, name: &str, samples: &[Option<f64>]) -> String {
    directory.write(name, &table(samples))
}

/// Runs the command and returns its whole output, and its exit code.
fn run(arguments: &[&str]) -> (String, i32) {
    let output = Command::new(program("rolecast"))
        .arg("backtest")
        .args(arguments)
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text += &String::from_utf8(output.stderr).unwrap();
    (text, output.status.code().unwrap())
}

fn judge(arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    let (text, code) = run(&arguments);
    assert_eq!(code, 0, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Returns p50, p90 and the peak's p90 as printed, by origin and horizon.
fn forecasts(directory: &Directory, path: &str, model: Model) -> BTreeMap<(u64, u64), [String; 3]> {
    let dump = directory.path().join("dump.csv");
    let name = dump.display().to_string();
    let (text, code) = run(&[path, "--model", model.name(), "--dump", &name]);
    assert_eq!(code, 0, "{text}");
    read_dump(&dump)
}

fn read_dump(path: &Path) -> BTreeMap<(u64, u64), [String; 3]> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header = lines.next();
    assert_eq!(
        header,
        Some("series,origin,horizon,p50,p90,peak_p90,actual")
    );
    let forecasts = lines.map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let key = (cells[1].parse().unwrap(), cells[2].parse().unwrap());
        let forecast = [cells[3], cells[4], cells[5]].map(str::to_owned);
        (key, forecast)
    });
    forecasts.collect()
}
