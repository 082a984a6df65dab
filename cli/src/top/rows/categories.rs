//! Rows of the list of categories.

use rolecast_common::wire::CategoryStatus;
use rolecast_common::words::arrivals;

use super::super::list::{Column, Item, Rank};
use super::super::picture::Picture;
use super::super::trail::Trail;
use super::nodes::{age, count};
use crate::style::Tone;
use crate::table::{Text, plain};
use crate::view::nodes::role_list;

/// Bars of the flow in the last minutes.
const BARS: u16 = 8;

/// A category with the ends of its jobs.
#[derive(Debug)]
pub(in super::super) struct Row<'a> {
    pub(in super::super) category: &'a CategoryStatus,
    trail: Option<&'a Trail>,
}

impl Item for Row<'_> {
    fn key(&self) -> &str {
        self.category.category.as_str()
    }

    fn contains(&self, part: &str) -> bool {
        let is_in = |text: &str| text.to_lowercase().contains(part);
        let mut roles = self.category.roles.iter();
        is_in(self.key()) || is_in(state(self.category)) || roles.any(|role| is_in(role.as_str()))
    }
}

/// Returns the rows in no particular order.
pub(in super::super) fn rows(picture: &Picture) -> Vec<Row<'_>> {
    let categories = picture.status.iter().flat_map(|status| &status.categories);
    categories
        .map(|category| Row {
            category,
            trail: picture.flow.categories.get(&category.category),
        })
        .collect()
}

/// The column by which categories are sorted at first: the longest backlog is above.
pub(in super::super) const FIRST_SORT: usize = 1;

pub(in super::super) fn columns<'a>() -> Vec<Column<Row<'a>>> {
    let mut columns = queue();
    columns.extend(flow());
    columns
}

fn queue<'a>() -> Vec<Column<Row<'a>>> {
    vec![
        Column::left(
            "category",
            (12, 0),
            |r| (r.key().to_owned(), Tone::Strong),
            |r| Rank::Text(r.key().to_owned()),
        ),
        Column::right(
            "backlog",
            (8, 1),
            |r| plain(r.category.backlog),
            |r| Rank::Most(count(r.category.backlog)),
        ),
        Column::right(
            "wait",
            (5, 6),
            |r| plain(r.category.waiting),
            |r| Rank::Most(f64::from(r.category.waiting)),
        ),
        Column::right(
            "run",
            (5, 2),
            |r| plain(r.category.running),
            |r| Rank::Most(f64::from(r.category.running)),
        ),
        Column::right(
            "nodes",
            (6, 3),
            |r| nodes(r.category),
            |r| Rank::Least(f64::from(r.category.nodes_eligible)),
        ),
        Column::right(
            "oldest",
            (7, 4),
            |r| oldest(r.category),
            |r| Rank::Most(r.category.oldest_ms.map_or(-1.0, count)),
        ),
    ]
}

fn flow<'a>() -> Vec<Column<Row<'a>>> {
    let bars = |r: &Row<'_>| {
        let bars = |trail: &Trail| trail.bars(usize::from(BARS), None);
        plain(r.trail.map_or_else(String::new, bars))
    };
    let by_rate = |r: &Row<'_>| Rank::Most(r.trail.and_then(Trail::last).unwrap_or(-1.0));
    vec![
        Column::right(
            "end/s",
            (6, 7),
            |r| plain(rate(r.trail.and_then(Trail::last))),
            by_rate,
        ),
        Column::right("last", (BARS, 9), bars, by_rate),
        Column::right(
            "expect",
            (8, 8),
            |r| plain(arrivals(r.category.expected_per_minute)),
            |r| Rank::Most(r.category.expected_per_minute.unwrap_or(-1.0)),
        ),
        Column::right(
            "dead",
            (5, 5),
            |r| dead(r.category),
            |r| Rank::Most(r.category.dead_letters.map_or(-1.0, count)),
        ),
        Column::right(
            "retried",
            (8, 11),
            |r| plain(r.category.retried),
            |r| Rank::Most(count(r.category.retried)),
        ),
        Column::right(
            "done",
            (8, 10),
            |r| plain(r.category.completed),
            |r| Rank::Most(count(r.category.completed)),
        ),
        Column::left(
            "roles",
            (12, 12),
            |r| plain(role_list(&r.category.roles)),
            |r| Rank::Text(role_list(&r.category.roles)),
        ),
    ]
}

/// Returns the state in a word, for the filter.
fn state(category: &CategoryStatus) -> &'static str {
    match (category.backlog, category.nodes_eligible, category.late) {
        (1.., 0, _) => "stuck",
        (_, _, true) => "late",
        (_, _, false) => "in time",
    }
}

fn nodes(category: &CategoryStatus) -> Text {
    let is_stuck = category.backlog > 0 && category.nodes_eligible == 0;
    let tone = if is_stuck { Tone::Bad } else { Tone::Plain };
    (category.nodes_eligible.to_string(), tone)
}

fn oldest(category: &CategoryStatus) -> Text {
    let tone = if category.late {
        Tone::Warning
    } else {
        Tone::Plain
    };
    (category.oldest_ms.map_or("-".to_owned(), age), tone)
}

fn dead(category: &CategoryStatus) -> Text {
    match category.dead_letters {
        None => plain("-"),
        Some(count) => (count.to_string(), Tone::of_trouble(count, Tone::Bad)),
    }
}

/// Writes a number of jobs a second, small ones with a fraction.
pub(in super::super) fn rate(per_second: Option<f64>) -> String {
    match per_second {
        None => "-".to_owned(),
        Some(rate) if rate < 9.95 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}
