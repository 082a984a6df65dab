//! Tiles: one square for each of many nodes, coloured by class.
//!
//! Few tiles are links of their own. Many are drawn as one path for each class, with runs
//! of equal neighbours as one stroke that is dashed into squares, and each row is a link:
//! 10,000 tiles take less than 100 kB.

use std::fmt::Write as _;

use maud::{Markup, html};

/// Tiles that are links of their own, in all groups together.
pub(crate) const LINKS_MAX: usize = 1200;

/// One tile.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    /// The place of its class among the names of classes.
    pub(crate) class: usize,
    pub(crate) href: String,
    pub(crate) title: String,
}

/// Draws tiles that are links.
pub(crate) fn linked(title: &str, tiles: &[Tile], columns: usize, classes: &[&str]) -> Markup {
    html! {
        svg.tiles viewBox=(view(tiles.len(), columns)) role="group" aria-label=(title) {
            @for (index, tile) in tiles.iter().enumerate() {
                a href=(tile.href) {
                    title { (tile.title) }
                    rect class=(classes[tile.class]) x=(index % columns) y=(index / columns) width=".86" height=".86" {}
                }
            }
        }
    }
}

/// Draws tiles of these classes as few paths; `row` returns the address and the title of
/// the tiles in a row, the first counted from 0.
pub(crate) fn merged(
    title: &str,
    tiles: &[usize],
    columns: usize,
    classes: &[&str],
    row: impl Fn(usize) -> (String, String),
) -> Markup {
    let paths = classes
        .iter()
        .enumerate()
        .map(|(class, name)| (*name, runs(tiles, columns, class)));
    let rows = tiles.len().div_ceil(columns);
    html! {
        svg.tiles.merged viewBox=(view(tiles.len(), columns)) role="group" aria-label=(title) {
            @for (name, path) in paths.filter(|(_, path)| !path.is_empty()) {
                path class=(name) d=(path) {}
            }
            @for index in 0..rows {
                @let (href, title) = row(index);
                a href=(href) {
                    title { (title) }
                    rect.row y=(index) width=(columns) height="1" {}
                }
            }
        }
    }
}

/// Returns the runs of tiles of a class, one stroke for each.
fn runs(tiles: &[usize], columns: usize, class: usize) -> String {
    let mut path = String::new();
    for (row, tiles) in tiles.chunks(columns).enumerate() {
        let mut column = 0;
        while column < tiles.len() {
            let len = tiles[column..]
                .iter()
                .take_while(|found| **found == class)
                .count();
            if len > 0 {
                // The stroke is centred on its line, one unit high.
                let _ = write!(path, "M{column} {row}.43h{len}");
            }
            column += len.max(1);
        }
    }
    path
}

fn view(count: usize, columns: usize) -> String {
    format!("0 0 {columns} {}", count.div_ceil(columns).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_a_class_are_one_stroke_and_rows_end_it() {
        let tiles = [0, 0, 1, 0, 0, 0, 1, 1];
        assert_eq!(runs(&tiles, 4, 0), "M0 0.43h2M3 0.43h1M0 1.43h2");
        assert_eq!(runs(&tiles, 4, 1), "M2 0.43h1M2 1.43h2");
        assert_eq!(runs(&tiles, 4, 2), "");
    }

    #[test]
    fn ten_thousand_tiles_are_small_even_if_all_neighbours_differ() {
        let classes = ["a", "b", "c", "d", "e", "f", "g"];
        let tiles: Vec<usize> = (0..10_000).map(|index| index % 7).collect();
        let row = |row: usize| (format!("/nodes?page={row}"), format!("from web-{row}"));
        let text = merged("all", &tiles, 125, &classes, row).into_string();
        assert!(text.len() < 150_000, "{}", text.len());
        assert_eq!(text.matches("<path").count(), 7);
    }
}
