//! Progress display of the demonstration: bars on a terminal, else a line a second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::terminal::Terminal;
use crate::demo::progress::Progress;
use crate::style::Tone;

/// The most updates of a bar in a second.
const BARS_PER_SECOND: u8 = 10;
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Progress display on stderr.
#[derive(Debug)]
pub(super) struct Display {
    terminal: Terminal,
    start: Instant,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Bars {
        all: MultiProgress,
        categories: BTreeMap<&'static str, ProgressBar>,
        nodes: ProgressBar,
    },
    Lines {
        next: Instant,
    },
}

impl Display {
    pub(super) fn new(terminal: &Terminal, progress: &Progress) -> Self {
        let start = Instant::now();
        let form = if terminal.has_live_notes {
            bars(progress)
        } else {
            let next = start + LINE_EVERY;
            Form::Lines { next }
        };
        Self {
            terminal: terminal.clone(),
            start,
            form,
        }
    }

    pub(super) fn update(&mut self, progress: &Progress) {
        let elapsed = self.start.elapsed().as_secs();
        match &mut self.form {
            Form::Bars {
                categories, nodes, ..
            } => {
                for (category, counts) in &progress.categories {
                    if let Some(bar) = categories.get(category) {
                        bar.set_position(counts.ended);
                        bar.set_message(format!("{} submitted", counts.submitted));
                    }
                }
                nodes.set_message(format!("{elapsed} s; in hand: {}", progress.nodes()));
            }
            Form::Lines { next } => {
                let now = Instant::now();
                if now < *next {
                    return;
                }
                *next = now + LINE_EVERY;
                let total = progress.total();
                self.terminal.note(&format!(
                    "{elapsed:>4} s  {} of {} submitted, {} ended; in hand: {}",
                    total.submitted,
                    total.planned,
                    total.ended,
                    progress.nodes(),
                ));
            }
        }
    }

    /// Prints a line above the bars.
    pub(super) fn print_line(&self, tone: Tone, text: &str) {
        let text = self.terminal.notes.paint(tone, text);
        match &self.form {
            Form::Bars { all, .. } => {
                // Nobody reads this when stderr is closed.
                let _ = all.println(&text);
            }
            Form::Lines { .. } => self.terminal.note(&text),
        }
    }

    /// Leaves the final display on the screen.
    pub(super) fn finish(&self) {
        if let Form::Bars {
            categories, nodes, ..
        } = &self.form
        {
            for bar in categories.values() {
                bar.abandon();
            }
            nodes.abandon();
        }
    }
}

fn bars(progress: &Progress) -> Form {
    let target = ProgressDrawTarget::stderr_with_hz(BARS_PER_SECOND);
    let all = MultiProgress::with_draw_target(target);
    let style = ProgressStyle::with_template("{prefix:<9} {bar:32} {pos:>5}/{len:<5} {msg}")
        .expect("the template is valid");
    let line = ProgressStyle::with_template("{msg}").expect("the template is valid");
    let categories = progress.categories.iter().map(|(category, counts)| {
        let bar = all.add(ProgressBar::new(counts.planned));
        bar.set_style(style.clone());
        bar.set_prefix(*category);
        (*category, bar)
    });
    let categories = categories.collect();
    let nodes = all.add(ProgressBar::new_spinner());
    nodes.set_style(line);
    Form::Bars {
        all,
        categories,
        nodes,
    }
}
