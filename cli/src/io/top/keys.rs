//! Thread that reads the terminal.
//!
//! It ends with the process: a read of a terminal cannot be ended from outside. If the
//! terminal is gone, crossterm reads on without end and without an error, so that is
//! noticed by its signal, or by the next drawing.

use std::io;
use std::thread;

use ratatui::crossterm::event::{
    self, Event as Read, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use tokio::sync::mpsc::Sender;

use crate::top::Event;
use crate::top::key::Key;

/// An input of the loop.
#[derive(Debug)]
pub(super) enum Input {
    Event(Box<Event>),
    Resized,
    /// The terminal cannot be read.
    Gone(io::Error),
}

pub(super) fn start(inputs: Sender<Input>) {
    thread::spawn(move || {
        loop {
            let input = match event::read() {
                Ok(Read::Key(key)) => {
                    key_of(key).map(|key| Input::Event(Box::new(Event::Key(key))))
                }
                Ok(Read::Resize(..)) => Some(Input::Resized),
                Ok(Read::FocusGained | Read::FocusLost | Read::Mouse(_) | Read::Paste(_)) => None,
                Err(error) => Some(Input::Gone(error)),
            };
            let is_gone = matches!(input, Some(Input::Gone(_)));
            let is_unread = input.is_some_and(|input| inputs.blocking_send(input).is_err());
            if is_gone || is_unread {
                return;
            }
        }
    });
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "crossterm knows more keys than this view"
)]
fn key_of(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Key::Interrupt),
            KeyCode::Char('z') => Some(Key::Suspend),
            KeyCode::Char('l') => Some(Key::Redraw),
            _ => None,
        };
    }
    match key.code {
        KeyCode::Char(c) => Some(Key::Char(c)),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Escape),
        KeyCode::Backspace => Some(Key::Backspace),
        KeyCode::Tab => Some(Key::Tab),
        KeyCode::BackTab => Some(Key::BackTab),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::Left => Some(Key::Left),
        KeyCode::Right => Some(Key::Right),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Home => Some(Key::Home),
        KeyCode::End => Some(Key::End),
        _ => None,
    }
}
