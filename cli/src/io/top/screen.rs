//! The terminal while the view has it: raw, on the alternate screen, without a cursor.
//!
//! Whatever ends the view, a panic included, the terminal is as it was.

use std::io::{self, Stdout};
use std::panic;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::{Position, Rect};
use ratatui::{Frame, Terminal};

#[derive(Debug)]
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    pub(super) fn enter() -> io::Result<Self> {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            leave();
            report(panic);
        }));
        take()?;
        // From here on it is given back when the screen is dropped.
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        terminal.map(Self).inspect_err(|_| leave())
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(|_| ())
    }

    /// Lets the next drawing write every cell.
    ///
    /// `Terminal::clear` asks the terminal for the place of the cursor, whose answer the
    /// thread that reads keys would get.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let size = self.0.size()?;
        self.0.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Gives the terminal back and stops the process until it is continued.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        leave();
        kill(Pid::this(), Signal::SIGSTOP)?;
        take()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, Hide).inspect_err(|_| leave())
}

/// Gives the terminal back, as far as there still is one.
fn leave() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}
