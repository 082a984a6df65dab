//! Bar with the progress of a job, on the last line of a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use rolecast_common::wire::ProgressView;

use super::super::terminal::Terminal;
use crate::view::job::{done, thousandths};

/// The bar; nothing where lines are printed instead.
#[derive(Debug)]
pub(super) struct Bar {
    is_used: bool,
    bar: Option<ProgressBar>,
    /// The progress that it shows.
    shown: Option<ProgressView>,
}

impl Bar {
    pub(super) fn new(terminal: &Terminal) -> Self {
        // Lines and the bar share the screen, so both must be on it.
        let is_used = terminal.is_live && terminal.has_live_notes && !terminal.json;
        Self {
            is_used,
            bar: None,
            shown: None,
        }
    }

    pub(super) fn is_used(&self) -> bool {
        self.is_used
    }

    /// Shows the progress, or removes the bar if there is none.
    pub(super) fn show(&mut self, progress: Option<&ProgressView>) {
        if !self.is_used || self.shown.as_ref() == progress {
            return;
        }
        self.shown = progress.cloned();
        let Some(progress) = progress else {
            self.clear();
            return;
        };
        let bar = self.bar.get_or_insert_with(new_bar);
        bar.set_position(u64::from(thousandths(progress)));
        bar.set_message(done(progress));
    }

    /// Removes the bar, so that a line can be printed in its place.
    pub(super) fn clear(&mut self) {
        self.shown = None;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {wide_msg}");
    let style = style.expect("the template is valid");
    ProgressBar::new(1000).with_style(style.progress_chars("=> "))
}
