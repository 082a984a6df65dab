//! Managed roles: holders, vacancies, and the time line of changes with their reasons.

use maud::{Markup, html};
use rolecast_common::alarm::of_roles;
use rolecast_common::id::Role;
use rolecast_common::wire::{ManagedRole, RoleChange, RoleChangeResult, RolesView, Status};
use rolecast_common::words::{
    brief, counted, course, figures_of, length, one_line, under_way, why,
};

use super::overview::capacity;
use super::{courses, node_link};
use crate::parts::alarm_list;
use crate::picture::Picture;
use crate::table::{number, table, text};
use crate::words::count;

/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 200;

pub(super) fn view(picture: &Picture, status: &Status) -> Markup {
    html! {
        @match picture.roles.as_deref() {
            None => { p { "The holders of roles are not known here: the leading dispatcher knows them." } },
            Some(view) if view.roles.is_empty() => {
                p { "No role has holders in the dispatcher's configuration. " code { "[roles.leader] holders = 1" } " manages one; " code { "rolecast dispatcher-init" } " prints an example." }
            },
            Some(view) => {
                @if !of_roles(view).is_empty() { section aria-label="Alarms" { (alarm_list(&of_roles(view), picture.at)) } }
                (holders(view))
                (courses::section(view, status.at_ms))
                (history(view))
            },
        }
        @if let Some(map) = picture.capacity.as_deref() {
            section aria-labelledby="h-room" {
                h2 #h-room { "Room ahead by role" }
                (capacity(map, usize::MAX))
            }
        }
    }
}

fn holders(view: &RolesView) -> Markup {
    let columns = [
        text("role"),
        text("group"),
        text("holders"),
        number("wanted"),
        number("could hold it"),
        text("change under way"),
        text("load of the holder"),
    ];
    let rows = view.roles.iter().map(|(role, managed)| {
        let change = change_of(view, role);
        vec![
            html! { (role) },
            html! { (managed.group) },
            held(view, role, managed),
            html! { (managed.holders_wanted) },
            html! { (count(managed.offered_by.len()) + u64::from(managed.offered_left_out)) },
            match change {
                None => html! { span.faint { "none" } },
                Some(change) => html! { span.mark.warning { (under_way(change)) } " " (why(&change.why)) ", since " (change.since_ms) },
            },
            match managed.judgement.is_empty() {
                true => html! { span.faint { "not judged" } },
                false => html! { (brief(&managed.judgement)) },
            },
        ]
    });
    table("Managed roles", &columns, None, rows.collect())
}

fn held(view: &RolesView, role: &Role, managed: &ManagedRole) -> Markup {
    let held = view.document.roles.get(role).map_or(&[][..], Vec::as_slice);
    let others = managed.acting.iter().filter(|node| !held.contains(node));
    html! {
        @if managed.acting.is_empty() { span.mark.bad { "vacant" } " " }
        @for (index, node) in held.iter().enumerate() {
            @if index > 0 { ", " }
            (node_link(node))
            @if !managed.acting.contains(node) { span.faint { " (not acting)" } }
        }
        @for node in others { " " (node_link(node)) span.faint { " (acting, not a holder)" } }
    }
}

fn change_of<'a>(view: &'a RolesView, role: &Role) -> Option<&'a RoleChange> {
    let mut changes = view.document.changes.values();
    changes.find(|change| change.role == *role)
}

fn history(view: &RolesView) -> Markup {
    let history = &view.document.history;
    if history.is_empty() {
        return html! { p.faint { "No role has moved yet." } };
    }
    let columns = [
        text("ended"),
        text("role"),
        text("change"),
        text("why"),
        text("result"),
        number("took"),
        text("figures and trouble"),
    ];
    let rows = history.iter().rev().map(|change| {
        vec![
            html! { time datetime=(change.ended_ms.to_string()) { (change.ended_ms) } },
            html! { (change.role) },
            html! { (course(change)) },
            html! { (why(&change.why)) },
            result(change.result),
            html! { (length(change.ended_ms.since(change.began_ms))) },
            html! {
                @if let Some(figures) = figures_of(change) { span.faint { (figures) } }
                @if let Some(trouble) = &change.trouble { " " span.mark.warning { (one_line(trouble, REASON_CHARS_MAX)) } }
            },
        ]
    });
    html! {
        section aria-labelledby="h-changes" {
            h2 #h-changes { "Changes" }
            (table(&format!("The last {}, the newest first", counted(count(history.len()), "finished change")), &columns, None, rows.collect()))
        }
    }
}

fn result(result: RoleChangeResult) -> Markup {
    let (class, text) = match result {
        RoleChangeResult::Done => ("good", "done"),
        RoleChangeResult::Undone => ("warning", "undone"),
        RoleChangeResult::Vacated => ("bad", "vacated"),
    };
    html! { span class={ "mark " (class) } { (text) } }
}
