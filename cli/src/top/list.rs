//! Lists: columns, order, filter, and the selected row.
//!
//! The selection follows its row by name while rows move; if the row is gone, the row at
//! its place is selected.

use std::cmp::Ordering;

use crate::table::{Align, Text};

/// Place of a row in an order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rank {
    /// By the alphabet.
    Text(String),
    /// The least first.
    Least(f64),
    /// The most first.
    Most(f64),
}

impl Rank {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Rank::Text(a), Rank::Text(b)) => a.cmp(b),
            (Rank::Least(a), Rank::Least(b)) => a.total_cmp(b),
            (Rank::Most(a), Rank::Most(b)) => b.total_cmp(a),
            (Rank::Text(_) | Rank::Least(_) | Rank::Most(_), _) => {
                unreachable!("a column has one kind of rank")
            }
        }
    }
}

/// A column of a list of `T`.
#[derive(Debug)]
pub(super) struct Column<T> {
    pub(super) name: &'static str,
    pub(super) width: u16,
    pub(super) align: Align,
    /// Columns with the largest numbers are left out first when the screen is narrow.
    pub(super) level: u8,
    pub(super) cell: fn(&T) -> Text,
    pub(super) rank: fn(&T) -> Rank,
}

impl<T> Column<T> {
    pub(super) fn left(
        name: &'static str,
        (width, level): (u16, u8),
        cell: fn(&T) -> Text,
        rank: fn(&T) -> Rank,
    ) -> Self {
        let align = Align::Left;
        Self {
            name,
            width,
            align,
            level,
            cell,
            rank,
        }
    }

    pub(super) fn right(
        name: &'static str,
        size: (u16, u8),
        cell: fn(&T) -> Text,
        rank: fn(&T) -> Rank,
    ) -> Self {
        let align = Align::Right;
        Self {
            align,
            ..Self::left(name, size, cell, rank)
        }
    }
}

/// A row.
pub(super) trait Item {
    /// Names it among all rows.
    fn key(&self) -> &str;

    /// Returns whether a part of it is this text, in lower case.
    fn contains(&self, part: &str) -> bool;
}

/// State of one list.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    pub(super) sort: usize,
    pub(super) is_reversed: bool,
    pub(super) filter: String,
    selected: Option<String>,
    index: usize,
}

impl List {
    /// Returns the list in the order of this column.
    pub(super) fn sorted_by(sort: usize) -> Self {
        Self {
            sort,
            ..Self::default()
        }
    }

    /// Returns the rows that pass the filter, in order; equal ones stay as they are.
    pub(super) fn arrange<T: Item>(&self, items: Vec<T>, columns: &[Column<T>]) -> Vec<T> {
        let part = self.filter.to_lowercase();
        let passing = items.into_iter().filter(|item| item.contains(&part));
        let rank = columns.get(self.sort).unwrap_or(&columns[0]).rank;
        let mut ranked: Vec<(Rank, T)> = passing.map(|item| (rank(&item), item)).collect();
        ranked.sort_by(|(a, _), (b, _)| {
            let order = a.compare(b);
            if self.is_reversed {
                order.reverse()
            } else {
                order
            }
        });
        ranked.into_iter().map(|(_, item)| item).collect()
    }

    /// Returns the place of the selected row; `None` of an empty list.
    pub(super) fn place<'a>(
        &self,
        mut keys: impl ExactSizeIterator<Item = &'a str>,
    ) -> Option<usize> {
        let last = keys.len().checked_sub(1)?;
        let found = self.selected.as_deref();
        let found = found.and_then(|selected| keys.position(|key| key == selected));
        Some(found.unwrap_or(self.index.min(last)))
    }

    /// Moves the selection by this many rows.
    pub(super) fn step(&mut self, keys: &[String], by: isize) {
        let names = keys.iter().map(String::as_str);
        let Some(place) = self.place(names) else {
            return;
        };
        self.index = place.saturating_add_signed(by).min(keys.len() - 1);
        self.selected = Some(keys[self.index].clone());
    }

    /// Sorts by the next column, or the one before.
    pub(super) fn turn(&mut self, columns: usize, is_forward: bool) {
        let step = if is_forward { 1 } else { columns - 1 };
        self.sort = (self.sort + step) % columns;
        self.is_reversed = false;
    }
}

/// Returns the columns that fit, by their places; each is given by its width with the
/// gap behind it, and its level.
pub(super) fn fitting(columns: &[(usize, u8)], width: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let needed = |shown: &[usize]| shown.iter().map(|index| columns[*index].0).sum::<usize>();
    while shown.len() > 1 && needed(&shown) > width {
        let levels = shown.iter().enumerate();
        let Some((place, _)) = levels.max_by_key(|(_, index)| columns[**index].1) else {
            break;
        };
        shown.remove(place);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::plain;

    impl Item for (&str, f64) {
        fn key(&self) -> &str {
            self.0
        }

        fn contains(&self, part: &str) -> bool {
            self.0.contains(part)
        }
    }

    fn columns<'a>() -> [Column<(&'a str, f64)>; 2] {
        [
            Column::left(
                "name",
                (10, 0),
                |row| plain(row.0),
                |row| Rank::Text(row.0.to_owned()),
            ),
            Column::right("size", (5, 1), |row| plain(row.1), |row| Rank::Most(row.1)),
        ]
    }

    fn names(list: &List) -> Vec<String> {
        let rows = vec![("elm", 2.0), ("oak", 3.0), ("ash", 2.0)];
        let rows = list.arrange(rows, &columns());
        rows.iter().map(|row| row.0.to_owned()).collect()
    }

    #[test]
    fn rows_are_sorted_reversed_and_filtered() {
        let mut list = List::default();
        assert_eq!(names(&list), ["ash", "elm", "oak"]);
        list.turn(2, true);
        assert_eq!(names(&list), ["oak", "elm", "ash"]);
        list.is_reversed = true;
        assert_eq!(names(&list), ["elm", "ash", "oak"]);
        list.filter = "A".to_owned();
        assert_eq!(names(&list), ["ash", "oak"]);
        list.turn(2, false);
        assert_eq!((list.sort, list.is_reversed), (0, false));
    }

    #[test]
    fn the_selection_follows_its_row() {
        let mut list = List::default();
        let keys = names(&list);
        list.step(&keys, 0);
        let place = |list: &List, keys: &[String]| list.place(keys.iter().map(String::as_str));
        assert_eq!(place(&list, &keys), Some(0));
        list.turn(2, true);
        assert_eq!(place(&list, &names(&list)), Some(2));
        // Its row is gone.
        list.filter = "oak".to_owned();
        assert_eq!(place(&list, &names(&list)), Some(0));
        list.filter = "none".to_owned();
        assert_eq!(place(&list, &names(&list)), None);
        list.step(&[], 1);
        list.filter.clear();
        list.step(&names(&list), isize::MAX);
        assert_eq!(place(&list, &names(&list)), Some(2));
    }

    #[test]
    fn a_narrow_screen_has_the_columns_that_matter() {
        let columns = [(11, 0), (6, 2), (3, 1)];
        assert_eq!(fitting(&columns, 20), [0, 1, 2]);
        assert_eq!(fitting(&columns, 19), [0, 2]);
        assert_eq!(fitting(&columns, 1), [0]);
    }
}
