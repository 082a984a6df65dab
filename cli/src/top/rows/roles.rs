//! Rows of the list of roles.

use std::collections::BTreeSet;

use rolecast_common::id::Role;
use rolecast_common::unit::{Cores, Resources};
use rolecast_common::wire::{CapacityAt, ManagedRole, RoleCapacity, RoleStatus, RolesView};

use super::super::list::{Column, Item, Rank};
use super::super::picture::Picture;
use crate::quantity::cores;
use crate::style::Tone;
use crate::table::{Text, plain};
use crate::view::role;
use rolecast_common::words::amounts;

/// The horizon of the nearer of two figures, in seconds.
const SOON_S: u32 = 10;

/// A role with its nodes, its holders if it is managed, and its free capacity.
#[derive(Debug)]
pub(in super::super) struct Row<'a> {
    role: &'a Role,
    status: Option<&'a RoleStatus>,
    managed: Option<(&'a RolesView, &'a ManagedRole)>,
    pub(in super::super) capacity: Option<&'a RoleCapacity>,
}

impl Item for Row<'_> {
    fn key(&self) -> &str {
        self.role.as_str()
    }

    fn contains(&self, part: &str) -> bool {
        let is_in = |text: &str| text.to_lowercase().contains(part);
        is_in(self.key()) || is_in(&holders(self).0)
    }
}

/// Returns the rows in no particular order.
pub(in super::super) fn rows(picture: &Picture) -> Vec<Row<'_>> {
    let listed = picture.status.iter().flat_map(|status| &status.roles);
    let listed: Vec<&RoleStatus> = listed.collect();
    let managed = picture.roles.iter().flat_map(|view| view.roles.keys());
    let mapped = picture.capacity.iter().flat_map(|map| map.roles.keys());
    let names = listed.iter().map(|status| &status.role);
    let names: BTreeSet<&Role> = names.chain(managed).chain(mapped).collect();
    names
        .into_iter()
        .map(|role| Row {
            role,
            status: listed.iter().copied().find(|status| status.role == *role),
            managed: picture
                .roles
                .as_deref()
                .and_then(|view| Some((view, view.roles.get(role)?))),
            capacity: picture
                .capacity
                .as_ref()
                .and_then(|map| map.roles.get(role)),
        })
        .collect()
}

pub(in super::super) fn columns<'a>() -> Vec<Column<Row<'a>>> {
    vec![
        Column::left(
            "role",
            (12, 0),
            |r| (r.key().to_owned(), Tone::Strong),
            |r| Rank::Text(r.key().to_owned()),
        ),
        Column::right("nodes", (6, 1), nodes, |r| {
            Rank::Most(r.status.map_or(-1.0, |status| f64::from(status.nodes)))
        }),
        Column::left("holders", (22, 2), holders, |r| Rank::Text(holders(r).0)),
        Column::right(
            "free 10s",
            (9, 4),
            |r| free(r.soon()),
            |r| by_free(r.soon()),
        ),
        Column::right("free 1h", (8, 5), |r| free(r.last()), |r| by_free(r.last())),
        Column::left("short", (18, 3), short, |r| Rank::Text(short(r).0)),
        Column::left("change", (24, 6), change, |r| Rank::Text(change(r).0)),
    ]
}

impl<'a> Row<'a> {
    fn soon(&self) -> Option<&'a CapacityAt> {
        let mut horizons = self.capacity?.horizons.iter();
        horizons.find(|at| at.seconds >= SOON_S)
    }

    fn last(&self) -> Option<&'a CapacityAt> {
        self.capacity?.horizons.last()
    }
}

fn nodes(row: &Row<'_>) -> Text {
    match row.status {
        None => plain("-"),
        Some(RoleStatus { nodes: 0, .. }) => ("0".to_owned(), Tone::Bad),
        Some(status) => plain(status.nodes),
    }
}

/// Lists the holders of a managed role; the holders of others are its nodes.
fn holders(row: &Row<'_>) -> Text {
    match row.managed {
        None => ("not managed".to_owned(), Tone::Faint),
        Some((view, managed)) => role::holders(view, row.role, managed),
    }
}

fn change(row: &Row<'_>) -> Text {
    let under_way = row
        .managed
        .and_then(|(view, _)| role::change(view, row.role));
    under_way.map_or_else(|| plain("-"), |text| (text, Tone::Warning))
}

fn free(at: Option<&CapacityAt>) -> Text {
    match at.map(|at| at.available.safe.cpu) {
        None => plain("-"),
        Some(free) if free <= Cores::ZERO => (cores(free), Tone::Warning),
        Some(free) => plain(cores(free)),
    }
}

fn by_free(at: Option<&CapacityAt>) -> Rank {
    Rank::Least(at.map_or(f64::MAX, |at| at.available.safe.cpu.get()))
}

fn short(row: &Row<'_>) -> Text {
    match row.status {
        Some(status) if status.shortage != Resources::default() => {
            (amounts(&status.shortage), Tone::Bad)
        }
        Some(_) | None => plain("-"),
    }
}
