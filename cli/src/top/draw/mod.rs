//! Drawing of the screen.
//!
//! Two lines at the top, tabs, the list or the details, and one line at the bottom. Signs
//! carry the same information as colours.

mod body;
mod header;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use rolecast_common::time::Time;
use rolecast_common::wire::Status;

use super::key::HELP;
use super::{App, Prompt};
use crate::style::{Palette, Tone};
use crate::table::Text;

/// The least size that shows anything of use.
const COLUMNS_MIN: u16 = 40;
const ROWS_MIN: u16 = 8;

/// Draws the whole screen.
pub(crate) fn draw(app: &App, now: Time, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        let text = format!(
            "{}x{}: too small, needs {COLUMNS_MIN}x{ROWS_MIN}; q quits",
            area.width, area.height,
        );
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let state = header::state(app, now, area);
    let state_rows = u16::try_from(state.len()).unwrap_or(1);
    let [title_area, state_area, tabs_area, body_area, keys_area] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(state_rows),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(header::title(app, title_area.width), title_area);
    frame.render_widget(Paragraph::new(state), state_area);
    frame.render_widget(header::tabs(app), tabs_area);
    if app.is_help {
        help(app.palette, frame, body_area);
    } else {
        body::draw(app, frame, body_area);
    }
    frame.render_widget(bottom(app), keys_area);
}

/// Returns the backlog and the running jobs of all categories.
pub(super) fn jobs_of(status: &Status) -> (u64, u64) {
    let categories = status.categories.iter();
    categories.fold((0, 0), |(backlog, running), category| {
        let running = running + u64::from(category.running);
        (backlog + category.backlog, running)
    })
}

fn help(palette: Palette, frame: &mut Frame<'_>, area: Rect) {
    let line = |(keys, effect): &(&'static str, &'static str)| {
        Line::from(vec![
            Span::styled(format!(" {keys:<12} "), style(Tone::Strong, palette)),
            Span::raw(*effect),
        ])
    };
    let lines: Vec<Line<'_>> = HELP.iter().map(line).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// Returns the line with the keys, or with the text that is being typed.
fn bottom(app: &App) -> Line<'static> {
    let faint = style(Tone::Faint, app.palette);
    let strong = style(Tone::Strong, app.palette);
    match &app.prompt {
        Some(Prompt::Filter) => {
            let filter = app.list().map_or("", |list| list.filter.as_str());
            Line::from(vec![
                Span::styled(" filter: ", strong),
                Span::raw(format!("{filter}▏")),
                Span::styled("  Enter keeps it, Esc clears it", faint),
            ])
        }
        Some(Prompt::Job { text, mistake }) => Line::from(vec![
            Span::styled(" explain job: ", strong),
            Span::raw(format!("{text}▏")),
            Span::styled(
                mistake
                    .as_ref()
                    .map_or(String::new(), |why| format!("  {why}")),
                style(Tone::Bad, app.palette),
            ),
        ]),
        None => {
            let keys = match (app.is_help, app.details.is_empty()) {
                (true, _) => " any key closes the help",
                (false, false) => " Esc back  ↑↓ move  Enter explain  p pause  ? help  q quit",
                (false, true) => {
                    " ↑↓ select  Enter details  / filter  s sort  r reverse  p pause  ? help  q quit"
                }
            };
            Line::from(Span::styled(keys, faint))
        }
    }
}

/// Returns the style of a tone.
fn style(tone: Tone, palette: Palette) -> Style {
    let plain = Style::new();
    let colour = |colour| match palette.has_colours() {
        true => plain.fg(colour),
        false => plain,
    };
    match tone {
        Tone::Plain => plain,
        Tone::Strong => plain.add_modifier(Modifier::BOLD),
        Tone::Faint => plain.add_modifier(Modifier::DIM),
        Tone::Good => colour(Color::Green),
        Tone::Warning => colour(Color::Yellow),
        Tone::Bad => colour(Color::Red).add_modifier(Modifier::BOLD),
    }
}

fn span((text, tone): Text, palette: Palette) -> Span<'static> {
    Span::styled(text, style(tone, palette))
}

/// Breaks a text into lines of at most this many characters, at spaces where it can.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > columns {
        let space = rest[..=columns].iter().rposition(|c| *c == ' ');
        let (end, next) = match space.filter(|space| *space > 0) {
            Some(space) => (space, space + 1),
            None => (columns, columns),
        };
        lines.push(rest[..end].iter().collect());
        rest.drain(..next);
    }
    lines.push(rest.into_iter().collect());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_at_spaces() {
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one two", 3), ["one", "two"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
    }
}
