//! The frame around each view: title, navigation, state, and the message that the page is
//! not renewed.

use maud::{DOCTYPE, Markup, html};
use rolecast_common::alarm::{Alarm, Gravity};
use rolecast_common::wire::{DispatcherState, DispatcherStatus};
use rolecast_common::words::counted;

use crate::alarms::alarms;
use crate::ask::{Ask, NAVIGATION, View};
use crate::assets::{ICON, SCRIPT, STYLE};
use crate::parts::standing;
use crate::picture::{Picture, Standing};
use crate::views;
use crate::words::{count, ready};

/// Interval of the renewal without a script, in seconds.
const REFRESH_S: u32 = 10;

/// Renders a whole page.
pub fn render(picture: &Picture, ask: &Ask) -> String {
    let name = title(ask);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="description" content=(summary(picture));
                meta name="referrer" content="no-referrer";
                noscript { meta http-equiv="refresh" content=(REFRESH_S); }
                title { (name) " - " (picture.name) " - Rolecast" }
                link rel="icon" href=(ICON.href()) type=(ICON.content_type);
                link rel="stylesheet" href=(STYLE.href());
                script src=(SCRIPT.href()) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    a.brand href="/" { "Rolecast" }
                    nav aria-label="Views" { ul { @for (view, name) in NAVIGATION { (entry(&view, name, &ask.view)) } } }
                    span #link.chip role="status" hidden { "live" }
                }
                (content(picture, ask))
                footer {
                    p { "Read only: nothing can be changed here. Commands are for a terminal; times are UTC." }
                }
            }
        }
    };
    page.into_string()
}

/// Renders the part of a page that changes: `<main>`.
pub fn render_main(picture: &Picture, ask: &Ask) -> String {
    content(picture, ask).into_string()
}

fn content(picture: &Picture, ask: &Ask) -> Markup {
    html! {
        main #main tabindex="-1" data-at=(picture.at.as_millis()) {
            (banner(picture))
            (standby_note(picture))
            h1 { (title(ask)) }
            (views::view(picture, ask))
        }
    }
}

fn entry(view: &View, name: &str, shown: &View) -> Markup {
    let is_shown = view == shown;
    let is_part = matches!((view, shown), (View::Nodes, View::Node(_)));
    let current = match (is_shown, is_part) {
        (true, _) => Some("page"),
        (false, true) => Some("true"),
        (false, false) => None,
    };
    html! { li { a href=(view.path()) aria-current=[current] { (name) } } }
}

fn title(ask: &Ask) -> String {
    let known = NAVIGATION.iter().find(|(view, _)| *view == ask.view);
    match (&ask.view, known) {
        (View::Node(node), _) => format!("Node {node}"),
        (_, Some((_, name))) => (*name).to_owned(),
        (_, None) => String::new(),
    }
}

/// The line on every view: this dispatcher's part, and whether all is well.
fn banner(picture: &Picture) -> Markup {
    let alarms = alarms(picture);
    let (class, text) = state(picture, &alarms);
    html! {
        p.banner {
            span.chip.name { (picture.name) }
            " "
            (standing(picture))
            " "
            // Read out when it changes; the alarms themselves have ages, which change all the time.
            span class={ "chip " (class) } role="status" { (text) }
            " "
            time.faint datetime=(picture.at.to_string()) { (clock(picture)) }
        }
    }
}

/// On a standby: the dispatcher that knows the rest, and the address of its page.
fn standby_note(picture: &Picture) -> Markup {
    let Standing::StandingBy { leader } = &picture.standing else {
        return html! {};
    };
    let dispatchers = picture.status.iter().flat_map(|status| &status.dispatchers);
    let leads = |one: &&DispatcherStatus| {
        one.state == DispatcherState::Leads && leader.as_ref().is_none_or(|name| *name == one.name)
    };
    let page = dispatchers.clone().find(leads).map(|one| &one.page);
    html! {
        p.note {
            "This dispatcher stands by: it knows nodes, forecasts, events and decisions. Jobs and roles are on the page of "
            @match leader { Some(leader) => { b { (leader) } }, None => { "the dispatcher that leads" } }
            @if let Some(page) = page.filter(|page| !page.is_empty()) { ", which listens on " b { (page) } " of its host" }
            "."
        }
    }
}

fn clock(picture: &Picture) -> String {
    let text = picture.at.to_string();
    let time = text.split_once('T').map_or(text.as_str(), |(_, time)| time);
    format!("{} UTC", time.split('.').next().unwrap_or(time))
}

fn state(picture: &Picture, alarms: &[Alarm]) -> (&'static str, String) {
    let count = |gravity| {
        count(
            alarms
                .iter()
                .filter(|alarm| alarm.gravity == gravity)
                .count(),
        )
    };
    let (bad, warnings) = (count(Gravity::Bad), count(Gravity::Warning));
    match (bad, warnings) {
        (0, 0) if picture.status.is_none() => ("", "nothing known yet".to_owned()),
        (0, 0) => ("good", "all is well".to_owned()),
        (0, _) => ("warning", counted(warnings, "warning")),
        (_, 0) => ("bad", counted(bad, "alarm")),
        (_, _) => {
            let (bad, warnings) = (counted(bad, "alarm"), counted(warnings, "warning"));
            ("bad", format!("{bad}, {warnings}"))
        }
    }
}

/// Returns the whole of it in one line.
fn summary(picture: &Picture) -> String {
    let part = match &picture.standing {
        Standing::Connecting { .. } => "is connecting".to_owned(),
        Standing::Preparing { what } => what.clone(),
        Standing::StandingBy {
            leader: Some(leader),
        } => format!("stands by behind {leader}"),
        Standing::StandingBy { leader: None } => "stands by".to_owned(),
        Standing::Leading { epoch } => format!("leads in epoch {epoch}"),
    };
    let (_, state) = state(picture, &alarms(picture));
    let Some(status) = picture.status.as_deref() else {
        return format!("{} {part}; {state}", picture.name);
    };
    let categories = || status.categories.iter();
    let backlog: u64 = categories().map(|category| category.backlog).sum();
    let ended: u64 = categories()
        .map(|category| category.completed + category.dead + category.expired + category.cancelled)
        .sum();
    let nodes = counted(count(status.nodes.len()), "node");
    format!(
        "{} {part}; {state}; backlog {backlog}, {} ended; {} of {nodes} ready",
        picture.name,
        counted(ended, "job"),
        ready(status),
    )
}
