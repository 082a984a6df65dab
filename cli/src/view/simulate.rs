//! Comparison of policies as tables.

use rolecast_simulator::report::{KindRow, Report, Row};

use crate::quantity::counted;
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};

const COLUMNS: [(&str, Align); 11] = [
    ("sharing", Align::Left),
    ("load", Align::Right),
    ("policy", Align::Left),
    ("gm99", Align::Right),
    ("to best", Align::Right),
    ("gm99.9", Align::Right),
    ("to best", Align::Right),
    ("misses %", Align::Right),
    ("kills", Align::Right),
    ("lost", Align::Right),
    ("squeeze %", Align::Right),
];
const KIND_COLUMNS: [(&str, Align); 9] = [
    ("sharing", Align::Left),
    ("load", Align::Right),
    ("policy", Align::Left),
    ("kind", Align::Left),
    ("jobs", Align::Right),
    ("p50", Align::Right),
    ("p99", Align::Right),
    ("p99.9", Align::Right),
    ("misses %", Align::Right),
];
const LEGEND: &str = "\
p50, p99, p99.9: slow-down, from arrival to end over the time alone on the fastest host
gm99, gm99.9: geometric mean over the kinds that any role may run; misses: mean over these
kills: executions killed for lack of memory; lost: jobs that never completed
squeeze: share of the CPU wanted by others that they did not get";
/// The noise of a few seeds: this close to the best is as good. Guessed.
const CLOSE: f64 = 1.02;

/// Shows everything on a page.
pub(crate) fn page(report: &Report, palette: Palette) -> String {
    let rows = report.rows();
    let summary = rows.iter().map(|row| summary_row(row, &rows)).collect();
    let kinds = rows.iter().flat_map(|row| {
        let kinds = row.kinds.iter();
        kinds.map(move |kind| kind_row(row, kind))
    });
    let kinds = kinds.collect();
    let cell = rows.first().map(|row| row.cell);
    let hosts = cell.map_or(0, |cell| cell.hosts);
    let seeds = report.runs.len() / rows.len().max(1);
    let notes = report.notes.iter().map(|note| format!("- {note}\n"));
    format!(
        "{}\n\n{}\n\n{}\n\n{}: {}, {}\n{}",
        table(palette, &KIND_COLUMNS, kinds),
        table(palette, &COLUMNS, summary),
        palette.paint(Tone::Faint, LEGEND),
        palette.paint(Tone::Strong, &report.scenario),
        counted(u64::from(hosts), "host"),
        counted(seeds as u64, "seed"),
        notes.collect::<String>(),
    )
}

fn summary_row(row: &Row<'_>, all: &[Row<'_>]) -> Vec<Text> {
    let rivals = || all.iter().filter(|other| row.is_of_same_worlds(other));
    let best99 = best(rivals().map(|other| other.gm99));
    let best999 = best(rivals().map(|other| other.gm999));
    let mut cells = start(row);
    cells.extend([
        number(row.gm99),
        ratio(row.gm99, best99),
        number(row.gm999),
        ratio(row.gm999, best999),
        percent(row.misses),
        (
            row.kills.to_string(),
            Tone::of_trouble(row.kills, Tone::Warning),
        ),
        (row.lost.to_string(), Tone::of_trouble(row.lost, Tone::Bad)),
        percent(Some(row.squeeze)),
    ]);
    cells
}

fn kind_row(row: &Row<'_>, kind: &KindRow<'_>) -> Vec<Text> {
    let mut cells = start(row);
    let known = |value: f64| (kind.jobs > 0).then_some(value);
    cells.extend([
        plain(kind.kind),
        plain(kind.jobs),
        number(known(kind.p50)),
        number(known(kind.p99)),
        number(known(kind.p999)),
        percent(known(kind.misses)),
    ]);
    cells
}

/// Returns the cells that identify the row.
fn start(row: &Row<'_>) -> Vec<Text> {
    let load = row
        .cell
        .load
        .map_or("-".to_owned(), |load| load.to_string());
    vec![
        plain(row.cell.sharing.name()),
        plain(load),
        (row.policy.to_owned(), Tone::Strong),
    ]
}

fn best(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().min_by(f64::total_cmp)
}

fn number(value: Option<f64>) -> Text {
    plain(value.map_or("-".to_owned(), |value| format!("{value:.2}")))
}

fn ratio(value: Option<f64>, best: Option<f64>) -> Text {
    let (Some(value), Some(best)) = (value, best) else {
        return plain("-");
    };
    let ratio = value / best;
    let tone = if ratio <= CLOSE {
        Tone::Good
    } else {
        Tone::Plain
    };
    (format!("{ratio:.2}"), tone)
}

fn percent(share: Option<f64>) -> Text {
    plain(share.map_or("-".to_owned(), |share| format!("{:.3}", share * 100.0)))
}

#[cfg(test)]
pub(super) mod tests {
    use rolecast_simulator::metrics::{KindMetrics, Metrics, Spread};
    use rolecast_simulator::report::Run;
    use rolecast_simulator::scenario::build::Cell;
    use rolecast_simulator::world::Sharing;

    use super::*;

    /// Returns a report on two policies at some loads, with two seeds each.
    pub(in crate::view) fn report(loads: &[f64]) -> Report {
        let mut runs = Vec::new();
        for load in loads {
            for (policy, slowdown) in [("good", 2.0), ("bad", 8.0)] {
                for seed in [1, 2] {
                    let cell = Cell {
                        load: Some(*load),
                        sharing: Sharing::Fair,
                        hosts: 10,
                        seed,
                    };
                    runs.push(Run {
                        policy: policy.to_owned(),
                        cell,
                        metrics: metrics(slowdown * seed as f64 * seed as f64),
                    });
                }
            }
        }
        Report {
            scenario: "calm".to_owned(),
            kinds: vec!["api".to_owned()],
            runs,
            notes: Vec::new(),
        }
    }

    fn metrics(slowdown: f64) -> Metrics {
        let kind = KindMetrics {
            jobs: 1000,
            slowdown: Spread {
                p50: 1.25,
                p99: slowdown,
                p999: slowdown * 2.0,
                ..Spread::default()
            },
            misses: 0.005,
            ..KindMetrics::default()
        };
        Metrics {
            kinds: vec![kind],
            gm99: Some(slowdown),
            gm999: Some(slowdown * 2.0),
            misses: Some(0.005),
            kills: 3,
            failures: 1,
            unfinished: 1,
            squeeze: 0.25,
            ..Metrics::default()
        }
    }

    #[test]
    fn the_page_compares_with_the_best_of_the_same_worlds() {
        let page = page(&report(&[0.5]), Palette::PLAIN);
        let expected = "\
SHARING  LOAD  POLICY  KIND  JOBS   P50    P99  P99.9  MISSES %
fair      0.5  good    api   2000  1.25   4.00   8.00     0.500
fair      0.5  bad     api   2000  1.25  16.00  32.00     0.500

SHARING  LOAD  POLICY   GM99  TO BEST  GM99.9  TO BEST  MISSES %  KILLS  LOST  SQUEEZE %
fair      0.5  good     4.00     1.00    8.00     1.00     0.500      6     4     25.000
fair      0.5  bad     16.00     4.00   32.00     4.00     0.500      6     4     25.000
";
        assert!(page.starts_with(expected), "{page}");
        assert!(page.ends_with("calm: 10 hosts, 2 seeds\n"), "{page}");
    }

    #[test]
    fn what_there_is_to_know_is_reported_at_the_end() {
        let mut report = report(&[0.5]);
        report.notes = vec!["drawn".to_owned(), "not known".to_owned()];
        let page = page(&report, Palette::PLAIN);
        assert!(page.ends_with(" 2 seeds\n- drawn\n- not known\n"), "{page}");
    }
}
