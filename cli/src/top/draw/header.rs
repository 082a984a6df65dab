//! The lines above the list: the dispatcher, the state, and the tabs.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use rolecast_common::time::Time;
use rolecast_common::wire::Status;

use super::super::rows::categories::rate;
use super::super::{App, Tab};
use super::{jobs_of, style, wrap};
use crate::quantity::{counted, length};
use crate::style::{Tone, one_line};
use crate::top::details;

/// Lines of an alarm at the top, on a high screen and on a low one.
const ALARM_ROWS: usize = 3;
const ALARM_ROWS_LOW: usize = 1;
/// A screen of fewer rows is low.
const ROWS_HIGH: u16 = 20;
/// Bars of the flow.
const BARS: usize = 12;

/// Returns the first line: the dispatcher and the figures of the whole fleet.
pub(super) fn title(app: &App, width: u16) -> Line<'static> {
    let Some(status) = &app.picture.status else {
        return Line::from(" rolecast top");
    };
    let strong = style(Tone::Strong, app.palette);
    let mut spans = vec![
        Span::styled(format!(" {}", one_line(&status.dispatcher, 20)), strong),
        Span::raw(format!(", epoch {}  ", status.epoch)),
        Span::raw(nodes(status)),
    ];
    let (backlog, running) = jobs_of(status);
    spans.push(Span::raw(format!("  backlog {backlog}  running {running}")));
    let ended = &app.picture.flow.ended;
    if let Some(last) = ended.last() {
        spans.push(Span::raw(format!("  {}/s ", rate(Some(last)))));
        spans.push(Span::raw(ended.bars(BARS, None).trim_start().to_owned()));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let clock = status.at_ms.to_string();
    let clock = clock.get(11..19).unwrap_or_default().to_owned();
    let gap = usize::from(width).saturating_sub(used + clock.len() + 1);
    if gap > 0 {
        spans.push(Span::raw(" ".repeat(gap)));
        spans.push(Span::styled(clock, style(Tone::Faint, app.palette)));
    }
    Line::from(spans)
}

fn nodes(status: &Status) -> String {
    let totals = &status.totals;
    let mut text = counted(u64::from(totals.nodes), "node");
    let parts = [(totals.draining, "draining"), (totals.gone, "gone")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !parts.is_empty() {
        text.push_str(&format!(" ({})", parts.join(", ")));
    }
    text
}

/// Returns the lines below it: calm is one short line, trouble has its cause and the
/// command.
pub(super) fn state(app: &App, now: Time, area: Rect) -> Vec<Line<'static>> {
    let picture = &app.picture;
    let rows = match area.height < ROWS_HIGH {
        true => ALARM_ROWS_LOW,
        false => ALARM_ROWS,
    };
    if let Some((age, why)) = picture.silence(now) {
        let text = match &picture.status {
            Some(_) => format!(
                "! no answer for {}: {why}; this is the last picture",
                length(age)
            ),
            None => format!("! no answer for {}: {why}", length(age)),
        };
        return lines(app, &text, Tone::Bad, area.width, rows);
    }
    let Some(status) = &picture.status else {
        return vec![Line::from(" waiting for the dispatcher's answer ...")];
    };
    let (first, tone) = match picture.attention.first() {
        Some(line) => (format!("! {line}"), Tone::Warning),
        None => ("all is well".to_owned(), Tone::Good),
    };
    let mut notes = String::new();
    if picture.attention.len() > 1 {
        notes.push_str(&format!(" (+{}: 5)", picture.attention.len() - 1));
    }
    if app.feed.is_paused {
        notes.push_str("  PAUSED");
    }
    if !picture.is_whole {
        let (read, all) = (status.nodes.len(), status.totals.nodes);
        notes.push_str(&format!("  reading nodes: {read} of {all}"));
    }
    lines(app, &format!("{first}{notes}"), tone, area.width, rows)
}

/// Wraps a text; of a longer one, the end is on the page of alarms.
fn lines(app: &App, text: &str, tone: Tone, width: u16, rows: usize) -> Vec<Line<'static>> {
    let mut wrapped = wrap(text, usize::from(width).saturating_sub(2));
    if wrapped.len() > rows {
        wrapped.truncate(rows);
        if let Some(last) = wrapped.last_mut() {
            *last = format!("{}…", last.trim_end());
        }
    }
    let style = style(tone, app.palette);
    let line = |text: String| Line::from(Span::styled(format!(" {text}"), style));
    wrapped.into_iter().map(line).collect()
}

/// Counts the jobs that have not ended, or shows how many of them are listed.
fn open_jobs(app: &App) -> String {
    let listing = &app.picture.jobs.listing;
    let Some(page) = listing.first() else {
        return String::new();
    };
    let totals = &page.totals;
    let (waiting, running, delayed) = (totals.waiting, totals.running, totals.delayed);
    let all = u64::from(waiting) + u64::from(running) + u64::from(delayed);
    match listing.is_whole() {
        true if delayed == 0 => format!("  {waiting} wait, {running} run"),
        true => format!("  {waiting} wait, {running} run, {delayed} delayed"),
        false => format!("  {} of {all} jobs", listing.jobs_count()),
    }
}

/// Returns the tabs, or the way to the details.
pub(super) fn tabs(app: &App) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for (index, (tab, name)) in Tab::ALL.into_iter().enumerate() {
        let style = match tab == app.tab {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        spans.push(Span::styled(format!(" {} {name} ", index + 1), style));
    }
    for detail in &app.details {
        spans.push(Span::raw(" > "));
        let title = details::title(&detail.subject);
        spans.push(Span::styled(title, style(Tone::Strong, app.palette)));
    }
    let every = crate::quantity::length(app.feed.interval);
    let filter = app.list().map_or("", |list| list.filter.as_str());
    let note = match filter {
        "" if app.details.is_empty() && app.tab == Tab::Jobs => open_jobs(app),
        "" if app.details.is_empty() => format!("  every {every}"),
        "" => String::new(),
        filter => format!("  filter: {filter}"),
    };
    spans.push(Span::styled(note, style(Tone::Faint, app.palette)));
    Line::from(spans)
}
