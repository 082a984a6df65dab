//! View on a screen in memory.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Modifier;
use rolecast_common::wire::Status;

use super::super::fixture;
use super::super::*;

/// A view on a screen of its own.
pub(super) struct Bench {
    pub(super) app: App,
    pub(super) now: Time,
    pub(super) size: (u16, u16),
    pub(super) commands: Vec<Command>,
}

impl Bench {
    /// Opens the view on the fleet of the fixture.
    pub(super) fn open() -> Self {
        let mut bench = Self::empty();
        bench.answer(
            Request::Page(None),
            Answer::Page(Box::new(fixture::status())),
        );
        bench
    }

    pub(super) fn empty() -> Self {
        Self {
            app: App::new(Duration::from_secs(1), Palette::PLAIN),
            now: Time::ZERO,
            size: (80, 24),
            commands: Vec::new(),
        }
    }

    pub(super) fn handle(&mut self, event: Event) {
        self.commands.clear();
        self.app.handle(self.now, event, &mut self.commands);
    }

    pub(super) fn answer(&mut self, request: Request, answer: Answer) {
        self.handle(Event::Answered(request, answer));
    }

    pub(super) fn page(&mut self, change: impl FnOnce(&mut Status)) {
        let mut status = fixture::status();
        change(&mut status);
        self.answer(Request::Page(None), Answer::Page(Box::new(status)));
    }

    pub(super) fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.handle(Event::Key(Key::Char(key)));
        }
    }

    pub(super) fn key(&mut self, key: Key) {
        self.handle(Event::Key(key));
    }

    pub(super) fn terminal(&self) -> Terminal<TestBackend> {
        let (columns, rows) = self.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal
            .draw(|frame| draw(&self.app, self.now, frame))
            .unwrap();
        terminal
    }

    /// Returns the screen as text, without spaces at the ends of lines.
    pub(super) fn screen(&self) -> String {
        let terminal = self.terminal();
        let buffer = terminal.backend().buffer();
        let line = |row| {
            let cells = (0..buffer.area.width).map(|column| buffer[(column, row)].symbol());
            format!("{}\n", cells.collect::<String>().trim_end())
        };
        (0..buffer.area.height).map(line).collect()
    }

    /// Returns the lines that are shown in reverse, below the tabs.
    pub(super) fn selected(&self) -> Vec<String> {
        let terminal = self.terminal();
        let buffer = terminal.backend().buffer();
        let is_reversed = |row: &u16| buffer[(0, *row)].modifier.contains(Modifier::REVERSED);
        let line = |row| {
            let cells = (0..12).map(|column| buffer[(column, row)].symbol());
            cells.collect::<String>().trim_end().to_owned()
        };
        (0..buffer.area.height)
            .filter(is_reversed)
            .map(line)
            .collect()
    }

    pub(super) fn assert_shows(&self, parts: &[&str]) {
        let screen = self.screen();
        for part in parts {
            assert!(screen.contains(part), "{part:?} is not on\n{screen}");
        }
    }
}
