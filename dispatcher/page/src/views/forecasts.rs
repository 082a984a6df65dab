//! Forecasts against actual use: the last hour beside what had been expected of it, errors
//! beside the naive forecast's, and coverage, by node and time ahead.

use maud::{Markup, html};
use rolecast_common::id::NodeId;
use rolecast_common::wire::{AccuracyAt, PastForecasts, ResourceForecast, Status};
use rolecast_common::words::{ahead, counted};

use super::node_link;
use super::nodes::pager;
use crate::ask::{Ask, Sort};
use crate::picture::Picture;
use crate::selection::page_of;
use crate::svg::hindsight::{self, covered, hindsight};
use crate::table::{Column, none, number, table, text};
use crate::words::{amount, count};

/// Within this share two errors are equal.
const CLOSE: f64 = 0.02;

pub(super) fn view(picture: &Picture, status: &Status, ask: &Ask) -> Markup {
    let shown = page_of(status, &ask.query);
    let horizons = horizons(picture);
    let mut columns = vec![text("node").by(Sort::Name), text("last hour")];
    columns.extend(horizons.iter().map(|(_, name)| *name));
    let rows = shown.nodes.iter().map(|node| {
        let cpu = picture
            .forecasts
            .get(&node.node)
            .and_then(|view| view.resources.get("cpu"));
        let mut row = vec![node_link(&node.node)];
        let past = cpu.and_then(|cpu| Some((cpu, cpu.past.as_ref()?)));
        row.push(match past {
            Some((cpu, past)) => hindsight(
                &past_title(&node.node, cpu, past),
                cpu,
                past,
                hindsight::SMALL,
            ),
            None => none(),
        });
        row.extend(horizons.iter().map(|(seconds, _)| {
            let accuracy = cpu.map_or(&[][..], |cpu| &cpu.accuracy);
            cell(accuracy.iter().find(|at| at.seconds == *seconds))
        }));
        row
    });
    let counters = &status.counters;
    html! {
        dl.figures {
            div.figure { dt { "Forecasts" } dd { span { span.value { (status.forecast_mode) } " " span.faint { "their effect on placement" } } } }
            div.figure { dt { "Jobs diverted" } dd { span { span.value { (counters.diverted) } " " span.faint { "of " (counters.compared) " compared went elsewhere than the last heartbeats would have them" } } } }
        }
        @if status.nodes.is_empty() {
            p { "No nodes yet." }
        } @else {
            (table("Error of the median of CPU, as a share of the naive forecast's; and the share of values within the 90 % quantile", &columns, Some(ask), rows.collect()))
            (pager(&shown, ask))
            p.faint { "Below 1 the forecast is better than the last value repeated. Coverage should be near 0.9." }
            p.faint { "last hour: CPU used by others as a line, on the band from the median to the 90 % quantile that was expected of it five minutes before. It begins some minutes after a node's first heartbeat." }
        }
    }
}

/// Returns in words how much of a node's last hour was within what had been expected.
fn past_title(node: &NodeId, forecast: &ResourceForecast, past: &PastForecasts) -> String {
    format!(
        "CPU of {node} in the last hour: {}",
        in_words(forecast, past)
    )
}

fn in_words(forecast: &ResourceForecast, past: &PastForecasts) -> String {
    let (within, compared) = covered(forecast, past);
    format!(
        "{within} of {} within the 90 % quantile expected {} before",
        counted(count(compared), "minute"),
        ahead(past.ahead_s)
    )
}

/// The CPU of one node in the last hour, and what had been expected of it.
pub(super) fn last_hour(node: &NodeId, cpu: Option<&ResourceForecast>) -> Markup {
    let Some((cpu, past)) = cpu.and_then(|cpu| Some((cpu, cpu.past.as_ref()?))) else {
        return html! { p.faint { "The first forecasts are still to be compared: five minutes must pass." } };
    };
    html! {
        div.fans {
            figure {
                figcaption { b { "cpu" } " " (in_words(cpu, past)) }
                (hindsight(&past_title(node, cpu, past), cpu, past, hindsight::LARGE))
                div.axis { span { "1 h ago" } span { "now" } }
            }
        }
        ul.legend { li { span.swatch.past {} "measured" } li { span.swatch.p50 {} "median that was expected" } li { span.swatch.p90 {} "up to the 90 % quantile" } }
    }
}

/// The times ahead at which forecasts are scored, with their columns.
fn horizons(picture: &Picture) -> Vec<(u32, Column)> {
    let of_node = picture
        .forecasts
        .values()
        .filter_map(|view| view.resources.get("cpu"));
    let accuracy = of_node
        .map(|cpu| &cpu.accuracy)
        .find(|accuracy| !accuracy.is_empty());
    let Some(accuracy) = accuracy else {
        return Vec::new();
    };
    let name = |seconds| match seconds {
        0..=59 => "in some seconds",
        60..=299 => "in 1 minute",
        300..=899 => "in 5 minutes",
        900..=3599 => "in 15 minutes",
        _ => "in an hour",
    };
    accuracy
        .iter()
        .map(|at| (at.seconds, number(name(at.seconds))))
        .collect()
}

fn cell(at: Option<&AccuracyAt>) -> Markup {
    let Some(at) = at.filter(|at| at.scored > 0) else {
        return none();
    };
    html! { (ratio(at)) " " span.faint { (format!("{:.2}", at.coverage)) } }
}

/// Shows the error as a share of the naive forecast's.
fn ratio(at: &AccuracyAt) -> Markup {
    if at.naive_error <= 0.0 {
        return none();
    }
    let ratio = at.error / at.naive_error;
    let class = match ratio {
        ratio if ratio < 1.0 - CLOSE => "good",
        ratio if ratio > 1.0 + CLOSE => "warning",
        _ => "",
    };
    html! { span class={ "mark " (class) } { (format!("{ratio:.2}")) } }
}

/// The accuracy of all resources of one node.
pub(super) fn accuracy(resources: &[(String, Option<&ResourceForecast>)]) -> Markup {
    let columns = [
        text("resource"),
        text("ahead"),
        number("error"),
        number("naive error"),
        number("ratio"),
        number("within 90 %"),
        number("scored"),
    ];
    let mut rows = Vec::new();
    for (name, forecast) in resources {
        for at in forecast.map_or(&[][..], |forecast| &forecast.accuracy) {
            if at.scored == 0 {
                continue;
            }
            rows.push(vec![
                html! { (name) },
                html! { (ahead(at.seconds)) },
                html! { (amount(name, at.error)) },
                html! { (amount(name, at.naive_error)) },
                ratio(at),
                html! { (format!("{:.2}", at.coverage)) },
                html! { (at.scored) },
            ]);
        }
    }
    if rows.is_empty() {
        return html! { p.faint { "No forecast has been compared with actual use yet." } };
    }
    table("Recent forecasts of this node", &columns, None, rows)
}
