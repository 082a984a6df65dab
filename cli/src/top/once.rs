//! One picture as text, or as a JSON document.

use serde_json::{Value, json};

use super::draw::jobs_of;
use super::feed::JobsOf;
use super::list::{Column, Item, List, fitting};
use super::picture::{Answer, Picture};
use super::rows::{categories, jobs, nodes, roles};
use crate::quantity::counted;
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, table};

/// Rows of a list that are printed.
const ROWS_MAX: usize = 100;
/// Spaces behind a column.
const GAP: usize = 2;
/// Jobs that are printed.
const JOBS_MAX: usize = 20;

/// Answers that are printed together, or one status after another.
#[derive(Debug, Default)]
pub(crate) struct Once(Picture);

impl Once {
    pub(crate) fn add(&mut self, answer: Answer) {
        self.0.add(answer);
    }

    /// Notes why decisions are missing.
    pub(crate) fn lacks_decisions(&mut self, why: String) {
        self.0.jobs.missing = Some(why);
    }

    /// Returns the picture as one document, in the form of the messages it is made of.
    pub(crate) fn document(&self) -> Value {
        let picture = &self.0;
        json!({
            "attention": picture.attention,
            "ended_per_second": picture.flow.ended.last(),
            "status": picture.status,
            "capacity": picture.capacity,
            "roles": picture.roles,
            "jobs": picture.jobs.listing.first(),
            "decisions": picture.jobs.decisions,
        })
    }

    /// Returns the picture as text of at most this many columns, except for long reasons.
    pub(crate) fn text(&self, columns: u16, palette: Palette) -> String {
        let picture = &self.0;
        let Some(status) = &picture.status else {
            return String::new();
        };
        let (backlog, running) = jobs_of(status);
        let mut text = format!(
            "{}, epoch {}, forecasts {}, {}\n{}, backlog {backlog}, running {running}\n",
            palette.paint(Tone::Strong, &status.dispatcher),
            status.epoch,
            status.forecast_mode,
            status.at_ms,
            counted(u64::from(status.totals.nodes), "node"),
        );
        match picture.attention.as_slice() {
            [] => text.push_str(&format!("{}\n", palette.paint(Tone::Good, "all is well"))),
            lines => {
                text.extend(lines.iter().take(ROWS_MAX).map(|line| {
                    format!("{}\n", palette.paint(Tone::Warning, &format!("! {line}")))
                }));
            }
        }
        let sheets = [
            sheet(nodes::rows(picture), &nodes::columns(), nodes::FIRST_SORT),
            sheet(
                categories::rows(picture),
                &categories::columns(),
                categories::FIRST_SORT,
            ),
            sheet(roles::rows(picture), &roles::columns(), 0),
            {
                let mut rows = jobs::rows(picture, &JobsOf::default());
                rows.truncate(JOBS_MAX);
                sheet(rows, &jobs::columns(), jobs::FIRST_SORT)
            },
        ];
        for sheet in sheets.into_iter().flatten() {
            text.push('\n');
            text.push_str(&sheet.text(columns, palette));
        }
        if let Some(why) = &picture.jobs.missing {
            text.push_str(&format!("\n{}\n", palette.paint(Tone::Faint, why)));
        }
        text
    }
}

/// A list with all its cells.
struct Sheet {
    columns: Vec<(&'static str, Align, u8)>,
    rows: Vec<Vec<Text>>,
    left_out: usize,
}

/// Returns a list in this order; `None` without rows.
fn sheet<T: Item>(rows: Vec<T>, columns: &[Column<T>], sort: usize) -> Option<Sheet> {
    let mut rows = List::sorted_by(sort).arrange(rows, columns);
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    // Trails have one sample.
    let is_shown = |column: &&Column<T>| column.name != "last" && column.name != "end/s";
    let columns: Vec<&Column<T>> = columns.iter().filter(is_shown).collect();
    let cells = |row: &T| columns.iter().map(|column| (column.cell)(row)).collect();
    let cells: Vec<Vec<Text>> = rows.iter().map(cells).collect();
    let columns = columns.iter().map(|c| (c.name, c.align, c.level));
    (!cells.is_empty()).then(|| Sheet {
        columns: columns.collect(),
        rows: cells,
        left_out,
    })
}

impl Sheet {
    /// Writes the columns that fit, by their widest cells.
    fn text(&self, columns: u16, palette: Palette) -> String {
        let shown = self.fitting(usize::from(columns));
        let header: Vec<(&str, Align)> = shown
            .iter()
            .map(|index| (self.columns[*index].0, self.columns[*index].1))
            .collect();
        let pick = |row: &Vec<Text>| shown.iter().map(|index| row[*index].clone()).collect();
        let mut text = table(palette, &header, self.rows.iter().map(pick).collect());
        text.push('\n');
        if self.left_out > 0 {
            text.push_str(&format!("and {} more\n", self.left_out));
        }
        text
    }

    fn fitting(&self, width: usize) -> Vec<usize> {
        let widest = |index: usize| {
            let cells = self.rows.iter().map(|row| row[index].0.chars().count());
            cells.max().unwrap_or(0).max(self.columns[index].0.len())
        };
        let columns = self.columns.iter().enumerate();
        let columns: Vec<(usize, u8)> = columns
            .map(|(index, column)| (widest(index) + GAP, column.2))
            .collect();
        fitting(&columns, width + GAP)
    }
}
