//! The list, or the details, between the header and the keys.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text as Lines};
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState};

use super::super::details::{Part, fan, page};
use super::super::feed::JobsOf;
use super::super::list::{Column, Item, List, fitting};
use super::super::rows::{categories, jobs, nodes, roles};
use super::super::{App, Detail, Tab};
use super::{span, style, wrap};
use crate::chart::Area;
use crate::style::{Palette, Tone};
use crate::table::Align;

/// Rows of the chart below the list of nodes, with its heading and its axis.
const FAN_ROWS: u16 = 7;
/// The list has at least this many rows beside it.
const LIST_ROWS_MIN: u16 = 9;
/// Spaces behind a column.
const GAP: usize = 1;
/// Columns of the names of facts.
const NAME_COLUMNS: usize = 11;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    if let Some(detail) = app.details.last() {
        return draw_detail(app, detail, frame, area);
    }
    let (picture, list) = (&app.picture, &app.lists[app.tab.index()]);
    match app.tab {
        Tab::Nodes => draw_nodes(app, frame, area),
        Tab::Categories => {
            let sheet = Sheet::new(
                list,
                categories::columns(),
                categories::rows(picture),
                app.palette,
            );
            sheet.draw("no categories yet", frame, area);
        }
        Tab::Roles => {
            let sheet = Sheet::new(list, roles::columns(), roles::rows(picture), app.palette);
            sheet.draw("no roles yet", frame, area);
        }
        Tab::Jobs => draw_jobs(app, &JobsOf::default(), list, frame, area),
        Tab::Alarms => draw_alarms(app, frame, area),
    }
}

fn draw_nodes(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let picture = &app.picture;
    let list = &app.lists[Tab::Nodes.index()];
    let sheet = Sheet::new(list, nodes::columns(), nodes::rows(picture), app.palette);
    let selected = sheet.selected.as_deref();
    let forecast = picture.forecast.as_ref();
    let forecast = forecast.filter(|forecast| Some(forecast.node.as_str()) == selected);
    let has_room = area.height >= FAN_ROWS + LIST_ROWS_MIN;
    let fan_rows = if has_room { FAN_ROWS } else { 0 };
    let [list_area, fan_area] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(fan_rows)]).areas(area);
    sheet.draw("no nodes yet", frame, list_area);
    if let Some(forecast) = forecast.filter(|_| has_room) {
        let chart = Area {
            columns: usize::from(fan_area.width),
            rows: usize::from(FAN_ROWS) - 2,
        };
        let mut parts = fan(forecast, "cpu", chart);
        if let Some(Part::Line(heading)) = parts.first_mut() {
            heading.insert(0, (format!(" {}  ", forecast.node), Tone::Strong));
        }
        let lines = lines(&parts, fan_area.width, app.palette);
        frame.render_widget(Paragraph::new(lines), fan_area);
    }
}

fn draw_jobs(app: &App, of: &JobsOf, list: &List, frame: &mut Frame<'_>, area: Rect) {
    let sheet = Sheet::new(
        list,
        jobs::columns(),
        jobs::rows(&app.picture, of),
        app.palette,
    );
    let missing = app.picture.jobs.missing.as_ref();
    let empty = missing.map_or("no jobs".to_owned(), |why| {
        format!("{why}; e explains a job by its id")
    });
    sheet.draw(&empty, frame, area);
}

fn draw_alarms(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let attention = &app.picture.attention;
    let parts: Vec<Part> = match attention.as_slice() {
        [] => vec![Part::Text("all is well".to_owned(), Tone::Good)],
        lines => lines
            .iter()
            .map(|line| Part::Text(format!("! {line}"), Tone::Warning))
            .collect(),
    };
    let lines = lines(&parts, area.width, app.palette);
    scrolled(lines, app.alarms_scroll, frame, area);
}

/// Draws the page of a subject, and below it the jobs there if it has some.
fn draw_detail(app: &App, detail: &Detail, frame: &mut Frame<'_>, area: Rect) {
    let parts = page(&app.picture, &detail.subject, usize::from(area.width));
    let lines = lines(&parts, area.width, app.palette);
    let Some(of) = detail.jobs_of() else {
        return scrolled(lines, detail.scroll, frame, area);
    };
    let count = jobs::rows(&app.picture, &of).len();
    let needed = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    // At least a third for the jobs, if there are any.
    let least = u16::try_from(count + 1)
        .unwrap_or(u16::MAX)
        .min(area.height / 3);
    let least = least.max(2);
    let [page_area, jobs_area] = Layout::vertical([
        Constraint::Length(needed.min(area.height.saturating_sub(least))),
        Constraint::Min(least),
    ])
    .areas(area);
    scrolled(lines, detail.scroll, frame, page_area);
    draw_jobs(app, &of, &detail.jobs, frame, jobs_area);
}

/// Draws lines from this one on, as far as the last page.
fn scrolled(lines: Vec<Line<'static>>, from: u16, frame: &mut Frame<'_>, area: Rect) {
    let count = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let from = from.min(count.saturating_sub(area.height));
    frame.render_widget(Paragraph::new(lines).scroll((from, 0)), area);
}

/// Returns the parts as lines of this width.
fn lines(parts: &[Part], width: u16, palette: Palette) -> Vec<Line<'static>> {
    let width = usize::from(width).saturating_sub(2);
    let mut lines = Vec::new();
    for part in parts {
        match part {
            Part::Line(texts) => {
                let spans = texts.iter().map(|text| span(text.clone(), palette));
                lines.push(Line::from_iter(spans));
            }
            Part::Text(text, tone) => {
                let wrapped = wrap(text, width).into_iter();
                lines.extend(wrapped.map(|line| Line::from(span((line, *tone), palette))));
            }
            Part::Fact(name, text, tone) => {
                let wrapped = wrap(text, width.saturating_sub(NAME_COLUMNS));
                for (index, line) in wrapped.into_iter().enumerate() {
                    let name = if index == 0 { *name } else { "" };
                    let name = format!("{name:<NAME_COLUMNS$}");
                    lines.push(Line::from(vec![
                        span((name, Tone::Faint), palette),
                        span((line, *tone), palette),
                    ]));
                }
            }
        }
    }
    lines
}

/// A list with its rows in order.
struct Sheet<'a, T> {
    list: &'a List,
    columns: Vec<Column<T>>,
    rows: Vec<T>,
    place: Option<usize>,
    selected: Option<String>,
    palette: Palette,
}

impl<'a, T: Item> Sheet<'a, T> {
    fn new(list: &'a List, columns: Vec<Column<T>>, rows: Vec<T>, palette: Palette) -> Self {
        let rows = list.arrange(rows, &columns);
        let place = list.place(rows.iter().map(Item::key));
        let selected = place.map(|place| rows[place].key().to_owned());
        Self {
            list,
            columns,
            rows,
            place,
            selected,
            palette,
        }
    }

    fn draw(&self, empty: &str, frame: &mut Frame<'_>, area: Rect) {
        if self.rows.is_empty() {
            let text = match self.list.filter.as_str() {
                "" => empty.to_owned(),
                filter => format!("nothing has \"{filter}\"; Esc clears the filter"),
            };
            let lines = lines(&[Part::Text(text, Tone::Faint)], area.width, self.palette);
            return frame.render_widget(Paragraph::new(lines), area);
        }
        let columns = self.columns.iter();
        let columns: Vec<(usize, u8)> = columns
            .map(|column| (usize::from(column.width) + GAP, column.level))
            .collect();
        let shown = fitting(&columns, usize::from(area.width) + GAP);
        // Only the rows on the screen are written.
        let height = usize::from(area.height.saturating_sub(1)).max(1);
        let place = self.place.unwrap_or(0);
        let first = place
            .saturating_sub(height / 2)
            .min(self.rows.len().saturating_sub(height));
        let rows = self.rows[first..]
            .iter()
            .take(height)
            .map(|row| self.row(row, &shown));
        let table = Table::new(rows, self.widths(&shown))
            .header(self.header(&shown))
            .column_spacing(1)
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        let mut state = TableState::new().with_selected(Some(place - first));
        frame.render_stateful_widget(table, area, &mut state);
    }

    /// The first column takes what is left.
    fn widths(&self, shown: &[usize]) -> Vec<Constraint> {
        let width = |index: &usize| match index {
            0 => Constraint::Min(self.columns[0].width),
            index => Constraint::Length(self.columns[*index].width),
        };
        shown.iter().map(width).collect()
    }

    fn header(&self, shown: &[usize]) -> Row<'static> {
        let cell = |index: &usize| {
            let column = &self.columns[*index];
            let mark = match (*index == self.list.sort, self.list.is_reversed) {
                (false, _) => "",
                (true, false) => "▾",
                (true, true) => "▴",
            };
            let text = format!("{}{mark}", column.name.to_uppercase());
            Cell::from(aligned(Span::raw(text), column.align))
        };
        let header = Row::new(shown.iter().map(cell));
        header.style(style(Tone::Strong, self.palette))
    }

    fn row(&self, row: &T, shown: &[usize]) -> Row<'static> {
        let cell = |index: &usize| {
            let column = &self.columns[*index];
            let text = span((column.cell)(row), self.palette);
            Cell::from(aligned(text, column.align))
        };
        Row::new(shown.iter().map(cell))
    }
}

fn aligned(text: Span<'static>, align: Align) -> Lines<'static> {
    let alignment = match align {
        Align::Left => Alignment::Left,
        Align::Right => Alignment::Right,
    };
    Lines::from(text).alignment(alignment)
}
