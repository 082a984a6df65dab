//! Terminal output: results on stdout, everything else on stderr.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::json;

use super::failure::Failure;
use crate::args::{Color, Global};
use crate::config::Environment;
use crate::style::{Palette, Tone, escaped_json, guarded, printable};

/// Properties of stdout and stderr.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    pub(crate) json: bool,
    /// Colours of stdout.
    pub(crate) palette: Palette,
    /// Colours of stderr.
    pub(crate) notes: Palette,
    /// Whether a person reads stdout, rather than a program.
    pub(crate) is_shown: bool,
    /// Whether stdout can be redrawn.
    pub(crate) is_live: bool,
    /// Whether stderr can be redrawn.
    pub(crate) has_live_notes: bool,
}

impl Terminal {
    pub(crate) fn new(global: &Global, environment: &Environment) -> Self {
        let auto = !environment.no_color && !environment.dumb_terminal;
        let palette = |is_terminal: bool| match global.color {
            Color::Auto => Palette::new(auto && is_terminal),
            Color::Always => Palette::new(true),
            Color::Never => Palette::PLAIN,
        };
        let redraws = |is_terminal: bool| is_terminal && !environment.dumb_terminal;
        Self {
            json: global.json,
            palette: palette(io::stdout().is_terminal()),
            notes: palette(io::stderr().is_terminal()),
            is_shown: io::stdout().is_terminal(),
            is_live: redraws(io::stdout().is_terminal()),
            has_live_notes: redraws(io::stderr().is_terminal()),
        }
    }

    /// Writes text to stdout, without control sequences for a terminal.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        self.write(guarded(text, self.palette).as_bytes())
    }

    /// Writes the output of a job: unchanged for a program, or on request; without
    /// control sequences for a person at a terminal.
    pub(crate) fn print_output(&self, output: &[u8], is_raw: bool) -> io::Result<()> {
        if is_raw || !self.is_shown {
            return self.write(output);
        }
        self.write(printable(&String::from_utf8_lossy(output)).as_bytes())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Writes the one JSON document of a command.
    pub(crate) fn print_document(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = escaped_json(serde_json::to_string_pretty(value)?);
        Ok(self.print(&format!("{text}\n"))?)
    }

    /// Writes one of several JSON documents, on a line of its own.
    pub(crate) fn print_json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = escaped_json(serde_json::to_string(value)?);
        Ok(self.print(&format!("{text}\n"))?)
    }

    /// Clears the screen.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.write(b"\x1b[2J")
    }

    /// Replaces the contents of the screen.
    pub(crate) fn redraw(&self, text: &str) -> io::Result<()> {
        // Home, then the text with each line cleared to its end, then the rest below.
        let text = guarded(text, self.palette).replace('\n', "\x1b[K\n");
        self.write(format!("\x1b[H{text}\x1b[J").as_bytes())
    }

    /// Writes a line to stderr.
    pub(crate) fn note(&self, text: &str) {
        let text = guarded(text, self.notes);
        // Nobody reads this when stderr is closed.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Writes a line to stderr if there is one.
    pub(crate) fn note_all(&self, text: Option<String>) {
        if let Some(text) = text {
            self.note(&text);
        }
    }

    /// Reports a failure on stderr, and on stdout where a JSON document is expected.
    pub(crate) fn report(&self, failure: &Failure) {
        let text = failure.text();
        if self.json {
            let document = json!({ "error": text, "exit": failure.exit.code() });
            let _ = self.print_json_line(&document);
        }
        let error = self.notes.paint(Tone::Bad, "error:");
        self.note(&format!("{error} {text}"));
    }
}
