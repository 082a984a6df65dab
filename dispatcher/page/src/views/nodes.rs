//! The nodes: a table, sorted, filtered and paged by the address.

use maud::{Markup, html};
use rolecast_common::wire::{NodeStatus, Status};
use rolecast_common::words::{cores, counted, length};

use super::{health, node_link};
use crate::ask::{Ask, Health, Sort};
use crate::picture::Picture;
use crate::selection::{PageOf, page_of};
use crate::svg::bar::bar;
use crate::svg::fan::{SMALL, fan};
use crate::table::{Column, none, number, table, text};
use crate::words::{age, count, role_list};

#[allow(clippy::cast_precision_loss, reason = "a share needs few digits")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}

const COLUMNS: [Column; 12] = [
    text("node").by(Sort::Name),
    text("roles"),
    text("health").by(Sort::Trouble),
    text("cpu").by(Sort::Cpu),
    text("cpu expected"),
    text("memory").by(Sort::Memory),
    text("jobs").by(Sort::Jobs),
    number("reserved").by(Sort::Reserved),
    number("feedback").by(Sort::Feedback),
    number("round trip").by(Sort::Trip),
    number("heartbeat").by(Sort::Heartbeat),
    number("failed").by(Sort::Failed),
];

pub(super) fn view(picture: &Picture, status: &Status, ask: &Ask) -> Markup {
    let shown = page_of(status, &ask.query);
    let rows = shown.nodes.iter().map(|node| row(picture, node)).collect();
    html! {
        (form(status, ask))
        @if shown.found == 0 {
            p { "No node matches. " a href="/nodes" { "Show all" } }
        } @else {
            (table(&caption(&shown, status), &COLUMNS, Some(ask), rows))
            (pager(&shown, ask))
            p.faint { "cpu expected: use by others in the last 15 minutes, and in the next hour what it will not exceed in 50, 90 and 99 of 100 cases" }
        }
    }
}

fn caption(shown: &PageOf<'_>, status: &Status) -> String {
    let all = counted(count(status.nodes.len()), "node");
    match (shown.found == status.nodes.len(), shown.pages) {
        (true, 1) => all,
        (true, pages) => format!("{all}, page {} of {pages}", shown.page + 1),
        (false, pages) => format!(
            "{} of {all} match, page {} of {pages}",
            shown.found,
            shown.page + 1
        ),
    }
}

fn row(picture: &Picture, node: &NodeStatus) -> Vec<Markup> {
    let forecast = picture.forecasts.get(&node.node);
    let cpu = forecast.and_then(|view| view.resources.get("cpu"));
    vec![
        node_link(&node.node),
        html! { (role_list(&node.roles, "none")) },
        html! { (health(node.health)) @if !node.distrusted.is_empty() { " " span.mark.bad { "distrusted" } } },
        cpu_bar(node),
        match cpu.filter(|cpu| !cpu.horizons.is_empty()) {
            Some(cpu) => fan(&fan_title(node, cpu), cpu, SMALL),
            None => none(),
        },
        memory_bar(node),
        html! { (bar(&format!("{} of {} slots", node.jobs, node.jobs_max), f64::from(node.jobs_max), &[("jobs", f64::from(node.jobs))])) " " (node.jobs) "/" (node.jobs_max) },
        html! { (cores(node.reserved.cpu)) },
        html! { @if node.feedback > 0.0 { (format!("{:.2}", node.feedback)) } @else { (none()) } },
        html! { @match node.round_trip_us { Some(trip) => (length(std::time::Duration::from_micros(trip))), None => (none()) } },
        html! { (age(node.heartbeat_age_ms)) },
        html! { (node.failed) },
    ]
}

fn fan_title(node: &NodeStatus, cpu: &rolecast_common::wire::ResourceForecast) -> String {
    let last = cpu.horizons.last().copied().unwrap_or_default();
    format!(
        "CPU of {} in {} s: {:.2} likely, {:.2} in 9 of 10 cases, of {:.2}",
        node.node, last.seconds, last.p50, last.p90, cpu.capacity
    )
}

fn cpu_bar(node: &NodeStatus) -> Markup {
    let (total, jobs) = (node.usage.total.cpu.get(), node.usage.jobs.cpu.get());
    let whole = node.capacity.cpu.get();
    let title = format!("{total:.2} of {whole:.2} cores in use, {jobs:.2} by jobs");
    html! { (bar(&title, whole, &[("used", (total - jobs).max(0.0)), ("jobs", jobs)])) span.nowrap { (cores(node.usage.total.cpu)) "/" (cores(node.capacity.cpu)) } }
}

fn memory_bar(node: &NodeStatus) -> Markup {
    let (total, jobs) = (
        bytes(node.usage.total.memory.get()),
        bytes(node.usage.jobs.memory.get()),
    );
    let whole = bytes(node.capacity.memory.get());
    let title = format!(
        "{} of {} in use",
        node.usage.total.memory, node.capacity.memory
    );
    html! { (bar(&title, whole, &[("used", (total - jobs).max(0.0)), ("jobs", jobs)])) span.nowrap { (node.usage.total.memory) "/" (node.capacity.memory) } }
}

fn form(status: &Status, ask: &Ask) -> Markup {
    let query = &ask.query;
    html! {
        form.filters method="get" action=(ask.view.path()) role="search" {
            label { "name or label " input type="search" name="q" value=(query.text) maxlength="64" autocomplete="off"; }
            label { "role "
                select name="role" {
                    option value="" selected[query.role.is_none()] { "any" }
                    @for role in &status.roles {
                        option value=(role.role) selected[query.role.as_ref() == Some(&role.role)] { (role.role) }
                    }
                }
            }
            label { "health "
                select name="health" {
                    option value="" selected[query.health.is_none()] { "any" }
                    @for one in Health::ALL {
                        option value=(one.name()) selected[query.health == Some(one)] { (one.name()) }
                    }
                }
            }
            input type="hidden" name="sort" value=(query.sort.name());
            @if query.is_reversed { input type="hidden" name="order" value="reverse"; }
            button { "Filter" }
        }
    }
}

pub(super) fn pager(shown: &PageOf<'_>, ask: &Ask) -> Markup {
    if shown.pages < 2 {
        return html! {};
    }
    let to = |page: usize| ask.with(|query| query.page = u32::try_from(page).unwrap_or(u32::MAX));
    html! {
        nav.pager aria-label="Pages" {
            @if shown.page > 0 { a href=(to(shown.page - 1)) rel="prev" { "Previous" } }
            span { "page " (shown.page + 1) " of " (shown.pages) }
            @if shown.page + 1 < shown.pages { a href=(to(shown.page + 1)) rel="next" { "Next" } }
        }
    }
}
