//! Results as tables for people and a line for programs.

use comfy_table::Table;
use rolecast_tests::figures::{align, rounded, table};
use serde_json::json;

use super::trace::Kind;
use super::world::Outcome;
use super::{Cell, Measured, takeover};

/// A cell and its results.
type Row<'a> = (&'a Cell, &'a Measured);

pub(crate) fn print(cells: &[Cell], measured: &[Measured], kills: u32) -> anyhow::Result<()> {
    let all: Vec<Row<'_>> = cells.iter().zip(measured).collect();
    let (plain, misjudged): (Vec<Row<'_>>, Vec<Row<'_>>) =
        all.into_iter().partition(|(cell, _)| cell.name.is_empty());
    println!("bad seconds an hour (changes an hour)\n");
    println!("{}\n", cells_table(&plain));
    if !misjudged.is_empty() {
        println!("{}\n", cells_table(&misjudged));
    }
    let figures = json!({
        "bad_seconds_vs_off": worst(&plain, |measured| ratio(bad, &measured.ours, &measured.off)),
        "vs_clairvoyant": worst(&plain, |measured| {
            ratio(bad, &measured.ours, &measured.clairvoyant)
        }),
        "changes_vs_naive": naive_ratio(&plain),
        "changes_per_hour": most(&plain, |_| true),
        "changes_flapping": most(&plain, |kind| kind == Kind::Flap),
        "changes_all_hot": most(&plain, |kind| kind == Kind::Global),
        "takeover_s": takeover::seconds(kills)?,
    });
    println!("ratios of bad seconds: the worst of mixed and long; changes_vs_naive: of all cells");
    println!("together; changes: an hour, the most of any cell\n");
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

fn cells_table(rows: &[Row<'_>]) -> Table {
    let mut table = table(&[
        "bottlenecks",
        "a change",
        "off",
        "naive",
        "ours",
        "clairvoyant",
        "foreseeing",
        "planned",
        "to off",
        "to clairvoyant",
        "changes to naive",
        "restored",
        "alerts",
    ]);
    for (cell, measured) in rows {
        let hours: f64 = measured.ours.iter().map(|outcome| outcome.hours).sum();
        let name = format!("{} {}", cell.kind.name(), cell.name);
        table.add_row([
            name.trim_end().to_owned(),
            format!("{} s", cell.truth.cost_s),
            both(&measured.off),
            both(&measured.naive),
            both(&measured.ours),
            both(&measured.clairvoyant),
            both(&measured.foreseeing),
            both(&measured.planned),
            figure(ratio(bad, &measured.ours, &measured.off)),
            figure(ratio(bad, &measured.ours, &measured.clairvoyant)),
            figure(ratio(changes, &measured.ours, &measured.naive)),
            format!("{:.1}", f64::from(measured.restored) / hours),
            format!("{:.1}", f64::from(measured.alerts) / hours),
        ]);
    }
    align(table)
}

fn both(outcomes: &[Outcome]) -> String {
    let (bad, changes) = (per_hour(bad, outcomes), per_hour(changes, outcomes));
    format!("{bad:.0} ({changes:.1})")
}

fn bad(outcome: &Outcome) -> f64 {
    outcome.bad_s
}

fn changes(outcome: &Outcome) -> f64 {
    outcome.changes
}

fn per_hour(figure: fn(&Outcome) -> f64, outcomes: &[Outcome]) -> f64 {
    let hours: f64 = outcomes.iter().map(|outcome| outcome.hours).sum();
    outcomes.iter().map(figure).sum::<f64>() / hours
}

/// Returns the ratio of here to there; `None` if both were zero.
fn ratio(figure: fn(&Outcome) -> f64, here: &[Outcome], there: &[Outcome]) -> Option<f64> {
    let (here, there) = (per_hour(figure, here), per_hour(figure, there));
    (there > 0.0).then_some(here / there)
}

/// Returns the largest value over the cells in which a move can help for long.
fn worst(rows: &[Row<'_>], figure: impl Fn(&Measured) -> Option<f64>) -> Option<f64> {
    let kinds = [Kind::Mixed, Kind::Long];
    let rows = rows.iter().filter(|(cell, _)| kinds.contains(&cell.kind));
    let figures = rows.filter_map(|(_, measured)| figure(measured));
    figures.max_by(f64::total_cmp).map(rounded)
}

fn naive_ratio(rows: &[Row<'_>]) -> Option<f64> {
    let of = |outcomes: fn(&Measured) -> &[Outcome]| {
        let each = rows
            .iter()
            .map(|(_, measured)| per_hour(changes, outcomes(measured)));
        each.sum::<f64>()
    };
    let naive = of(|measured| &measured.naive);
    (naive > 0.0).then(|| rounded(of(|measured| &measured.ours) / naive))
}

/// Returns our most changes an hour in cells of some kinds.
fn most(rows: &[Row<'_>], is_meant: impl Fn(Kind) -> bool) -> Option<f64> {
    let rows = rows.iter().filter(|(cell, _)| is_meant(cell.kind));
    let figures = rows.map(|(_, measured)| per_hour(changes, &measured.ours));
    figures.max_by(f64::total_cmp).map(rounded)
}

fn figure(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| format!("{value:.2}"))
}
