//! Tables: a bold header, two spaces between columns, no lines.

use comfy_table::{Attribute, Cell, CellAlignment, Color, Table, presets};

use crate::style::{Palette, Tone};

/// Alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// One cell: its text and its tone.
pub(crate) type Text = (String, Tone);

/// Makes a plain cell.
#[allow(
    clippy::needless_pass_by_value,
    reason = "callers pass numbers and fresh text"
)]
pub(crate) fn plain(text: impl ToString) -> Text {
    (text.to_string(), Tone::Plain)
}

/// Writes a table; every row has one cell for each column.
pub(crate) fn table(palette: Palette, columns: &[(&str, Align)], rows: Vec<Vec<Text>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if palette.has_colours() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let header = columns.iter().map(|(name, _)| {
        let cell = Cell::new(name.to_uppercase());
        cell.add_attribute(Attribute::Bold)
    });
    table.set_header(header);
    for row in rows {
        assert_eq!(row.len(), columns.len(), "a row has one cell a column");
        table.add_row(row.into_iter().map(cell));
    }
    for (index, (_, align)) in columns.iter().enumerate() {
        let Some(column) = table.column_mut(index) else {
            continue;
        };
        column.set_padding((0, 2));
        column.set_cell_alignment(match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    table.trim_fmt()
}

fn cell((text, tone): Text) -> Cell {
    let cell = Cell::new(text);
    match tone {
        Tone::Plain => cell,
        Tone::Strong => cell.add_attribute(Attribute::Bold),
        Tone::Faint => cell.add_attribute(Attribute::Dim),
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Warning => cell.fg(Color::DarkYellow),
        Tone::Bad => cell.fg(Color::DarkRed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_do_not_trail() {
        let columns = [("node", Align::Left), ("jobs", Align::Right)];
        let rows = vec![
            vec![plain("oak"), plain(7)],
            vec![("maple".to_owned(), Tone::Bad), plain(120)],
        ];
        let text = table(Palette::PLAIN, &columns, rows);
        assert_eq!(text, "NODE   JOBS\noak       7\nmaple   120");
    }
}
