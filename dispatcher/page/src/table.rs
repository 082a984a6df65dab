//! Tables: one for all views. On a narrow screen each row is a card, and each cell has the
//! name of its column beside it.

use maud::{Markup, PreEscaped, html};

use crate::ask::{Ask, Sort};

/// A column: its name, whether its values are numbers, and the order that its name asks
/// for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    name: &'static str,
    is_number: bool,
    sort: Option<Sort>,
}

pub(crate) const fn text(name: &'static str) -> Column {
    Column {
        name,
        is_number: false,
        sort: None,
    }
}

pub(crate) const fn number(name: &'static str) -> Column {
    Column {
        name,
        is_number: true,
        sort: None,
    }
}

impl Column {
    pub(crate) const fn by(self, sort: Sort) -> Self {
        Self {
            sort: Some(sort),
            ..self
        }
    }
}

/// Writes a table; the first cell of each row is its header. `ask` is the view whose order
/// the columns may change.
pub(crate) fn table(
    caption: &str,
    columns: &[Column],
    ask: Option<&Ask>,
    rows: Vec<Vec<Markup>>,
) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption.quiet { (caption) }
                thead { tr { @for column in columns { (header(column, ask)) } } }
                tbody { @for cells in rows { tr {
                    @for (index, (cell, column)) in cells.into_iter().zip(columns).enumerate() {
                        @let class = column.is_number.then_some("n");
                        @if index == 0 {
                            th scope="row" { (cell) }
                        } @else {
                            td class=[class] data-label=(column.name) { (cell) }
                        }
                    }
                } } }
            }
        }
    }
}

fn header(column: &Column, ask: Option<&Ask>) -> Markup {
    let class = column.is_number.then_some("n");
    let (Some(sort), Some(ask)) = (column.sort, ask) else {
        return html! { th scope="col" class=[class] { (column.name) } };
    };
    let is_chosen = ask.query.sort == sort;
    let is_reversed = ask.query.is_reversed;
    let order = is_chosen.then_some(
        match is_reversed != (sort == Sort::Name || sort == Sort::Trouble) {
            true => "ascending",
            false => "descending",
        },
    );
    let href = ask.with(|query| {
        query.sort = sort;
        query.is_reversed = is_chosen && !is_reversed;
    });
    html! {
        th scope="col" class=[class] aria-sort=[order] {
            a href=(href) { (column.name) }
        }
    }
}

/// A cell without a value.
pub(crate) fn none() -> Markup {
    PreEscaped("<span class=\"faint\">-</span>".to_owned())
}
