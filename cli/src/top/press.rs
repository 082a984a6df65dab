//! Effects of the keys.

use std::time::Duration;

use rolecast_common::id::JobId;

use super::details::{self, Subject};
use super::key::Key;
use super::list::List;
use super::rows::jobs;
use super::{App, Command, Detail, Prompt, Tab};

/// The intervals that the keys choose from.
const INTERVALS: [Duration; 7] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];
/// Rows of PgUp and PgDn; pages turn by half of it.
const PAGE_ROWS: isize = 10;
/// Longest text of a prompt.
const PROMPT_CHARS_MAX: usize = 100;
/// Details that are open above each other: the way back is no longer than a person
/// remembers.
const DEPTH_MAX: usize = 8;

impl App {
    pub(super) fn press(&mut self, key: Key, out: &mut Vec<Command>) {
        match key {
            Key::Interrupt => out.push(Command::Quit),
            Key::Suspend => out.push(Command::Suspend),
            Key::Redraw => out.push(Command::Redraw),
            _ if self.is_help => self.is_help = false,
            _ if self.prompt.is_some() => self.type_in(key),
            Key::Char('q') => out.push(Command::Quit),
            Key::Char('?') => self.is_help = true,
            Key::Char('p' | ' ') => self.feed.is_paused = !self.feed.is_paused,
            Key::Char('+' | '=') => self.change_interval(false),
            Key::Char('-') => self.change_interval(true),
            Key::Char('e') => {
                self.prompt = Some(Prompt::Job {
                    text: String::new(),
                    mistake: None,
                });
            }
            Key::Char(digit @ '1'..='5') => self.open_tab(digit as usize - '1' as usize),
            Key::Tab => self.open_tab((self.tab.index() + 1) % 5),
            Key::BackTab => self.open_tab((self.tab.index() + 4) % 5),
            Key::Escape | Key::Left | Key::Backspace => self.go_back(),
            Key::Enter | Key::Right => self.open(),
            Key::Up | Key::Char('k') => self.step(-1),
            Key::Down | Key::Char('j') => self.step(1),
            Key::PageUp => self.turn_page(-1),
            Key::PageDown => self.turn_page(1),
            Key::Home | Key::Char('g') => self.step(isize::MIN),
            Key::End | Key::Char('G') => self.step(isize::MAX),
            Key::Char(letter) => self.order(letter),
        }
    }

    /// Keys that change the order or the filter of the list on the screen.
    fn order(&mut self, letter: char) {
        let columns = self.columns();
        let Some(list) = self.list_mut() else {
            return;
        };
        match letter {
            's' => list.turn(columns, true),
            'S' => list.turn(columns, false),
            'r' => list.is_reversed = !list.is_reversed,
            '/' => self.prompt = Some(Prompt::Filter),
            _ => {}
        }
    }

    fn type_in(&mut self, key: Key) {
        let Some(mut prompt) = self.prompt.take() else {
            return;
        };
        let mut none = String::new();
        let text = match &mut prompt {
            Prompt::Filter => self.list_mut().map_or(&mut none, |list| &mut list.filter),
            Prompt::Job { text, mistake } => {
                *mistake = None;
                text
            }
        };
        match key {
            Key::Char(c) if text.chars().count() < PROMPT_CHARS_MAX => text.push(c),
            Key::Backspace => {
                text.pop();
            }
            Key::Escape => {
                text.clear();
                return;
            }
            Key::Enter => return self.finish(prompt),
            Key::Char(_)
            | Key::Tab
            | Key::BackTab
            | Key::Up
            | Key::Down
            | Key::Left
            | Key::Right
            | Key::PageUp
            | Key::PageDown
            | Key::Home
            | Key::End
            | Key::Interrupt
            | Key::Suspend
            | Key::Redraw => {}
        }
        self.prompt = Some(prompt);
    }

    /// Ends a prompt with Enter.
    fn finish(&mut self, prompt: Prompt) {
        let Prompt::Job { text, .. } = prompt else {
            return;
        };
        match JobId::new(text.trim()) {
            Ok(job) => self.show(Subject::Job(job)),
            Err(_) if text.trim().is_empty() => {}
            Err(error) => {
                let mistake = Some(error.to_string());
                self.prompt = Some(Prompt::Job { text, mistake });
            }
        }
    }

    fn change_interval(&mut self, is_longer: bool) {
        let now = self.feed.interval;
        let next = match is_longer {
            true => INTERVALS.into_iter().find(|interval| *interval > now),
            false => INTERVALS.into_iter().rev().find(|interval| *interval < now),
        };
        self.feed.interval = next.unwrap_or(now);
    }

    fn open_tab(&mut self, index: usize) {
        self.tab = Tab::ALL[index].0;
        self.details.clear();
    }

    fn go_back(&mut self) {
        if self.details.pop().is_none()
            && let Some(list) = self.list_mut()
        {
            list.filter.clear();
        }
    }

    fn show(&mut self, subject: Subject) {
        if self.details.len() == DEPTH_MAX {
            self.details.remove(0);
        }
        self.details.push(Detail {
            subject,
            scroll: 0,
            jobs: List::sorted_by(jobs::FIRST_SORT),
        });
    }

    /// Opens the details of the selected row.
    fn open(&mut self) {
        let keys = self.keys();
        let Some(place) = self
            .list()
            .and_then(|list| list.place(keys.iter().map(String::as_str)))
        else {
            return;
        };
        let key = keys[place].as_str();
        let tab = if self.details.is_empty() {
            self.tab
        } else {
            Tab::Jobs
        };
        let subject = match tab {
            Tab::Nodes => key.parse().ok().map(Subject::Node),
            Tab::Categories => key.parse().ok().map(Subject::Category),
            Tab::Roles => key.parse().ok().map(Subject::Role),
            Tab::Jobs => key.parse().ok().map(Subject::Job),
            Tab::Alarms => None,
        };
        if let Some(subject) = subject {
            self.show(subject);
        }
    }

    /// Moves the selection, or the page where there is none.
    fn step(&mut self, by: isize) {
        let keys = self.keys();
        match self.list_mut() {
            Some(list) if !keys.is_empty() => list.step(&keys, by),
            Some(_) | None => self.scroll(by),
        }
    }

    /// Scrolls the page, or moves the selection further.
    fn turn_page(&mut self, pages: isize) {
        match self.details.is_empty() && self.tab != Tab::Alarms {
            true => self.step(pages * PAGE_ROWS),
            false => self.scroll(pages * PAGE_ROWS / 2),
        }
    }

    fn scroll(&mut self, by: isize) {
        let parts = match self.details.last() {
            Some(detail) => details::page(&self.picture, &detail.subject, 80).len(),
            None => self.picture.attention.len(),
        };
        let scroll = match self.details.last_mut() {
            Some(detail) => &mut detail.scroll,
            None => &mut self.alarms_scroll,
        };
        // A part is wrapped into a few lines; the last page is not left.
        let last = u16::try_from(parts.saturating_mul(3)).unwrap_or(u16::MAX);
        let by = i16::try_from(by.clamp(-i16::MAX as isize, i16::MAX as isize)).unwrap_or(0);
        *scroll = scroll.saturating_add_signed(by).min(last);
    }
}
