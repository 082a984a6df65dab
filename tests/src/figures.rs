//! Output of the benchmarks: tables, medians, rounded figures.

use comfy_table::{CellAlignment, Table, presets};

/// Returns an empty table without lines.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    table
}

/// Aligns all columns but the first to the right.
pub fn align(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Returns the median; without figures NaN.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let Some(upper) = figures.get(figures.len() / 2) else {
        return f64::NAN;
    };
    if figures.len() % 2 == 1 {
        return *upper;
    }
    f64::midpoint(figures[figures.len() / 2 - 1], *upper)
}

/// Rounds to three places, for programs that compare.
pub fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}
