//! Results as tables for people and a line for programs.

use comfy_table::Table;
use rolecast_simulator::world::Sharing;
use rolecast_tests::figures::{align, table};
use serde_json::Value;

use super::plan::{LAST, MIXED_LOADS, ORACLE, OURS, SIMPLE};
use super::summary::{Cell, Losses, Summary, mixed};

pub(crate) fn print(summary: &Summary) -> anyhow::Result<()> {
    println!("{}\n", mixed_table(summary));
    println!("{LEGEND}\n");
    println!("{}\n", cells_table(summary));
    println!("{}\n", losses_table(summary));
    let json = summary.json();
    println!("{}\n", figures_table(&json));
    println!("{}", serde_json::to_string(&json)?);
    Ok(())
}

const LEGEND: &str = "\
gm99: geometric mean over the kinds and seeds of the 99 % slow-down
*: failed or left unfinished more than 0.1 % of the jobs, so nothing is compared with it";

/// All policies in the mixed scenario.
fn mixed_table(summary: &Summary) -> Table {
    let mut cells: Vec<Cell<'_>> = Vec::new();
    for sharing in [Sharing::Fair, Sharing::Priority] {
        cells.extend(MIXED_LOADS.iter().map(|load| mixed(sharing, *load)));
    }
    let names = cells
        .iter()
        .map(|cell| format!("{} {}", cell.sharing.name(), cell.load));
    let header: Vec<String> = std::iter::once("mixed, gm99".to_owned())
        .chain(names)
        .collect();
    let mut table = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    let known = cells.iter().map(|cell| summary.policies(*cell));
    for policy in known.max_by_key(Vec::len).unwrap_or_default() {
        let figures = cells.iter().map(|cell| {
            let gm99 = figure(summary.gm99(*cell, policy));
            gm99 + mark(summary, *cell, policy)
        });
        table.add_row(std::iter::once(policy.to_owned()).chain(figures));
    }
    align(table)
}

/// All cells, with the policies that matter in most.
fn cells_table(summary: &Summary) -> Table {
    let mut table = table(&[
        "gm99 (gm99.9)",
        SIMPLE,
        LAST,
        OURS,
        ORACLE,
        "to the first",
        "to the second",
    ]);
    for cell in summary.cells() {
        let both = |policy| {
            let slow_down = (summary.gm99(cell, policy), summary.gm999(cell, policy));
            match slow_down {
                (Some(gm99), Some(gm999)) => {
                    format!("{gm99:.2} ({gm999:.2}){}", mark(summary, cell, policy))
                }
                (Some(_) | None, _) => String::new(),
            }
        };
        table.add_row([
            cell.to_string(),
            both(SIMPLE),
            both(LAST),
            both(OURS),
            both(ORACLE),
            figure(summary.ratio(cell, SIMPLE)),
            figure(summary.ratio(cell, LAST)),
        ]);
    }
    align(table)
}

/// The cells and policies in which jobs were killed or did not complete.
fn losses_table(summary: &Summary) -> Table {
    let mut table = table(&["cell", "policy", "jobs", "kills", "failed", "unfinished"]);
    for cell in summary.cells() {
        for policy in summary.policies(cell) {
            let losses = summary.losses(cell, policy);
            let Losses {
                jobs,
                kills,
                failures,
                unfinished,
            } = losses;
            if kills + failures + unfinished > 0 {
                let name = policy.to_owned() + mark(summary, cell, policy);
                let counts = [jobs, kills, failures, unfinished].map(|count| count.to_string());
                table.add_row([cell.to_string(), name].into_iter().chain(counts));
            }
        }
    }
    align(table)
}

/// Marks a policy that is not compared with others in the cell.
fn mark(summary: &Summary, cell: Cell<'_>, policy: &str) -> &'static str {
    if summary.losses(cell, policy).is_sound() {
        ""
    } else {
        "*"
    }
}

/// The figures of the last line, one below the other.
fn figures_table(json: &Value) -> Table {
    let mut table = table(&["figure", "value"]);
    add_rows(&mut table, String::new(), json);
    align(table)
}

fn add_rows(table: &mut Table, name: String, value: &Value) {
    let Some(parts) = value.as_object() else {
        table.add_row([name, value.to_string()]);
        return;
    };
    for (part, value) in parts {
        add_rows(
            table,
            format!("{name} {part}").trim_start().replace('_', " "),
            value,
        );
    }
}

fn figure(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| format!("{value:.2}"))
}
